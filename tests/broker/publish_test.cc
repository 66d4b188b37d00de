// From a publisher through the broker to subscribers.
#include <string>

#include "broker_fixture.h"

namespace mqttrpc::test {
namespace {

using mqtt::Properties;
using mqtt::Publish;
using mqtt::QoS;
using mqtt::ReasonCode;
namespace property = mqtt::property;

class BrokerPublishTest : public BrokerTest {};

TEST_F(BrokerPublishTest, CarriesAMessageFromPublisherToSubscriber) {
  auto subscriber = Connected("subscriber");
  Subscribe(*subscriber, "a/b");
  auto publisher = Connected("publisher");
  Send(*publisher, PublishOf("a/b", "hello", 5));
  const auto ack = publisher->Next<mqtt::PubAck>();
  EXPECT_EQ(ack.packet_id, 5);
  EXPECT_EQ(ack.reason_code, ReasonCode::kSuccess);
  const auto received = subscriber->Next<Publish>();
  EXPECT_EQ(received.topic_name, "a/b");
  EXPECT_EQ(received.payload, "hello");
  EXPECT_EQ(received.qos, QoS::kAtLeastOnce);
  EXPECT_NE(received.packet_id, 0);  // MQTT-2.2.1-4
}

// 3.4.2.1: the publisher learns that there is nobody.
TEST_F(BrokerPublishTest, AcknowledgesWithNoMatchingSubscribers) {
  auto publisher = Connected("publisher");
  Send(*publisher, PublishOf("nobody/listens", "x", 1));
  EXPECT_EQ(publisher->Next<mqtt::PubAck>().reason_code, ReasonCode::kNoMatchingSubscribers);
}

// MQTT-3.8.4-8: the lower of published and granted QoS.
TEST_F(BrokerPublishTest, DeliversAtTheLowerQoS) {
  auto at_most_once = Connected("zero");
  Subscribe(*at_most_once, "t", QoS::kAtMostOnce);
  auto at_least_once = Connected("one");
  Subscribe(*at_least_once, "t", QoS::kAtLeastOnce);
  auto publisher = Connected("publisher");
  Send(*publisher, PublishOf("t", "first", 1));
  Send(*publisher, PublishOf("t", "second"));
  EXPECT_EQ(at_most_once->Next<Publish>().qos, QoS::kAtMostOnce);
  EXPECT_EQ(at_least_once->Next<Publish>().qos, QoS::kAtLeastOnce);
  EXPECT_EQ(at_least_once->Next<Publish>().qos, QoS::kAtMostOnce);
}

// MQTT-3.3.2-4, -15 to -18, -20: everything but the alias arrives as it was sent, in order.
TEST_F(BrokerPublishTest, ForwardsAllPropertiesInOrder) {
  Properties sent;
  sent.Add(property::kUserProperty, {"b", "1"});
  sent.Set(property::kPayloadFormatIndicator, std::uint8_t{1});
  sent.Set(property::kContentType, std::string_view("text/plain"));
  sent.Set(property::kResponseTopic, std::string_view("reply/here"));
  sent.Add(property::kUserProperty, {"a", "2"});
  sent.Set(property::kCorrelationData, std::string_view("\0\xff", 2));
  sent.Set(property::kMessageExpiryInterval, std::uint32_t{60});
  sent.Add(property::kUserProperty, {"b", "1"});
  Properties with_alias = sent;
  with_alias.Set(property::kTopicAlias, std::uint16_t{3});

  auto subscriber = Connected("subscriber");
  Subscribe(*subscriber, "#");
  auto publisher = Connected("publisher");
  Publish publish = PublishOf("t", "x");
  publish.properties = with_alias;
  Send(*publisher, publish);
  EXPECT_EQ(subscriber->Next<Publish>().properties.wire_bytes(), sent.view().wire_bytes());
}

// MQTT-3.3.2-12: an alias stands for its Topic Name until it is set anew.
TEST_F(BrokerPublishTest, ResolvesTopicAliases) {
  auto subscriber = Connected("subscriber");
  Subscribe(*subscriber, "#");
  auto publisher = Connected("publisher");
  Properties alias;
  alias.Set(property::kTopicAlias, options_.topic_alias_maximum);
  for (const std::string_view topic_name : {"one", "", "two", ""}) {
    Publish publish = PublishOf(topic_name, "x");
    publish.properties = alias;
    Send(*publisher, publish);
  }
  for (const std::string_view topic_name : {"one", "one", "two", "two"}) {
    EXPECT_EQ(subscriber->Next<Publish>().topic_name, topic_name);
  }
}

TEST_F(BrokerPublishTest, RefusesAnAliasOverTheMaximum) {  // MQTT-3.3.2-9
  auto publisher = Connected("publisher");
  Properties alias;
  alias.Set(property::kTopicAlias, static_cast<std::uint16_t>(options_.topic_alias_maximum + 1));
  Publish publish = PublishOf("t", "x");
  publish.properties = alias;
  Send(*publisher, publish);
  ExpectDisconnected(*publisher, ReasonCode::kTopicAliasInvalid);
}

TEST_F(BrokerPublishTest, RefusesAnAliasThatWasNeverSet) {  // 3.3.2.3.4
  auto publisher = Connected("publisher");
  Properties alias;
  alias.Set(property::kTopicAlias, std::uint16_t{1});
  Publish publish = PublishOf("", "x");
  publish.properties = alias;
  Send(*publisher, publish);
  ExpectDisconnected(*publisher, ReasonCode::kProtocolError);
}

// MQTT-3.3.4-2 to -4: one copy, the highest QoS, all identifiers.
TEST_F(BrokerPublishTest, SendsOneCopyForOverlappingSubscriptions) {
  auto subscriber = Connected("subscriber");
  const auto subscribe = [&](std::string_view filter, QoS qos, std::uint32_t identifier) {
    Properties properties;
    if (identifier != 0) properties.Add(property::kSubscriptionIdentifier, identifier);
    mqtt::Subscribe packet = SubscribeTo(filter, qos);
    packet.properties = properties;
    Subscribe(*subscriber, packet);
  };
  subscribe("a/b", QoS::kAtMostOnce, 1);
  subscribe("a/+", QoS::kAtLeastOnce, 200'000);
  subscribe("#", QoS::kAtMostOnce, 0);
  auto publisher = Connected("publisher");
  Send(*publisher, PublishOf("a/b", "x", 1));
  const auto received = subscriber->Next<Publish>();
  EXPECT_EQ(received.qos, QoS::kAtLeastOnce);
  std::vector<std::uint32_t> identifiers;
  received.properties.ForEach([&](const mqtt::PropertyView& each) { identifiers.push_back(each.number); });
  EXPECT_THAT(identifiers, ::testing::UnorderedElementsAre(1, 200'000));
  EXPECT_EQ(subscriber->waiting(), 0u);
}

TEST_F(BrokerPublishTest, KeepsALocalMessageFromItsPublisher) {  // MQTT-3.8.3-3
  auto client = Connected("client");
  mqtt::Subscribe subscribe = SubscribeTo("t");
  subscribe.entries[0].no_local = true;
  Subscribe(*client, subscribe);
  Send(*client, PublishOf("t", "mine"));
  EXPECT_EQ(client->waiting(), 0u);
  auto other = Connected("other");
  Send(*other, PublishOf("t", "theirs"));
  EXPECT_EQ(client->Next<Publish>().payload, "theirs");
}

TEST_F(BrokerPublishTest, SharesTheMessagesOfAGroupAmongItsMembers) {  // MQTT 4.8.2
  auto first = Connected("first");
  auto second = Connected("second");
  auto alone = Connected("alone");
  Subscribe(*first, "$share/g/t");
  Subscribe(*second, "$share/g/t");
  Subscribe(*alone, "t");
  auto publisher = Connected("publisher");
  for (int i = 0; i < 10; ++i) Send(*publisher, PublishOf("t", "x"));
  EXPECT_EQ(first->waiting(), 5u);
  EXPECT_EQ(second->waiting(), 5u);
  EXPECT_EQ(alone->waiting(), 10u);
  second->Drop();
  Settle();
  Send(*publisher, PublishOf("t", "x"));
  EXPECT_EQ(first->waiting(), 6u);
}

TEST_F(BrokerPublishTest, CountsMessageExpiryDownWhileItWaits) {  // MQTT-3.3.2-6
  mqtt::Connect connect = ConnectAs("subscriber");
  Properties one_at_a_time;
  one_at_a_time.Set(property::kReceiveMaximum, std::uint16_t{1});
  connect.properties = one_at_a_time;
  auto subscriber = Connected(connect);
  Subscribe(*subscriber, "t");
  auto publisher = Connected("publisher");
  Properties expiry;
  expiry.Set(property::kMessageExpiryInterval, std::uint32_t{10});
  const std::string payload(1000, 'x');
  Publish publish = PublishOf("t", payload, 1);
  publish.properties = expiry;
  for (int i = 0; i < 3; ++i) Send(*publisher, publish);

  mqtt::PubAck ack;
  auto received = subscriber->Next<Publish>();
  EXPECT_EQ(received.properties.Get(property::kMessageExpiryInterval), 10u);
  clock_.Advance(std::chrono::seconds(4));
  ack.packet_id = received.packet_id;
  Send(*subscriber, ack);
  received = subscriber->Next<Publish>();
  EXPECT_EQ(received.properties.Get(property::kMessageExpiryInterval), 6u);
  EXPECT_EQ(received.payload, publish.payload);

  clock_.Advance(std::chrono::seconds(6));
  ack.packet_id = received.packet_id;
  Send(*subscriber, ack);
  EXPECT_EQ(subscriber->waiting(), 0u);  // MQTT-3.3.2-5
  EXPECT_EQ(broker().statistics().messages_dropped, 1u);
}

// MQTT-3.3.4-9, -10: QoS 1 waits for acknowledgements, nothing else does.
TEST_F(BrokerPublishTest, RespectsTheReceiveMaximumOfTheClient) {
  mqtt::Connect connect = ConnectAs("subscriber");
  Properties two;
  two.Set(property::kReceiveMaximum, std::uint16_t{2});
  connect.properties = two;
  auto subscriber = Connected(connect);
  Subscribe(*subscriber, "t");
  auto publisher = Connected("publisher");
  for (const std::string_view payload : {"1", "2", "3", "4"}) Send(*publisher, PublishOf("t", payload, 1));
  Send(*publisher, PublishOf("t", "at most once"));
  Send(*subscriber, mqtt::PingReq());

  const auto first = subscriber->Next<Publish>();
  EXPECT_EQ(first.payload, "1");
  EXPECT_EQ(subscriber->Next<Publish>().payload, "2");
  EXPECT_EQ(subscriber->Next<Publish>().payload, "at most once");
  subscriber->Next<mqtt::PingResp>();
  EXPECT_EQ(subscriber->waiting(), 0u);
  mqtt::PubAck ack;
  ack.packet_id = first.packet_id;
  Send(*subscriber, ack);
  EXPECT_EQ(subscriber->Next<Publish>().payload, "3");
  EXPECT_EQ(subscriber->waiting(), 0u);
}

TEST_F(BrokerPublishTest, DropsWhatIsTooLargeForTheClient) {  // MQTT-3.1.2-24, -25
  mqtt::Connect connect = ConnectAs("subscriber");
  Properties small;
  small.Set(property::kMaximumPacketSize, std::uint32_t{100});
  connect.properties = small;
  auto subscriber = Connected(connect);
  Subscribe(*subscriber, "t");
  auto publisher = Connected("publisher");
  // 1 byte + Remaining Length 1 + topic 3 + identifier 2 + properties 1 = 8.
  Send(*publisher, PublishOf("t", std::string(93, 'x'), 1));
  EXPECT_EQ(publisher->Next<mqtt::PubAck>().reason_code, ReasonCode::kSuccess);
  EXPECT_EQ(subscriber->waiting(), 0u);
  Send(*publisher, PublishOf("t", std::string(92, 'x'), 2));
  EXPECT_EQ(subscriber->Next<Publish>().payload.size(), 92u);
}

TEST_F(BrokerPublishTest, CarriesLargePayloadsToManyAtOnce) {
  const std::string payload(700'000, 'p');
  std::vector<std::unique_ptr<RawClient>> subscribers;
  for (int i = 0; i < 5; ++i) {
    subscribers.push_back(Connected("s" + std::to_string(i)));
    Subscribe(*subscribers.back(), "big/#");
  }
  auto publisher = Connected("publisher");
  for (int i = 0; i < 3; ++i) Send(*publisher, PublishOf("big/one", payload));
  for (auto& subscriber : subscribers) {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(subscriber->Next<Publish>().payload, payload);
  }
}

TEST_F(BrokerPublishTest, KeepsTheOrderOfAPublisher) {  // MQTT-4.6.0-5
  auto subscriber = Connected("subscriber");
  Subscribe(*subscriber, "t/#");
  auto publisher = Connected("publisher");
  for (int i = 1; i <= 600; ++i) {
    publisher->Send(PublishOf("t/x", std::to_string(i) + std::string(i % 7 == 0 ? 600 : 1, '.'), 1));
  }
  Settle();
  for (int i = 1; i <= 600; ++i) {
    ASSERT_TRUE(subscriber->Next<Publish>().payload.starts_with(std::to_string(i) + "."));
  }
}

TEST_F(BrokerPublishTest, RefusesQoSOverItsMaximum) {  // MQTT-3.2.2-11
  options_.maximum_qos = QoS::kAtLeastOnce;
  auto publisher = Connected("publisher");
  Publish publish = PublishOf("t", "x", 1);
  publish.qos = QoS::kExactlyOnce;
  Send(*publisher, publish);
  ExpectDisconnected(*publisher, ReasonCode::kQoSNotSupported);
}

TEST_F(BrokerPublishTest, RefusesRetainedMessagesIfItKeepsNone) {  // MQTT-3.2.2-14
  options_.retain_available = false;
  auto publisher = Connected("publisher");
  Publish publish = PublishOf("t", "x");
  publish.retain = true;
  Send(*publisher, publish);
  ExpectDisconnected(*publisher, ReasonCode::kRetainNotSupported);
}

TEST_F(BrokerPublishTest, RefusesMoreThanTheReceiveMaximum) {  // MQTT-3.3.4-7
  options_.receive_maximum = 3;
  auto publisher = Connected("publisher");
  std::string burst;
  for (mqtt::PacketId id = 1; id <= 4; ++id) {
    ASSERT_TRUE(mqtt::EncodePublish(PublishOf("t", "x", id), mqtt::Sender::kClient, burst).ok());
  }
  publisher->SendBytes(burst);
  Settle();
  for (int i = 0; i < 3; ++i) publisher->Next<mqtt::PubAck>();
  ExpectDisconnected(*publisher, ReasonCode::kReceiveMaximumExceeded);
}

TEST_F(BrokerPublishTest, LetsNoClientSpeakAsTheBroker) {  // 4.7.2
  options_.sys_interval = std::chrono::seconds(0);
  auto subscriber = Connected("subscriber");
  Subscribe(*subscriber, "$SYS/#");
  auto publisher = Connected("publisher");
  Send(*publisher, PublishOf("$SYS/uptime", "x", 1));
  EXPECT_EQ(publisher->Next<mqtt::PubAck>().reason_code, ReasonCode::kNotAuthorized);
  EXPECT_EQ(subscriber->waiting(), 0u);
}

TEST_F(BrokerPublishTest, KeepsDollarTopicsFromLeadingWildcards) {  // MQTT-4.7.2-1
  auto subscriber = Connected("subscriber");
  Subscribe(*subscriber, "#");
  Subscribe(*subscriber, "+/x");
  Subscribe(*subscriber, "$local/#");
  auto publisher = Connected("publisher");
  Send(*publisher, PublishOf("$local/x", "x"));
  EXPECT_EQ(subscriber->waiting(), 1u);
}

}  // namespace
}  // namespace mqttrpc::test
