// How a caller opens a call as it must not, or knowing little.
#include <absl/strings/str_cat.h>

#include "frame.h"
#include "hostile_caller.h"

namespace mqttrpc {
namespace {

using test::Crc;
using test::HostileCallerTest;
using test::ItemOf;
using test::kCancelled;
using test::kInvalid;
using test::UserProperties;
using test::UserProperty;
using testing::IsEmpty;
using testing::SizeIs;
namespace property = mqtt::property;

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

}  // namespace
}  // namespace mqttrpc
