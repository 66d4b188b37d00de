// A plain MQTT client that plays a caller, against a real server.
#include <asio/experimental/as_tuple.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "checksum.h"
#include "frame.h"
#include "hostile.h"

namespace mqttrpc {
namespace {

using test::DataOf;
using test::ItemOf;
using test::kStreams;
using test::milliseconds;
using test::seconds;
using test::UserProperties;
using test::UserProperty;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
namespace property = mqtt::property;

// Status codes as they travel.
constexpr char kCancelled[] = "1", kInvalid[] = "3", kExhausted[] = "8", kInternal[] = "13", kUnavailable[] = "14",
               kDataLoss[] = "15";

std::string Crc(std::string_view bytes) { return absl::StrFormat("%08x", Crc32c(bytes)); }

class HostileCallerTest : public test::HostileTest {
 protected:
  void ServeEve(ServerOptions options = ServerOptions()) {
    ServeBeside(std::move(options));
    eve_ = &Plain("eve", "rpc1/r/eve/+");
  }

  // A handler that reads nothing until it is cancelled.
  void DoNotRead() {
    streams_.sum = [this](ServerContext& context, ServerReader<Item>&) -> asio::awaitable<absl::StatusOr<Total>> {
      ++streams_.begun;
      asio::steady_timer timer(context.executor(), asio::steady_timer::time_point::max());
      auto token = asio::experimental::as_tuple(asio::use_awaitable);
      co_await timer.async_wait(token);
      ++streams_.ended;
      co_return absl::CancelledError("told to stop");
    };
  }

  mqtt::Message Opening(std::string_view method, std::string_view frame, std::string payload = "",
                        const UserProperties& more = {}) const {
    mqtt::Message message(
        absl::StrCat(std::string(kStreams.data()).insert(0, "rpc1/q/"), "/dev-1/", std::string(method), "/eve"),
        std::move(payload));
    message.properties.Set(property::kResponseTopic, "rpc1/r/eve/1");
    message.properties.Set(property::kCorrelationData, id_);
    if (!frame.empty()) test::AddUserProperty(message, "rpc-f", frame);
    for (const auto& [name, value] : more) test::AddUserProperty(message, name, value);
    return message;
  }
  mqtt::Message LaterFrame(std::string_view frame, std::string payload = "", const UserProperties& more = {},
                           std::string topic = "rpc1/u/dev-1/eve") const {
    mqtt::Message message(std::move(topic), std::move(payload));
    message.properties.Set(property::kResponseTopic, "rpc1/r/eve/1");
    message.properties.Set(property::kCorrelationData, id_);
    test::AddUserProperty(message, "rpc-f", frame);
    for (const auto& [name, value] : more) test::AddUserProperty(message, name, value);
    return message;
  }

  // Each call has an id of its own; what came for the last one is forgotten.
  void Begin(std::string_view method, std::string_view frame, std::string payload = "",
             const UserProperties& more = {}) {
    id_ = absl::StrCat("id-", ++calls_);
    inbox_.clear();
    Publish(*eve_, Opening(method, frame, std::move(payload), more));
  }
  void Say(std::string_view frame, std::string payload = "", const UserProperties& more = {}) {
    Publish(*eve_, LaterFrame(frame, std::move(payload), more));
  }

  std::vector<std::string> FramesHeard() const {
    std::vector<std::string> frames;
    for (const mqtt::Message& each : inbox_) frames.push_back(UserProperty(each, "rpc-f"));
    return frames;
  }
  bool Heard(std::string_view frame) const {
    const auto frames = FramesHeard();
    return std::find(frames.begin(), frames.end(), frame) != frames.end();
  }
  static std::string Told(const mqtt::Message& answer) {
    return absl::StrCat("rpc-f=", UserProperty(answer, "rpc-f"), " rpc-status=", UserProperty(answer, "rpc-status"),
                        " rpc-x=", UserProperty(answer, "rpc-x"), " rpc-msg=", UserProperty(answer, "rpc-msg"));
  }

