// SUBSCRIBE and UNSUBSCRIBE.
#include <string>

#include "broker_fixture.h"

namespace mqttrpc::test {
namespace {

using mqtt::Properties;
using mqtt::QoS;
using mqtt::ReasonCode;
using ::testing::ElementsAre;
namespace property = mqtt::property;

class BrokerSubscribeTest : public BrokerTest {};

// MQTT-3.8.4-5 to -7, MQTT-3.9.3-1: one code for each filter, in order. Asking for QoS 2 is no error (MQTT-3.2.2-10).
TEST_F(BrokerSubscribeTest, AnswersEachFilterWithWhatItGrants) {
  auto client = Connected("me");
  mqtt::Subscribe subscribe = SubscribeTo("a", QoS::kAtMostOnce);
  subscribe.packet_id = 77;
  for (const auto& [filter, qos] :
       {std::pair("b/+", QoS::kAtLeastOnce), std::pair("$share/g/c/#", QoS::kExactlyOnce)}) {
    mqtt::SubscribeEntry entry;
    entry.topic_filter = filter;
    entry.qos = qos;
    subscribe.entries.push_back(entry);
  }
  Send(*client, subscribe);
  const auto ack = client->Next<mqtt::SubAck>();
  EXPECT_EQ(ack.packet_id, 77);  // MQTT-3.8.4-2
  EXPECT_THAT(ack.reason_codes,
              ElementsAre(ReasonCode::kGrantedQoS0, ReasonCode::kGrantedQoS1, ReasonCode::kGrantedQoS2));
  EXPECT_EQ(broker().statistics().subscriptions, 3u);
}

TEST_F(BrokerSubscribeTest, ReplacesASubscriptionWithTheSameFilter) {  // MQTT-3.8.4-3
  auto client = Connected("me");
  Subscribe(*client, "t", QoS::kAtLeastOnce);
  Subscribe(*client, "t", QoS::kAtMostOnce);
  Send(*client, PublishOf("t", "x", 1));
  client->Next<mqtt::PubAck>();
  EXPECT_EQ(client->Next<mqtt::Publish>().qos, QoS::kAtMostOnce);
  EXPECT_EQ(client->waiting(), 0u);
}

TEST_F(BrokerSubscribeTest, RefusesFiltersOverItsLimit) {
  options_.maximum_subscriptions = 1;
  auto client = Connected("me");
  Subscribe(*client, "a");
  Send(*client, SubscribeTo("b"));
  const auto ack = client->Next<mqtt::SubAck>();
  EXPECT_THAT(ack.reason_codes, ElementsAre(ReasonCode::kQuotaExceeded));
  EXPECT_TRUE(ack.properties.Has(mqtt::PropertyId::kReasonString));
  Subscribe(*client, "a");  // The same again is no more.
}

TEST_F(BrokerSubscribeTest, ExplainsNothingToThoseWhoDoNotWantIt) {  // MQTT-3.1.2-29
  options_.maximum_subscriptions = 0;
  Properties properties;
  properties.Set(property::kRequestProblemInformation, std::uint8_t{0});
  mqtt::Connect connect = ConnectAs("me");
  connect.properties = properties;
  auto client = Connected(connect);
  Send(*client, SubscribeTo("a"));
  EXPECT_TRUE(client->Next<mqtt::SubAck>().properties.empty());
}

TEST_F(BrokerSubscribeTest, EndsSubscriptions) {  // MQTT-3.10.4-1, -2, -4 to -6
  auto client = Connected("me");
  Subscribe(*client, "a");
  mqtt::Unsubscribe unsubscribe;
  unsubscribe.packet_id = 5;
  unsubscribe.topic_filters = {"a", "never"};
  Send(*client, unsubscribe);
  const auto ack = client->Next<mqtt::UnsubAck>();
  EXPECT_EQ(ack.packet_id, 5);
  EXPECT_THAT(ack.reason_codes, ElementsAre(ReasonCode::kSuccess, ReasonCode::kNoSubscriptionExisted));
  Send(*client, PublishOf("a", "x"));
  EXPECT_EQ(client->waiting(), 0u);
  EXPECT_EQ(broker().statistics().subscriptions, 0u);
}

// Who has heard that a subscription is over may have forgotten who took its messages.
TEST_F(BrokerSubscribeTest, MessagesThatWereOnTheirWayComeBeforeTheUnsubAck) {
  auto client = Connected("me");
  Subscribe(*client, "a");
  client->Send(PublishOf("a", "x"));
  mqtt::Unsubscribe unsubscribe;
  unsubscribe.packet_id = 5;
  unsubscribe.topic_filters = {"a"};
  client->Send(unsubscribe);
  client->Send(SubscribeTo("a"));  // What is answered later keeps its place.
  Settle();
  EXPECT_EQ(client->Next<mqtt::Publish>().payload, "x");
  EXPECT_EQ(client->Next<mqtt::UnsubAck>().packet_id, 5);
  client->Next<mqtt::SubAck>();
  EXPECT_EQ(client->waiting(), 0u);
}

TEST_F(BrokerSubscribeTest, ForgetsTheSubscriptionsOfAClientThatLeft) {
  auto client = Connected("me");
  Subscribe(*client, "a/#");
  client->Drop();
  Settle();
  EXPECT_EQ(broker().statistics().subscriptions, 0u);
}

TEST_F(BrokerSubscribeTest, RefusesNoLocalOnASharedSubscription) {  // MQTT-3.8.3-4
  auto client = Connected("me");
  // SUBSCRIBE 1, no properties, "$share/g/t", No Local.
  client->SendBytes(std::string_view("\x82\x10\x00\x01\x00\x00\x0A$share/g/t\x04", 18));
  Settle();
  ExpectDisconnected(*client, ReasonCode::kProtocolError);
}

TEST_F(BrokerSubscribeTest, RefusesFiltersThatAreNone) {  // MQTT-4.7.1-1
  auto client = Connected("me");
  client->SendBytes(
      std::string_view("\x82\x09\x00\x01\x00\x00\x03"
                       "a#b\x00",
                       11));
  Settle();
  ExpectDisconnected(*client, ReasonCode::kTopicFilterInvalid);
}

TEST_F(BrokerSubscribeTest, RefusesTopicsOverItsLimit) {
  options_.maximum_topic_bytes = 10;
  auto client = Connected("me");
  Subscribe(*client, "0123456789");
  Send(*client, SubscribeTo("0123456789a"));
  EXPECT_THAT(client->Next<mqtt::SubAck>().reason_codes, ElementsAre(ReasonCode::kTopicFilterInvalid));
  Send(*client, PublishOf("0123456789", "x"));
  EXPECT_EQ(client->Next<mqtt::Publish>().payload, "x");
  Send(*client, PublishOf("0123456789a", "x"));
  ExpectDisconnected(*client, ReasonCode::kTopicNameInvalid);
}

// A member that takes nothing more is passed over, as long as another can.
TEST_F(BrokerSubscribeTest, PassesOverAFullMemberOfAShareGroup) {
  options_.maximum_queued_messages = 2;
  mqtt::Connect connect = ConnectAs("slow");
  Properties one;
  one.Set(property::kReceiveMaximum, std::uint16_t{1});
  connect.properties = one;
  auto slow = Connected(connect);
  auto quick = Connected("quick");
  Subscribe(*slow, "$share/g/t");
  Subscribe(*quick, "$share/g/t");
  auto publisher = Connected("publisher");
  mqtt::PubAck ack;
  for (int i = 0; i < 20; ++i) {
    Send(*publisher, PublishOf("t", "x", 1));
    EXPECT_EQ(publisher->Next<mqtt::PubAck>().reason_code, ReasonCode::kSuccess);
    while (quick->waiting() > 0) {
      ack.packet_id = quick->Next<mqtt::Publish>().packet_id;
      Send(*quick, ack);
    }
  }
  EXPECT_EQ(slow->waiting(), 1u);  // It never acknowledged its first: the others got the rest.
  EXPECT_EQ(broker().statistics().messages_dropped, 0u);
}

}  // namespace
}  // namespace mqttrpc::test
