#include "mqttrpc/rpc/call_log.h"

#include "stack.h"

namespace mqttrpc {
namespace {

using test::Ask;
using test::LogRecorder;
using test::milliseconds;
using test::Question;
using test::Reply;
using test::Result;
using testing::ElementsAre;
using testing::IsEmpty;

class CallLogTest : public test::StackTest {
 protected:
  void ServeAndOpenLogged(CallLogOptions options = CallLogOptions()) {
    options.clock = &clock_;
    auto log = std::make_shared<CallLog>(lines_, options);
    ServerOptions serving;
    serving.interceptors = {log};
    Serve(serving);
    ChannelOptions calling;
    calling.interceptors = {log};
    Open(calling);
  }

  LogRecorder lines_;
};

TEST_F(CallLogTest, WritesALineForEachCallOnEitherSide) {
  std::optional<ServerCall> open;
  service_.raw = [&](ServerCall call) { open.emplace(std::move(call)); };
  ServeAndOpenLogged();
  Call(Ask("secret"));
  Run();
  EXPECT_THAT(lines_.lines(), IsEmpty());
  world_.Advance(milliseconds(1500));
  Reply reply;
  open->Finish(absl::OkStatus(), &reply);
  Run();
  EXPECT_THAT(
      lines_.lines(),
      ElementsAre("info event=call side=server service=mqttrpc.test.Echo method=Echo caller=me status=OK ms=1500.000",
                  "info event=call side=client service=mqttrpc.test.Echo method=Echo target=dev-1 status=OK "
                  "ms=1500.000"));
}

TEST_F(CallLogTest, AFailureIsAWarningWithoutItsText) {
  service_.plain = [](ServerContext&, const Question&) { return absl::NotFoundError("no such \"thing\""); };
  ServeAndOpenLogged();
  Call(Ask("hi"));
  Run();
  EXPECT_THAT(
      lines_.lines(),
      ElementsAre(
          "warning event=call side=server service=mqttrpc.test.Echo method=Echo caller=me status=NOT_FOUND ms=0.000",
          "warning event=call side=client service=mqttrpc.test.Echo method=Echo target=dev-1 status=NOT_FOUND "
          "ms=0.000"));
}

TEST_F(CallLogTest, TextsAreWrittenWhereTheyAreWanted) {
  service_.plain = [](ServerContext&, const Question&) { return absl::NotFoundError("no such \"thing\"\n"); };
  CallLogOptions options;
  options.texts = true;
  ServeAndOpenLogged(options);
  Call(Ask("hi"));
  Run();
  ASSERT_EQ(lines_.lines().size(), 2u);
  EXPECT_THAT(lines_.lines()[0], testing::EndsWith("status=NOT_FOUND ms=0.000 text=\"no such \\\"thing\\\"\\n\""));
}

TEST_F(CallLogTest, ATargetThatIsNoneCannotForgeALine) {
  ServeAndOpenLogged();
  Call(Ask("hi"), CallOptions(), "x\nevent=call");
  Run();
  ASSERT_EQ(lines_.lines().size(), 1u);
  EXPECT_THAT(lines_.lines()[0], testing::HasSubstr(" target=\"x\\nevent=call\" status=INVALID_ARGUMENT"));
}

class PickySink final : public mqtt::LogSink {
 public:
  bool Wants(mqtt::LogLevel level) const override { return level == wanted; }
  void Write(mqtt::LogLevel level, std::string_view) override {
    EXPECT_EQ(level, wanted);
    ++lines;
  }
  mqtt::LogLevel wanted = mqtt::LogLevel::kWarning;
  int lines = 0;
};

TEST_F(CallLogTest, WritesWhatIsWantedOnly) {
  PickySink sink;
  ChannelOptions calling;
  calling.interceptors = {std::make_shared<CallLog>(sink)};
  Serve();
  Open(calling);
  Call(Ask("hi"));
  Run();
  EXPECT_EQ(sink.lines, 0);
  Call(Ask("hi"), CallOptions(), "nobody");
  Run();
  EXPECT_EQ(sink.lines, 1);
  sink.wanted = mqtt::LogLevel::kError;
  Call(Ask("hi"), CallOptions(), "nobody");
  Run();
  EXPECT_EQ(sink.lines, 1);
}

}  // namespace
}  // namespace mqttrpc
