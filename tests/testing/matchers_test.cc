// That matchers say yes and no.
#include "mqttrpc/testing/matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using ::testing::_;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Ge;
using ::testing::Not;
using ::testing::StartsWith;
using namespace mqttrpc::testing;
namespace mqtt = mqttrpc::mqtt;

RecordedPacket Publish() {
  RecordedPacket packet;
  packet.kind = PacketKind::kPublish;
  packet.topic_name = "a/b";
  packet.payload = "on";
  packet.qos = mqtt::QoS::kExactlyOnce;
  packet.packet_id = 7;
  packet.properties.Set(mqtt::property::kContentType, "text");
  packet.properties.Add(mqtt::property::kUserProperty, {"colour", "red"});
  return packet;
}

TEST(MatchersTest, PublishByTopicAndPayload) {
  EXPECT_THAT(Publish(), IsPublish("a/b"));
  EXPECT_THAT(Publish(), IsPublish(StartsWith("a/"), "on"));
  EXPECT_THAT(Publish(), Not(IsPublish("a/b", "off")));
  EXPECT_THAT(Publish(), Not(IsPublish("b", _)));
  EXPECT_THAT(RecordedPacket(), Not(IsPublish(_)));
}

TEST(MatchersTest, PartsOfAPublish) {
  EXPECT_THAT(Publish(), AllOf(OfKind(PacketKind::kPublish), WithQoS(mqtt::QoS::kExactlyOnce), WithPacketId(7)));
  EXPECT_THAT(Publish(), Not(AnyOf(WithDup(), WithRetain(), WithQoS(mqtt::QoS::kAtMostOnce))));
}

TEST(MatchersTest, Properties) {
  EXPECT_THAT(Publish(), WithProperty(mqtt::property::kContentType, "text"));
  EXPECT_THAT(Publish(), Not(WithProperty(mqtt::property::kContentType, "json")));
  EXPECT_THAT(Publish(), Not(WithProperty(mqtt::property::kMessageExpiryInterval, Ge(0u))));
  EXPECT_THAT(Publish(), WithUserProperty("colour", "red"));
  EXPECT_THAT(Publish(), Not(WithUserProperty("size", _)));
}

TEST(MatchersTest, OneReasonOrSeveral) {
  RecordedPacket ack;
  ack.kind = PacketKind::kSubAck;
  ack.reasons = {mqtt::ReasonCode::kGrantedQoS1, mqtt::ReasonCode::kNotAuthorized};
  EXPECT_THAT(ack, HasReason(mqtt::ReasonCode::kNotAuthorized));
  EXPECT_THAT(ack, Not(HasReason(mqtt::ReasonCode::kSuccess)));
  ack.reasons.clear();
  EXPECT_THAT(ack, HasReason(mqtt::ReasonCode::kSuccess));
}

TEST(MatchersTest, Filters) {
  RecordedPacket subscribe;
  subscribe.topic_filters = {"a", "b/#"};
  EXPECT_THAT(subscribe, WithFilter("b/#"));
  EXPECT_THAT(subscribe, Not(WithFilter("c")));
}

}  // namespace
