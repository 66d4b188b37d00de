// What a caller sends in the middle of a call that it must not.
#include <absl/strings/str_cat.h>
#include <asio/awaitable.hpp>

#include "hostile_caller.h"

namespace mqttrpc {
namespace {

using test::Crc;
using test::HostileCallerTest;
using test::ItemOf;
using test::kDataLoss;
using test::kExhausted;
using test::kInternal;
using test::kInvalid;
using test::seconds;
namespace property = mqtt::property;

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
  ExpectBroken(kInternal, "we take 65536");
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

}  // namespace
}  // namespace mqttrpc