  // The last thing that was heard is a plain answer of that status, and no handler of hers runs.
  void ExpectEnded(std::string_view status, std::string_view outcome, const std::string& text = "") {
    ASSERT_FALSE(inbox_.empty()) << "nothing was heard";
    const mqtt::Message& answer = inbox_.back();
    EXPECT_EQ(UserProperty(answer, "rpc-status"), status) << Told(answer);
    EXPECT_EQ(UserProperty(answer, "rpc-x"), outcome) << Told(answer);
    EXPECT_EQ(UserProperty(answer, "rpc-f"), "") << Told(answer);
    EXPECT_EQ(UserProperty(answer, "rpc-from"), "dev-1");
    EXPECT_EQ(answer.properties.Get(property::kCorrelationData), id_);
    EXPECT_THAT(UserProperty(answer, "rpc-msg"), HasSubstr(text));
    EXPECT_EQ(server_->running_calls(), 1u);
    EXPECT_EQ(server_->waiting_calls(), 0u);
    EXPECT_EQ(streams_.begun, streams_.ended + 1);
  }
  void ExpectBroken(std::string_view status, const std::string& text = "") { ExpectEnded(status, "p", text); }
  void ExpectRefused(std::string_view status, const std::string& text = "") {
    EXPECT_THAT(inbox_, SizeIs(1));
    ExpectEnded(status, "n", text);
  }

