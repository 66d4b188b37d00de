// What a responder sends in the middle of a call that it must not.
#include <absl/strings/str_cat.h>

#include "hostile_responder.h"

namespace mqttrpc {
namespace {

using test::Crc;
using test::HostileResponderTest;
using test::ItemOf;
using test::seconds;
using test::UserProperties;
using testing::HasSubstr;

// --- Numbers of frames

TEST_F(HostileResponderTest, AFramePastTheLimitEndsTheCall) {
  ServeMallory();
  Reader reader = BeginCount();
  Say("m:64");
  ExpectInternal(reader, "frame 64 past its limit, 64");
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, AFloodPastTheWindowEndsTheCall) {
  ServeMallory();
  Reader reader = BeginCount();
  for (int i = 0; i < 100; ++i) mallory_->Publish(Answer(absl::StrCat("m:", i)), [](const auto&) {});
  Run();
  ExpectInternal(reader, "frame 64 past its limit, 64");
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, AGapThatStaysIsAskedForAndGoesOn) {
  ServeMallory();
  Reader reader = BeginCount();
  Say("e:2");
  Say("m:1", Bytes(ItemOf(1)));
  world_.Advance(seconds(1));
  EXPECT_EQ(FramesHeard(), std::vector<std::string>{"w:0:64!"});
  Say("m:0", Bytes(ItemOf(0)));
  EXPECT_EQ(ReadOne(reader)->number(), 0);
  EXPECT_EQ(ReadOne(reader)->number(), 1);
  EXPECT_TRUE(world_.Run(reader.Finish()).ok());
  EXPECT_EQ(FramesHeard().back(), "w:3:64");  // Confirms the end.
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, AFrameOverOurLimitOfBytesEndsTheCall) {
  ServeMallory();
  Reader reader = BeginCount();
  Say("m:0", Bytes(ItemOf(0, 100'000)));  // The first one is taken whatever it has.
  EXPECT_TRUE(ReadOne(reader).has_value());
  Say("m:1", Bytes(ItemOf(1, 100'000)));
  ExpectInternal(reader, "we take 65536");
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, AWindowForWhatWasNeverSentEndsTheCall) {
  ServeMallory();
  auto stream = victim_->Mirror();
  Accept();
  Say("w:5:21");
  ExpectBroken(stream, absl::StatusCode::kInternal, "acknowledges frame 5; 0 were sent");
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, AWindowThatShrinksEndsTheCall) {
  ServeMallory();
  auto stream = victim_->Mirror();
  Accept();
  for (int i = 0; i < 4; ++i) stream.Write(ItemOf(i), [](bool) {});
  Run();
  Say("w:2:18");
  Say("w:3:17");
  ExpectBroken(stream, absl::StatusCode::kInternal, "window shrinks");
  ExpectNothingLeftBeside();
}

// --- Fragments

TEST_F(HostileResponderTest, AMessageOverTheLimitEndsTheCall) {
  ServeMallory();
  Reader reader = BeginCount();
  reader.Read([](const std::optional<Item>& item) { EXPECT_FALSE(item.has_value()); });
  Say("m:0+", "x", {{"rpc-len", "5000000"}});
  ExpectBroken(reader, absl::StatusCode::kResourceExhausted, "we take 4194304");
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, MalformedNumbersOfAFragmentEndTheCall) {
  ServeMallory();
  for (const char* value : {"", "-1", "many", "1152921504606846976"}) {
    Reader reader = BeginCount();
    Say("m:0+", "x", {{"rpc-len", value}});
    ExpectInternal(reader, "rpc-len");
  }
  for (const char* value : {"", "-1", "xyz", "123456789"}) {
    Reader reader = BeginCount();
    Say("m:0", "x", {{"rpc-crc", value}});
    ExpectInternal(reader, "rpc-crc");
  }
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, WrongFragmentsEndTheCall) {
  ServeMallory();
  struct Row {
    const char* length;
    std::string checksum;
    absl::StatusCode code;
    const char* text;
  };
  const Row rows[] = {
      {"150", Crc(std::string(200, 'x')), absl::StatusCode::kInternal, "over 150 bytes"},
      {"300", Crc(std::string(200, 'x')), absl::StatusCode::kInternal, "their rpc-len is 300"},
      {"200", Crc("something else"), absl::StatusCode::kDataLoss, "CRC-32C"},
      {"200", "", absl::StatusCode::kInternal, "no rpc-crc"},
      {"", Crc(std::string(200, 'x')), absl::StatusCode::kInternal, "no rpc-len"},
  };
  for (const Row& row : rows) {
    const UserProperties first = *row.length == 0 ? UserProperties{} : UserProperties{{"rpc-len", row.length}};
    const UserProperties last = row.checksum.empty() ? UserProperties{} : UserProperties{{"rpc-crc", row.checksum}};
    Reader reader = BeginCount();
    reader.Read([](const std::optional<Item>& item) { EXPECT_FALSE(item.has_value()); });
    Say("m:0+", std::string(100, 'x'), first);
    Say("m:1", std::string(100, 'x'), last);
    ExpectBroken(reader, row.code, row.text);
    // The one reply of a call, whose last fragment travels in the end.
    const auto echo = std::make_shared<std::optional<absl::StatusOr<Item>>>();
    victim_->Echo(ItemOf(0), CallOptions(), [echo](absl::StatusOr<Item> reply) { echo->emplace(std::move(reply)); });
    Accept();
    Say("m:0+", std::string(100, 'x'), first);
    Say("e:1", std::string(100, 'x'), last);
    ASSERT_TRUE(echo->has_value()) << row.text;
    ExpectEnded((*echo)->status(), row.code, row.text);
  }
  ExpectNothingLeftBeside();
}

// --- Kinds of frames

TEST_F(HostileResponderTest, FramesThatAreNoneEndTheCall) {
  ServeMallory();
  for (const char* frame : {"z:1", "m:", "m:-1", "m:1++", "w:1", "e:1+", "hello", "m:9007199254740993"}) {
    Reader reader = BeginCount();
    Say(frame);
    ExpectInternal(reader, "is no frame");
  }
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, FramesThatMeanNothingToACallerEndTheCall) {
  ServeMallory();
  for (const char* frame : {"o:16", "o:16-", "c"}) {
    Reader reader = BeginCount();
    Say(frame);
    ExpectInternal(reader, "means nothing");
  }
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, APlainReplyToACallWhoseRepliesStreamIsInternal) {
  ServeMallory();
  Reader reader = BeginCount();
  Say("", Bytes(ItemOf(0)));
  const absl::Status status = world_.Run(reader.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  EXPECT_THAT(status.message(), HasSubstr("plain reply"));
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, APlainErrorEndsAnyCall) {
  ServeMallory();
  Reader reader = BeginCount();
  Say("m:0", Bytes(ItemOf(0)));
  Say("", "", {{"rpc-status", "5"}, {"rpc-msg", "gone"}, {"rpc-x", "y"}});
  const absl::Status status = world_.Run(reader.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
  EXPECT_TRUE(IsRemote(status));
  EXPECT_EQ(OutcomeOf(status), Outcome::kExecuted);
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, AReplyBeforeTheEndIsInternal) {
  ServeMallory();
  const auto echo = std::make_shared<std::optional<absl::StatusOr<Item>>>();
  victim_->Echo(ItemOf(0), CallOptions(), [echo](absl::StatusOr<Item> reply) { echo->emplace(std::move(reply)); });
  Accept();
  Say("m:0", Bytes(ItemOf(0)));
  ASSERT_TRUE(echo->has_value());
  ExpectEnded((*echo)->status(), absl::StatusCode::kInternal, "before the end");
  ExpectNothingLeftBeside();
}

// --- Messages

TEST_F(HostileResponderTest, AMessageThatDoesNotParseEndsTheCall) {
  ServeMallory();
  Reader reader = BeginCount();
  reader.Read([](const std::optional<Item>& item) { EXPECT_FALSE(item.has_value()); });
  Say("m:0", "\xFF\xFF\xFF");
  ExpectInternal(reader, "does not parse");
  ExpectNothingLeftBeside();
}

// Whoever reads late must hear of it too, though the end says OK.
TEST_F(HostileResponderTest, AMessageThatDoesNotParseIsNotTheEndOfAGoodStream) {
  ServeMallory();
  Reader reader = BeginCount();
  Say("m:0", Bytes(ItemOf(0)));
  Say("m:1", "\xFF\xFF\xFF");
  Say("e:2");
  EXPECT_TRUE(ReadOne(reader).has_value());
  EXPECT_FALSE(ReadOne(reader).has_value());
  const absl::Status status = world_.Run(reader.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, AWrongChecksumIsNotTheEndOfAGoodStream) {
  ServeMallory();
  Reader reader = BeginCount();
  const std::string bytes = Bytes(ItemOf(0, 200));
  Say("m:0+", bytes.substr(0, 100), {{"rpc-len", absl::StrCat(bytes.size())}});
  Say("m:1", bytes.substr(100), {{"rpc-crc", "0"}});
  Say("e:2");
  EXPECT_FALSE(ReadOne(reader).has_value());
  const absl::Status status = world_.Run(reader.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, BadJsonEndsTheCall) {
  ServeMallory();
  CallOptions options;
  options.content_type = ContentType::kJson;
  Reader reader = victim_->Count(Range(), options);
  Accept();
  reader.Read([](const std::optional<Item>& item) { EXPECT_FALSE(item.has_value()); });
  Say("m:0", R"({"brightness":4})");
  ExpectInternal(reader, "brightness");
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, MetadataOverTheBudgetIsInternal) {
  ServeMallory();
  Reader reader = BeginCount();
  Say("e:0", "", UserProperties(200, {"k", "v"}));
  const absl::Status status = world_.Run(reader.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  EXPECT_THAT(status.message(), HasSubstr("metadata"));
  Reader other = BeginCount();
  Say("m:0", Bytes(ItemOf(0)), {{"k", std::string(40'000, 'x')}});
  ExpectInternal(other, "metadata");
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, AStatusThatIsNoneIsInternal) {
  ServeMallory();
  for (const char* value : {"17", "-1", "", "x"}) {
    Reader reader = BeginCount();
    Say("e:0", "", {{"rpc-status", value}});
    const absl::Status status = world_.Run(reader.Finish());
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  }
  ExpectNothingLeftBeside();
}

}  // namespace
}  // namespace mqttrpc
