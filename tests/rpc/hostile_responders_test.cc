// A plain MQTT client that plays a responder, against a real channel.
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "checksum.h"
#include "hostile.h"

namespace mqttrpc {
namespace {

using test::ItemOf;
using test::milliseconds;
using test::seconds;
using test::UserProperties;
using test::UserProperty;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
namespace property = mqtt::property;

std::string Crc(std::string_view bytes) { return absl::StrFormat("%08x", Crc32c(bytes)); }

class HostileResponderTest : public test::HostileTest {
 protected:
  using Reader = ClientReader<Item>;

  // Mallory is device "dev-9", and takes calls for any member of the pool too.
  void ServeMallory(ChannelOptions options = ChannelOptions()) {
    ServerOptions server;
    server.join_pool = false;
    ServeBeside(server, std::move(options));
    mallory_ = &Plain("dev-9", "rpc1/q/+/dev-9/+/+");
    for (const char* topic_filter : {"rpc1/u/dev-9/+", "rpc1/q/+/_/+/+", "rpc1/u/dev-8/+"}) {
      mallory_->Subscribe(
          mqtt::Subscription(topic_filter),
          [this](const mqtt::MessageView& message) { inbox_.push_back(message.ToMessage()); },
          [](const absl::StatusOr<mqtt::ReasonCode>& code) { ASSERT_TRUE(code.ok()); });
    }
    Run();
    victim_.emplace(*channel_, "dev-9");
    pool_.emplace(*channel_, kAnyInstance);
  }

  // Her answer to the last opening frame.
  mqtt::Message Answer(std::string_view frame, std::string payload = "", const UserProperties& more = {},
                       std::string_view from = "dev-9") const {
    mqtt::Message message(std::string(*opening_.properties.Get(property::kResponseTopic)), std::move(payload));
    message.properties.Set(property::kCorrelationData, *opening_.properties.Get(property::kCorrelationData));
    message.properties.Set(property::kContentType, "application/protobuf");
    if (!frame.empty()) test::AddUserProperty(message, "rpc-f", frame);
    if (!from.empty()) test::AddUserProperty(message, "rpc-from", from);
    for (const auto& [name, value] : more) test::AddUserProperty(message, name, value);
    return message;
  }
  void Say(std::string_view frame, std::string payload = "", const UserProperties& more = {},
           std::string_view from = "dev-9") {
    Publish(*mallory_, Answer(frame, std::move(payload), more, from));
  }
  void TakeOpening() {
    Run();
    ASSERT_FALSE(inbox_.empty());
    opening_ = inbox_.back();
    inbox_.clear();
  }
  void Accept() {
    TakeOpening();
    Say("a:16", "", {{"rpc-to", "rpc1/u/dev-9/me"}, {"rpc-mps", "16384"}});
    inbox_.clear();
  }
  Reader BeginCount() {
    Range range;
    range.set_end(10);
    Reader reader = victim_->Count(range);
    Accept();
    return reader;
  }

  std::vector<std::string> FramesHeard() const {
    std::vector<std::string> frames;
    for (const mqtt::Message& each : inbox_) frames.push_back(UserProperty(each, "rpc-f"));
    return frames;
  }