  std::string id_;
  int calls_ = 0;
  mqtt::Client* eve_ = nullptr;
};

// --- Opening frames

TEST_F(HostileCallerTest, FramesThatOpenNothingAreRefused) {
  ServeEve();
  for (const char* frame :
       {"z:1", "o:", "o:-1", "o:9007199254740993", "a:16", "m:0", "e:0", "c", "w:0:16", "p:0", "q:0"}) {
    Begin("Mirror", frame);
    ExpectRefused(kInvalid, "rpc-f");
  }
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, MalformedNumbersOfAnOpeningFrameAreRefused) {
  ServeEve();
  for (const char* name : {"rpc-len", "rpc-mps", "rpc-ack", "rpc-idle", "rpc-tmo"}) {
    for (const char* value : {"", "-1", "+1", " 1", "1 ", "0x10", "1.5", "many", "18446744073709551616"}) {
      Begin("Mirror", "o:16-", "", {{name, value}});
      ExpectRefused(kInvalid, name);
    }
  }
  for (const char* value : {"", "-1", "xyz", "123456789", "0x1f", "1f "}) {
    Begin("Mirror", "o:16", Bytes(ItemOf(0)), {{"rpc-crc", value}});
    ExpectRefused(kInvalid, "rpc-crc");
  }
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AnAbsurdNumberOfAnOpeningFrameIsRefused) {
  ServeEve();
  for (const char* name : {"rpc-len", "rpc-mps", "rpc-ack", "rpc-idle"}) {
    Begin("Echo", "o:16+", "x", {{name, "1152921504606846976"}});  // 2^60
    ExpectRefused(kInvalid, name);
  }
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AStreamThatIsOpenedWithoutAFrameIsRefused) {
  ServeEve();
  for (const char* method : {"Sum", "Mirror"}) {
    Begin(method, "", Bytes(ItemOf(0)));
    ExpectRefused(kInvalid, "open it with rpc-f o:");
  }
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AnOpeningFrameWithoutTheOneRequestIsRefused) {
  ServeEve();
  for (const char* method : {"Echo", "Count"}) {
    Begin(method, "o:16-");
    ExpectRefused(kInvalid, "takes one request");
  }
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AStreamThatCannotBeAnsweredIsNotBegun) {
  ServeEve();
  const int begun = streams_.begun;
  id_ = "id";
  mqtt::Message nowhere = Opening("Mirror", "o:16-");
  nowhere.properties.Remove(mqtt::PropertyId::kResponseTopic);
  Publish(*eve_, nowhere);
  EXPECT_THAT(inbox_, IsEmpty());
  mqtt::Message nameless = Opening("Mirror", "o:16-");
  nameless.properties.Remove(mqtt::PropertyId::kCorrelationData);
  Publish(*eve_, nameless);
  ASSERT_THAT(inbox_, SizeIs(1));
  EXPECT_EQ(UserProperty(inbox_[0], "rpc-status"), kInvalid);
  EXPECT_EQ(streams_.begun, begun);
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, MetadataOverTheBudgetIsRefused) {
  ServeEve();
  Begin("Mirror", "o:16-", "", UserProperties(200, {"k", "v"}));
  ExpectRefused(kInvalid, "metadata");
  Begin("Mirror", "o:16-", "", {{"k", std::string(40'000, 'x')}});
  ExpectRefused(kInvalid, "metadata");
  Begin("Mirror", "o:16-", "", {{"k-bin", "?"}});
  ExpectRefused(kInvalid, "k-bin");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, PropertiesOfOursThatNobodyKnowsArePassedOver) {
  ServeEve();
  Begin("Mirror", "o:16-", "",
        {{"rpc-future", "x"}, {"rpc-status", "9"}, {"rpc-from", "dev-1"}, {"rpc-to", "rpc1/u/a/b"}});
  EXPECT_EQ(FramesHeard(), std::vector<std::string>{"a:64"});
  Say("e:0");
  Say("w:1:16");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AForeignResponseTopicIsNeitherServedNorAnswered) {
  ServeEve();
  Plain("spy-me", "rpc1/r/me/other");
  const int begun = streams_.begun;
  id_ = "id";
  for (const char* topic : {"rpc1/r/me/other", "$SYS/r/eve/1", "rpc1/r/+/1", "rpc1/r/eve/#", "rpc1/q/eve/1", "eve"}) {
    mqtt::Message opening = Opening("Mirror", "o:16-");
    opening.properties.Set(property::kResponseTopic, topic);
    Publish(*eve_, opening);
    // Of a call that nobody knows: it is not said there either.
    mqtt::Message later = LaterFrame("m:0");
    later.properties.Set(property::kResponseTopic, topic);
    Publish(*eve_, later);
  }
  EXPECT_THAT(inbox_, IsEmpty());
  EXPECT_EQ(streams_.begun, begun);
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, RetainedFramesAreDropped) {
  ServeEve();
  const int begun = streams_.begun;
  id_ = "id";
  mqtt::Message opening = Opening("Mirror", "o:16-");
  opening.retain = true;
  Publish(*eve_, opening);
  mqtt::Message later = LaterFrame("m:0");
  later.retain = true;
  Publish(*eve_, later);
  EXPECT_EQ(streams_.begun, begun);
  EXPECT_THAT(inbox_, IsEmpty());
  ExpectNothingLeftBeside();
  // Those that the broker kept do not reach the next server either.
  server_.reset();
  device_ = &MakeClient("dev-1");
  const int begun_before = streams_.begun;
  ServeBeside();
  EXPECT_EQ(streams_.begun, begun_before + 2);  // The other stream, and a call.
  EXPECT_THAT(inbox_, IsEmpty());
}

TEST_F(HostileCallerTest, AnOpeningFrameAgainIsAcceptedAgainAndRunsOnce) {
  ServeEve();
  const int begun = streams_.begun;
  Begin("Mirror", "o:16-");
  for (int i = 0; i < 20; ++i) Publish(*eve_, Opening(i % 2 == 0 ? "Mirror" : "Sum", "o:16-"));
  EXPECT_EQ(streams_.begun, begun + 1);
  EXPECT_EQ(FramesHeard(), std::vector<std::string>(21, "a:64"));
  Say("c");
  ExpectBroken(kCancelled);
  ExpectNothingLeftBeside();
}

// --- Callers that know little

TEST_F(HostileCallerTest, APlainRequestOpensAStreamWithRoomForSixteenFrames) {
  ServeEve();
  Range range;
  range.set_end(20);
  Begin("Count", "", Bytes(range));
  ASSERT_THAT(inbox_, SizeIs(17));
  EXPECT_EQ(FramesHeard().front(), "a:65");
  EXPECT_EQ(UserProperty(inbox_.front(), "rpc-to"), "rpc1/u/dev-1/eve");
  EXPECT_EQ(FramesHeard().back(), "m:15");
  for (const mqtt::Message& each : inbox_) EXPECT_EQ(UserProperty(each, "rpc-from"), "dev-1");
  Say("w:16:32");
  EXPECT_EQ(FramesHeard().back(), "e:20");
  Say("w:21:37");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, ALargeReplyToAPlainRequestHasRoomForSixteenFrames) {
  ServeEve();
  const std::string request = Bytes(ItemOf(1, 20'000));
  Begin("Echo", "", request, {{"rpc-mps", "1024"}});
  std::string reply;
  std::uint64_t next = 0;
  for (int windows = 0; windows < 20; ++windows) {
    bool ended = false;
    for (const mqtt::Message& each : std::exchange(inbox_, {})) {
      const auto frame = ParseFrame(UserProperty(each, "rpc-f"));
      ASSERT_TRUE(frame.has_value()) << Told(each);
      if (frame->kind == Frame::Kind::kAccept) continue;
      EXPECT_EQ(frame->number, next);
      EXPECT_EQ(UserProperty(each, "rpc-len"), next == 0 ? absl::StrCat(request.size()) : "");
      ended = frame->kind == Frame::Kind::kEnd;
      EXPECT_EQ(UserProperty(each, "rpc-crc"), ended ? Crc(request) : "");
      reply += each.payload;
      ++next;
    }
    if (windows == 0) {
      EXPECT_EQ(next, 16u);
    }
    Say(absl::StrCat("w:", next, ":", next + 16));
    if (ended) break;
  }
  EXPECT_EQ(reply, request);
  ExpectNothingLeftBeside();
}

// --- Numbers of frames

TEST_F(HostileCallerTest, AFramePastTheLimitEndsItsCall) {
  ServeEve();
  Begin("Mirror", "o:16-");
  Say("m:64", Bytes(ItemOf(0)));
  ExpectBroken(kInternal, "frame 64 past its limit, 64");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AGapThatStaysIsAskedForAndGoesOn) {
  ServeEve();
  Begin("Mirror", "o:16-");
  Say("m:2", Bytes(ItemOf(2)));
  Say("m:1", Bytes(ItemOf(1)));
  world_.Advance(seconds(1));
  EXPECT_EQ(FramesHeard(), (std::vector<std::string>{"a:64", "w:0:64!"}));
  Say("m:0", Bytes(ItemOf(0)));
  EXPECT_EQ(FramesHeard(), (std::vector<std::string>{"a:64", "w:0:64!", "m:0", "m:1", "m:2"}));
  Say("e:3");
  EXPECT_EQ(FramesHeard().back(), "e:3");
  EXPECT_EQ(server_->waiting_calls(), 1u);
  Say("w:4:20");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AFloodPastTheWindowEndsItsCall) {
  ServeEve();
  DoNotRead();
  Begin("Sum", "o:16-");
  for (int i = 0; i < 100; ++i) eve_->Publish(LaterFrame(absl::StrCat("m:", i), "x"), [](const auto&) {});
  Run();
  ExpectBroken(kInternal, "frame 64 past its limit, 64");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AFrameOverOurLimitOfBytesEndsItsCall) {
  ServeEve();
  Begin("Mirror", "o:16-");
  Say("m:0", Bytes(ItemOf(0, 100'000)));  // The first one comes before anyone said how much.
  EXPECT_TRUE(Heard("m:0"));
  Say("m:1", Bytes(ItemOf(1, 100'000)));
  ExpectBroken(kInternal, "we take 16384");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AWindowForWhatWasNeverSentEndsItsCall) {
  ServeEve();
  Begin("Mirror", "o:16-");
  Say("w:5:21");
  ExpectBroken(kInternal, "acknowledges frame 5; 0 were sent");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AWindowThatShrinksEndsItsCall) {
  ServeEve();
  Range range;
  range.set_end(1'000);
  Begin("Count", "o:16", Bytes(range));
  Say("w:2:18");
  Say("w:3:17");
  ExpectBroken(kInternal, "window shrinks");
  Begin("Count", "o:16", Bytes(range));
  Say("w:4:3");
  ExpectBroken(kInternal, "below its next frame");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AnOldWindowIsPassedOver) {
  ServeEve();
  Range range;
  range.set_end(20);
  Begin("Count", "o:16", Bytes(range));
  Say("w:2:18");
  Say("w:0:16");
  Say("w:1:10");
  Say("w:2:18");
  Say("w:18:40");
  EXPECT_EQ(FramesHeard().back(), "e:20");
  Say("w:21:40");
  ExpectNothingLeftBeside();
}

// --- Fragments

TEST_F(HostileCallerTest, AMessageOverTheLimitEndsItsCall) {
  ServeEve();
  Begin("Echo", "o:16+", "x", {{"rpc-len", "5000000"}});
  ExpectEnded(kExhausted, "n", "we take 4194304");
  Begin("Mirror", "o:16-");
  Say("m:0+", "x", {{"rpc-len", "5000000"}});
  ExpectBroken(kExhausted, "we take 4194304");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, FragmentsWithoutALengthEndTheirCall) {
  ServeEve();
  Begin("Echo", "o:16+", "x");
  ExpectEnded(kInternal, "n", "rpc-len");
  Begin("Mirror", "o:16-");
  Say("m:0+", "x");
  ExpectBroken(kInternal, "rpc-len");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, FragmentsOverTheirLengthEndTheirCall) {
  ServeEve();
  Begin("Echo", "o:16+", std::string(100, 'x'), {{"rpc-len", "150"}});
  Say("m:1", std::string(100, 'x'), {{"rpc-crc", Crc(std::string(200, 'x'))}});
  ExpectEnded(kInternal, "n", "over 150 bytes");
  Begin("Mirror", "o:16-");
  Say("m:0+", std::string(100, 'x'), {{"rpc-len", "150"}});
  Say("m:1+", std::string(100, 'x'));
  ExpectBroken(kInternal, "over 150 bytes");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, FragmentsBelowTheirLengthEndTheirCall) {
  ServeEve();
  Begin("Echo", "o:16+", std::string(100, 'x'), {{"rpc-len", "300"}});
  Say("m:1", std::string(100, 'x'), {{"rpc-crc", Crc(std::string(200, 'x'))}});
  ExpectEnded(kInternal, "n", "their rpc-len is 300");
  Begin("Mirror", "o:16-");
  Say("m:0+", std::string(100, 'x'), {{"rpc-len", "300"}});
  Say("m:1", std::string(100, 'x'), {{"rpc-crc", Crc(std::string(200, 'x'))}});
  ExpectBroken(kInternal, "their rpc-len is 300");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AWrongChecksumIsDataLossOfItsCall) {
  ServeEve();
  const std::string bytes = Bytes(ItemOf(0, 200));
  const std::string length = absl::StrCat(bytes.size());
  Begin("Echo", "o:16+", bytes.substr(0, 100), {{"rpc-len", length}});
  Say("m:1", bytes.substr(100), {{"rpc-crc", Crc("something else")}});
  ExpectEnded(kDataLoss, "n", "CRC-32C");
  Begin("Mirror", "o:16-");
  Say("m:0+", bytes.substr(0, 100), {{"rpc-len", length}});
  Say("m:1", bytes.substr(100), {{"rpc-crc", Crc("something else")}});
  ExpectBroken(kDataLoss, "CRC-32C");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AMissingChecksumEndsItsCall) {
  ServeEve();
  const std::string bytes = Bytes(ItemOf(0, 200));
  Begin("Mirror", "o:16-");
  Say("m:0+", bytes.substr(0, 100), {{"rpc-len", absl::StrCat(bytes.size())}});
  Say("m:1", bytes.substr(100));
  ExpectBroken(kInternal, "rpc-crc");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, MalformedNumbersOfALaterFrameEndTheCall) {
  ServeEve();
  for (const char* value : {"", "-1", "many", "1152921504606846976"}) {
    Begin("Mirror", "o:16-");
    Say("m:0+", "x", {{"rpc-len", value}});
    ExpectBroken(kInvalid, "rpc-len");
  }
  for (const char* value : {"", "-1", "xyz", "123456789"}) {
    Begin("Mirror", "o:16-");
    Say("m:0", "x", {{"rpc-crc", value}});
    ExpectBroken(kInvalid, "rpc-crc");
  }
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AFragmentedRequestThatNeverEndsGoesWithItsDeadline) {
  ServeEve();
  Begin("Echo", "o:16+", "x", {{"rpc-len", "100"}, {"rpc-tmo", "3000"}});
  EXPECT_EQ(server_->waiting_calls(), 1u);
  world_.Advance(seconds(4));
  EXPECT_EQ(server_->waiting_calls(), 0u);
  EXPECT_EQ(FramesHeard(), std::vector<std::string>{"a:65"});  // Nothing is said after the deadline.
  ExpectNothingLeftBeside();
}

// --- Kinds of frames

TEST_F(HostileCallerTest, LaterFramesThatAreNoneEndTheCall) {
  ServeEve();
  for (const char* frame : {"z:1", "", "m:", "m:-1", "m:1++", "w:1", "e:1+", "hello"}) {
    Begin("Mirror", "o:16-");
    Say(frame);
    ExpectBroken(kInvalid, "rpc-f");
  }
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, FramesThatMeanNothingHereEndTheCall) {
  ServeEve();
  for (const char* frame : {"o:16", "a:16"}) {
    Begin("Mirror", "o:16-");
    Say(frame);
    ExpectBroken(kInternal, "means nothing");
  }
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, MessagesToAMethodWithOneRequestEndTheCall) {
  ServeEve();
  Range range;
  range.set_end(1'000);
  for (const char* frame : {"m:1", "m:5", "e:1", "m:1+"}) {
    Begin("Count", "o:16", Bytes(range));
    Say("m:0", "again");  // Of a caller that does not know that it was here.
    EXPECT_FALSE(Heard(""));
    Say(frame, "x");
    ExpectBroken(kInternal, "means nothing");
  }
  ExpectNothingLeftBeside();
}

// --- Messages

TEST_F(HostileCallerTest, AMessageThatDoesNotParseEndsItsCall) {
  ServeEve();
  Begin("Mirror", "o:16-");
  Say("m:0", "\xFF\xFF\xFF");
  ExpectBroken(kInvalid);
  Begin("Mirror", "o:16", "\xFF\xFF\xFF");
  ExpectBroken(kInvalid);
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, BadJsonEndsItsCallAndNamesTheField) {
  ServeEve();
  id_ = "json";
  mqtt::Message opening = Opening("Mirror", "o:16-");
  opening.properties.Set(property::kContentType, "application/json");
  Publish(*eve_, opening);
  Say("m:0", R"({"number":"1"})");
  EXPECT_EQ(inbox_.back().payload, R"({"number":"1"})");
  Say("m:1", R"({"brightness":4})");
  ExpectBroken(kInvalid, "brightness");
  EXPECT_EQ(inbox_.back().properties.Get(property::kContentType), "application/json");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, ReplyMetadataThatCannotTravelIsInternal) {
  streams_.count = [this](ServerContext& context, const Range&,
                          ServerWriter<Item>& writer) -> asio::awaitable<absl::Status> {
    ++streams_.begun;
    context.reply_metadata().Add("rpc-status", "0");
    const Item item = ItemOf(0);
    const bool written = co_await writer.Write(item);
    EXPECT_FALSE(written);
    ++streams_.ended;
    co_return absl::OkStatus();
  };
  ServeEve();
  Begin("Count", "o:16", Bytes(Range()));
  ExpectBroken(kInternal, "rpc-");
  ExpectNothingLeftBeside();
}

// --- Whose call it is

TEST_F(HostileCallerTest, AFrameOfACallThatNobodyKnowsIsUnavailable) {
  ServeEve();
  id_ = "nobody's";
  for (const char* frame : {"m:0", "e:3", "p:1", "w:0:16!"}) {
    inbox_.clear();
    Say(frame);
    ExpectBroken(kUnavailable, "does not know this call");
  }
  inbox_.clear();
  Say("c");
  mqtt::Message unanswerable = LaterFrame("m:0");
  unanswerable.properties.Remove(mqtt::PropertyId::kResponseTopic);
  Publish(*eve_, unanswerable);
  mqtt::Message nameless = LaterFrame("m:0");
  nameless.properties.Remove(mqtt::PropertyId::kCorrelationData);
  Publish(*eve_, nameless);
  EXPECT_THAT(inbox_, IsEmpty());
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AnotherCallersFramesDoNotReachTheCall) {
  ServeEve();
  Begin("Mirror", "o:16-");
  mqtt::Client& mallory = Plain("mallory", "rpc1/r/mallory/+");
  inbox_.clear();
  for (const char* frame : {"m:0", "e:0", "w:5:99", "c", "z"}) {
    mqtt::Message message = LaterFrame(frame, "", {}, "rpc1/u/dev-1/mallory");
    message.properties.Set(property::kResponseTopic, "rpc1/r/mallory/1");
    Publish(mallory, message);
  }
  for (const mqtt::Message& each : inbox_) EXPECT_EQ(each.topic_name, "rpc1/r/mallory/1");
  EXPECT_EQ(server_->running_calls(), 2u);
  Say("m:0", Bytes(ItemOf(0)));
  EXPECT_TRUE(Heard("m:0"));
  Say("c");
  ExpectBroken(kCancelled);
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AFrameForAnotherInstanceDoesNotReachTheCall) {
  ServeEve();
  Begin("Mirror", "o:16-");
  inbox_.clear();
  for (const char* topic : {"rpc1/u/dev-2/eve", "rpc1/u/dev-1/eve/more", "rpc1/u/dev-1", "rpc2/u/dev-1/eve"}) {
    Publish(*eve_, LaterFrame("c", "", {}, topic));
  }
  EXPECT_THAT(inbox_, IsEmpty());
  EXPECT_EQ(server_->running_calls(), 2u);
  Say("c");
  ExpectBroken(kCancelled);
  ExpectNothingLeftBeside();
}

// --- The end

TEST_F(HostileCallerTest, AFrameAfterTheEndEndsItsCall) {
  ServeEve();
  DoNotRead();
  Begin("Sum", "o:16-");
  Say("m:0", "x");
  Say("e:1");
  Say("m:0", "again");
  EXPECT_FALSE(Heard(""));
  Say("m:1", "x");
  ExpectBroken(kInternal, "after its end");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AnotherEndEndsItsCall) {
  ServeEve();
  DoNotRead();
  for (const char* end : {"e:2", "e:99"}) {
    Begin("Sum", "o:16-");
    Say("m:0", "x");
    Say("e:1");
    Say("e:1");
    EXPECT_FALSE(Heard(""));
    Say(end);
    ExpectBroken(kInternal, "the peer ended at");
  }
  Begin("Sum", "o:16-");
  Say("m:0", "x");
  Say("e:0");
  ExpectBroken(kInternal, "the peer ended at 0");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, FramesAfterTheAnswerGetTheAnswerAgain) {
  ServeEve();
  Begin("Sum", "o:16-", "", {{"rpc-tmo", "60000"}});
  Say("e:0");
  ASSERT_FALSE(inbox_.empty());
  EXPECT_EQ(UserProperty(inbox_.back(), "rpc-f"), "");
  const std::string payload = inbox_.back().payload;
  inbox_.clear();
  Say("m:0", "x");
  Say("p:1");
  ASSERT_THAT(inbox_, SizeIs(2));
  for (const mqtt::Message& each : inbox_) EXPECT_EQ(each.payload, payload);
  Say("w:0:16");
  Say("c");
  EXPECT_THAT(inbox_, SizeIs(2));
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AnEndThatIsNeverConfirmedIsForgotten) {
  ServeEve();
  Range range;
  range.set_end(3);
  Begin("Count", "o:16", Bytes(range));
  EXPECT_EQ(FramesHeard().back(), "e:3");
  EXPECT_EQ(server_->waiting_calls(), 1u);
  Say("m:7", "nobody reads");
  Say("e:9");
  EXPECT_EQ(FramesHeard().back(), "e:3");
  world_.Advance(seconds(31));
  EXPECT_EQ(server_->waiting_calls(), 0u);
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, ACallerThatIsSilentAfterItPromisedPingsIsGone) {
  ServeEve();
  Begin("Mirror", "o:16-", "", {{"rpc-idle", "1"}});  // At least 100 ms are given.
  world_.Advance(milliseconds(299));
  EXPECT_EQ(server_->running_calls(), 2u);
  world_.Advance(milliseconds(1));
  ExpectBroken(kUnavailable, "caller eve: nothing was heard");
  ExpectNothingLeftBeside();
}

// The handler waits in Write() meanwhile.
TEST_F(HostileCallerTest, AHandlerThatWritesToNobodyEndsAtTheDeadline) {
  ServeEve();
  Range range;
  range.set_end(1'000);
  Begin("Count", "o:16", Bytes(range), {{"rpc-tmo", "3000"}});
  EXPECT_EQ(server_->running_calls(), 2u);
  world_.Advance(seconds(4));
  EXPECT_EQ(server_->running_calls(), 1u);
  EXPECT_EQ(streams_.begun, streams_.ended + 1);
  Say("c");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AnAnswerThatNoPacketOfTheCallersHoldsIsAnError) {
  ServeEve();
  Begin("Echo", "", Bytes(ItemOf(1, 10)), {{"rpc-mps", "1"}});
  ASSERT_FALSE(inbox_.empty());
  EXPECT_EQ(UserProperty(inbox_.back(), "rpc-status"), kExhausted);
  EXPECT_EQ(UserProperty(inbox_.back(), "rpc-x"), "y");
  ExpectNothingLeftBeside();
}

// --- Memory

ServerOptions WaitingBytes(std::size_t bytes) {
  ServerOptions options;
  options.maximum_waiting_bytes = bytes;
  return options;
}

TEST_F(HostileCallerTest, MoreThanMayWaitEndsTheCallThatBringsIt) {
  ServeEve(WaitingBytes(10'000));
  DoNotRead();
  Begin("Sum", "o:16-");
  Say("m:0", std::string(4'000, 'x'));
  Say("m:1", std::string(4'000, 'x'));
  EXPECT_FALSE(Heard(""));
  ExpectOthersGoOn();
  Say("m:2", std::string(4'000, 'x'));
  ExpectBroken(kExhausted, "it takes 10000");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, OpeningFramesCountAsWaitingToo) {
  ServeEve(WaitingBytes(10'000));
  for (int i = 0; i < 2; ++i) {
    Begin("Echo", "o:16+", std::string(4'000, 'x'), {{"rpc-len", "100000"}, {"rpc-tmo", "3000"}});
    EXPECT_EQ(FramesHeard(), std::vector<std::string>{"a:65"});
  }
  Begin("Echo", "o:16+", std::string(4'000, 'x'), {{"rpc-len", "100000"}, {"rpc-tmo", "3000"}});
  ASSERT_FALSE(inbox_.empty());
  EXPECT_EQ(UserProperty(inbox_.back(), "rpc-status"), kExhausted) << Told(inbox_.back());
  EXPECT_EQ(UserProperty(inbox_.back(), "rpc-x"), "n");
  EXPECT_EQ(server_->waiting_calls(), 2u);
  world_.Advance(seconds(4));
  ExpectNothingLeftBeside();
}

// Of each kind of end, many times more than may wait at a time.
class HostileMemoryTest : public HostileCallerTest {
 protected:
  template <typename Act>
  void ManyTimes(Act act) {
    ServeEve(WaitingBytes(10'000));
    DoNotRead();
    for (int i = 0; i < 10; ++i) {
      act();
      ASSERT_NO_FATAL_FAILURE(ExpectOthersGoOn()) << i;
    }
    ExpectNothingLeftBeside();
  }
};

TEST_F(HostileMemoryTest, WhatWaitedIsGivenBackWhenItIsCancelled) {
  ManyTimes([&] {
    Begin("Sum", "o:16-");
    Say("m:0", std::string(5'000, 'x'));
    Say("c");
    ExpectBroken(kCancelled);
  });
}

TEST_F(HostileMemoryTest, WhatWaitedBehindAGapIsGivenBack) {
  ManyTimes([&] {
    Begin("Sum", "o:16-");
    Say("m:1", std::string(5'000, 'x'));
    Say("c");
    ExpectBroken(kCancelled);
  });
}

TEST_F(HostileMemoryTest, HalfARequestIsGivenBack) {
  ManyTimes([&] {
    Begin("Echo", "o:16+", std::string(5'000, 'x'), {{"rpc-len", "100000"}});
    Say("c");
    ExpectBroken(kCancelled);
  });
}

TEST_F(HostileMemoryTest, AMessageWithAWrongChecksumIsGivenBack) {
  ManyTimes([&] {
    Begin("Echo", "o:16+", std::string(2'000, 'x'), {{"rpc-len", "4000"}});
    Say("m:1", std::string(2'000, 'x'), {{"rpc-crc", "0"}});
    ExpectEnded(kDataLoss, "n");
  });
}

TEST_F(HostileMemoryTest, FragmentsBelowTheirLengthAreGivenBack) {
  ManyTimes([&] {
    Begin("Echo", "o:16+", std::string(2'000, 'x'), {{"rpc-len", "5000"}});
    Say("m:1", std::string(2'000, 'x'), {{"rpc-crc", "0"}});
    ExpectEnded(kInternal, "n");
  });
}

TEST_F(HostileMemoryTest, WhatAnEndByItselfCarriesIsGivenBack) {
  ManyTimes([&] {
    Begin("Sum", "o:16-");
    Say("e:0", std::string(5'000, 'x'));
    Say("c");
    ExpectBroken(kCancelled);
  });
}

TEST_F(HostileMemoryTest, WhatWaitedIsGivenBackWhenTheHandlerEnds) {
  ManyTimes([&] {
    streams_.sum = [this](ServerContext&, ServerReader<Item>&) -> asio::awaitable<absl::StatusOr<Total>> {
      ++streams_.begun, ++streams_.ended;
      co_return Total();
    };
    Begin("Sum", "o:16", std::string(5'000, 'x'));
    EXPECT_TRUE(Heard(""));
  });
}

TEST_F(HostileCallerTest, CallsThatWaitForTheirRequestAreWithinTheMaximum) {
  ServerOptions options;
  options.maximum_calls = 5;
  ServeEve(options);
  for (int i = 0; i < 4; ++i) Begin("Echo", "o:16+", "x", {{"rpc-len", "100"}, {"rpc-tmo", "3000"}});
  EXPECT_EQ(server_->waiting_calls(), 4u);
  Begin("Echo", "o:16+", "x", {{"rpc-len", "100"}, {"rpc-tmo", "3000"}});
  ASSERT_THAT(inbox_, SizeIs(1));
  EXPECT_EQ(UserProperty(inbox_[0], "rpc-status"), kExhausted);
  EXPECT_EQ(UserProperty(inbox_[0], "rpc-x"), "n");
  EXPECT_EQ(UserProperty(inbox_[0], "rpc-retry"), "100");
  world_.Advance(seconds(4));
  ExpectNothingLeftBeside();
}

}  // namespace
}  // namespace mqttrpc