  // The call has ended by itself, without waiting for anything, and the responder is told.
  void ExpectEnded(const absl::Status& status, absl::StatusCode code, const std::string& text) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(OutcomeOf(status), Outcome::kPerhaps) << status;
    EXPECT_FALSE(IsRemote(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
    EXPECT_EQ(channel_->calls_under_way(), 1u);
    Run();
    ASSERT_FALSE(inbox_.empty()) << "the responder was not told";
    EXPECT_EQ(UserProperty(inbox_.back(), "rpc-f"), "c");
    EXPECT_EQ(inbox_.back().properties.Get(property::kCorrelationData),
              opening_.properties.Get(property::kCorrelationData));
  }
  template <typename Stream>
  void ExpectBroken(Stream& stream, absl::StatusCode code, const std::string& text = "") {
    EXPECT_EQ(channel_->calls_under_way(), 1u) << "it goes on";
    ExpectEnded(world_.Run(stream.Finish()), code, text);
  }
  void ExpectInternal(Reader& reader, const std::string& text = "") {
    ExpectBroken(reader, absl::StatusCode::kInternal, text);
  }
  std::optional<Item> ReadOne(Reader& reader) {
    std::optional<std::optional<Item>> read;
    reader.Read([&](std::optional<Item> item) { read.emplace(std::move(item)); });
    Run();
    EXPECT_TRUE(read.has_value()) << "nothing is read";
    return read.value_or(std::nullopt);
  }

  mqtt::Client* mallory_ = nullptr;
  mqtt::Message opening_;
  std::optional<test::streams::StreamsStub> victim_, pool_;
};

// --- Accepting

TEST_F(HostileResponderTest, AForeignTopicForLaterFramesEndsTheCall) {
  ServeMallory();
  for (const char* topic : {"", "rpc1/u/dev-9/you", "rpc1/u/+/me", "rpc1/u/dev-9/#", "$SYS/broker/x", "rpc1/r/dev-9/me",
                            "rpc1/u/dev-1/me", "home/lamp", "rpc1/u/dev-9/me/more", "rpc1/u//me"}) {
    Reader reader = victim_->Count(Range());
    TakeOpening();
    Say("a:16", "", {{"rpc-to", topic}});
    ExpectInternal(reader, "rpc-to");
    EXPECT_EQ(inbox_.back().topic_name, "rpc1/q/mqttrpc.test.streams.Streams/dev-9/-cancel/me");
  }
  ExpectNothingLeftBeside();
}

// Only the instance is taken from it: a bridge may have put levels in front.
TEST_F(HostileResponderTest, ATopicInAnotherNameSpaceIsReadAsOurs) {
  ServeMallory();
  auto stream = victim_->Mirror();
  TakeOpening();
  Say("a:16", "", {{"rpc-to", "elsewhere/rpc1/u/dev-9/me"}});
  stream.Write(ItemOf(0), [](bool) {});
  Run();
  ASSERT_THAT(inbox_, SizeIs(1));
  EXPECT_EQ(inbox_[0].topic_name, "rpc1/u/dev-9/me");
  stream.Cancel();
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, AnAcceptThatMovesTheCallElsewhereEndsIt) {
  ServeMallory();
  Reader reader = BeginCount();
  Say("a:16", "", {{"rpc-to", "rpc1/u/dev-8/me"}});
  ExpectInternal(reader, "rpc-to");
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, MalformedNumbersOfAnAcceptEndTheCall) {
  ServeMallory();
  for (const char* value : {"", "-1", "many", "1152921504606846976"}) {
    Reader reader = victim_->Count(Range());
    TakeOpening();
    Say("a:16", "", {{"rpc-to", "rpc1/u/dev-9/me"}, {"rpc-mps", value}});
    ExpectInternal(reader, "rpc-mps");
  }
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, AResponderOfAPoolThatDoesNotSayWhoItIsEndsTheCall) {
  ServeMallory();
  auto stream = pool_->Mirror();
  TakeOpening();
  Say("m:0", Bytes(ItemOf(0)), {}, "");
  ExpectBroken(stream, absl::StatusCode::kInternal, "does not say who it is");
  EXPECT_EQ(inbox_.back().topic_name, "rpc1/q/mqttrpc.test.streams.Streams/_/-cancel/me");
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, OfTwoRespondersTheFirstServesAndTheOtherIsToldToStop) {
  ServeMallory();
  auto stream = pool_->Mirror();
  TakeOpening();
  Say("a:16", "", {{"rpc-to", "rpc1/u/dev-9/me"}});
  Say("a:16", "", {{"rpc-to", "rpc1/u/dev-8/me"}}, "dev-8");
  ASSERT_THAT(inbox_, SizeIs(1));
  EXPECT_EQ(inbox_[0].topic_name, "rpc1/u/dev-8/me");
  EXPECT_EQ(UserProperty(inbox_[0], "rpc-f"), "c");
  Say("m:0", Bytes(ItemOf(8)), {}, "dev-8");
  Say("e:0", "", {{"rpc-status", "5"}}, "dev-8");
  Say("m:0", Bytes(ItemOf(9)));
  Say("e:1");
  std::optional<Item> item;
  stream.Read([&](std::optional<Item> read) { item = std::move(read); });
  Run();
  ASSERT_TRUE(item.has_value());
  EXPECT_EQ(item->number(), 9);
  EXPECT_TRUE(world_.Run(stream.Finish()).ok());
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, FramesOfAnotherInstanceAreDropped) {
  ServeMallory();
  Reader reader = BeginCount();
  for (const char* frame : {"m:0", "e:0", "w:9:9", "z", "c"}) Say(frame, "x", {}, "dev-7");
  EXPECT_EQ(channel_->calls_under_way(), 2u);
  Say("m:0", Bytes(ItemOf(0)));
  EXPECT_TRUE(ReadOne(reader).has_value());
  Say("e:1");
  EXPECT_TRUE(world_.Run(reader.Finish()).ok());
  ExpectNothingLeftBeside();
}

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
  Say("m:0", Bytes(ItemOf(0, 20'000)));  // The first one is taken whatever it has.
  EXPECT_TRUE(ReadOne(reader).has_value());
  Say("m:1", Bytes(ItemOf(1, 20'000)));
  ExpectInternal(reader, "we take 16384");
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

// --- The end

TEST_F(HostileResponderTest, AFrameAfterTheEndEndsTheCall) {
  ServeMallory();
  Reader reader = BeginCount();
  Say("e:2");
  Say("e:2");
  EXPECT_EQ(channel_->calls_under_way(), 2u);
  Say("m:2");
  ExpectInternal(reader, "after its end");
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, AnEndThatContradictsWhatCameEndsTheCall) {
  ServeMallory();
  for (const char* end : {"e:0", "e:66"}) {
    Reader reader = BeginCount();
    Say("m:0", Bytes(ItemOf(0)));
    Say(end);
    ExpectInternal(reader, "the peer ended at");
  }
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, WhoIsAtWorkForACallThatIsOverIsToldToStop) {
  ServeMallory();
  Reader reader = BeginCount();
  Say("e:0");
  EXPECT_TRUE(world_.Run(reader.Finish()).ok());
  inbox_.clear();
  Say("m:0");
  Say("q:1");
  Say("e:0");
  EXPECT_THAT(inbox_, IsEmpty());
  Say("a:16", "", {{"rpc-to", "rpc1/u/dev-9/me"}});
  Say("w:0:16!");
  EXPECT_EQ(FramesHeard(), (std::vector<std::string>{"c", "c"}));
  EXPECT_EQ(inbox_[0].topic_name, "rpc1/u/dev-9/me");
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, NobodyIsToldToStopWhereverAFrameSays) {
  ServeMallory();
  Reader reader = BeginCount();
  Say("e:0");
  EXPECT_TRUE(world_.Run(reader.Finish()).ok());
  Spy();
  for (const char* from : {"", "+", "#", "a/b", "$SYS", "dev-9/me/x"}) Say("a:16", "", {{"rpc-to", "home/lamp"}}, from);
  EXPECT_THAT(Seen("rpc1/u/"), IsEmpty());
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, ASilentResponderIsNoticed) {
  ServeMallory();
  Reader reader = BeginCount();
  const auto begin = world_.elapsed();
  const absl::Status status = world_.Run(reader.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_LE(world_.elapsed() - begin, seconds(30));
  EXPECT_EQ(inbox_.back().topic_name, "rpc1/u/dev-9/me");
  EXPECT_EQ(UserProperty(inbox_.back(), "rpc-f"), "c");
  ExpectNothingLeftBeside();
}

// --- Good peers in odd moments

// Finish() throws away what was not read, and waits for the status only.
TEST_F(HostileResponderTest, WhatNobodyReadsDoesNotHoldUpTheEnd) {
  ServeMallory();
  Range range;
  range.set_end(1'000);
  Reader reader = stub_->Count(range);
  Run();
  const auto begin = world_.elapsed();
  EXPECT_TRUE(world_.Run(reader.Finish()).ok());
  EXPECT_LE(world_.elapsed() - begin, seconds(1));
  ExpectNothingLeftBeside();
}

// Its messages may be lost; its opening frame, its end and its reply may not.
TEST_F(HostileResponderTest, AStreamThatMayLoseMessagesOpensAndEndsReliably) {
  ServeMallory();
  const auto lossy = [](const mqttrpc::testing::RecordedPacket& packet) {
    return packet.kind == mqttrpc::testing::PacketKind::kPublish && packet.qos == mqtt::QoS::kAtMostOnce;
  };
  world_.faults().FromAll().Every().If(lossy).Drop();
  world_.faults().ToAll().Every().If(lossy).Drop();
  Range range;
  range.set_end(5);
  Reader reader = stub_->CountLossy(range);
  const absl::Status status = world_.Run(reader.Finish(), seconds(60));
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(reader.lost(), 5u);
  auto writer = stub_->SumLossy();
  for (int i = 0; i < 5; ++i) writer.Write(ItemOf(i), [](bool) {});
  const auto total = world_.Run(writer.Finish(), seconds(60));
  ASSERT_TRUE(total.ok()) << total.status();
  EXPECT_EQ(total->count(), 0);
  ExpectNothingLeftBeside();
}

// What no frame holds is an error of the call, as it is of a plain answer.
TEST_F(HostileResponderTest, AnErrorThatNoPacketHoldsStillEndsTheStream) {
  streams_.count = [this](ServerContext&, const Range&, ServerWriter<Item>&) -> asio::awaitable<absl::Status> {
    ++streams_.begun, ++streams_.ended;
    absl::Status status = absl::NotFoundError("gone");
    AddDetail(status, ItemOf(0, 2'000'000));
    co_return status;
  };
  ServeMallory();
  Reader reader = stub_->Count(Range());
  const auto begin = world_.elapsed();
  const absl::Status status = world_.Run(reader.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(OutcomeOf(status), Outcome::kExecuted);
  EXPECT_LE(world_.elapsed() - begin, seconds(1));
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, ReplyMetadataThatNoPacketHoldsIsAnErrorOfTheCall) {
  service_.plain = [](ServerContext& context, const test::Question&) -> absl::StatusOr<test::Reply> {
    for (int i = 0; i < 20; ++i) context.reply_metadata().Add("k", std::string(60'000, 'x'));
    return test::Reply();
  };
  ServeMallory();
  const auto begin = world_.elapsed();
  const test::Result result = Call(test::Ask("x"));
  EXPECT_TRUE(world_.Until([&] { return result->has_value(); }));
  ExpectError(result, absl::StatusCode::kResourceExhausted, Outcome::kExecuted, true, "in one packet");
  EXPECT_LE(world_.elapsed() - begin, seconds(1));
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, MetadataOfTheFirstMessageThatNoPacketHoldsIsAnErrorOfTheStream) {
  streams_.count = [this](ServerContext& context, const Range&,
                          ServerWriter<Item>& writer) -> asio::awaitable<absl::Status> {
    ++streams_.begun;
    for (int i = 0; i < 20; ++i) context.reply_metadata().Add("k", std::string(60'000, 'x'));
    const Item item = ItemOf(0);
    co_await writer.Write(item);
    co_await writer.Write(item);
    ++streams_.ended;
    co_return absl::OkStatus();
  };
  ServeMallory();
  Reader reader = stub_->Count(Range());
  const auto begin = world_.elapsed();
  const absl::Status status = world_.Run(reader.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_LE(world_.elapsed() - begin, seconds(1));
  ExpectNothingLeftBeside();
}

}  // namespace
}  // namespace mqttrpc
