// Retained messages, wills that wait, shared subscriptions, $SYS.
#include "broker_fixture.h"

namespace mqttrpc::test {
namespace {

using mqtt::Publish;
using mqtt::QoS;
using mqtt::ReasonCode;
using std::chrono::seconds;
namespace property = mqtt::property;

class BrokerRetainedTest : public BrokerTest {
 protected:
  void Retain(RawClient& publisher, std::string_view topic_name, std::string_view payload,
              mqtt::PropertiesView properties = {}) {
    Publish publish = PublishOf(topic_name, payload, 1);
    publish.retain = true;
    publish.properties = properties;
    Send(publisher, publish);
    EXPECT_FALSE(mqtt::IsError(publisher.Next<mqtt::PubAck>().reason_code));
  }
};

TEST_F(BrokerRetainedTest, GivesTheLastMessageToEachNewSubscription) {  // MQTT-3.3.1-5, MQTT-3.3.1-9
  auto publisher = Connected("publisher");
  Retain(*publisher, "a/b", "old");
  Retain(*publisher, "a/b", "new");
  auto subscriber = Connected("subscriber");
  Subscribe(*subscriber, "a/+");
  const auto got = subscriber->Next<Publish>();
  EXPECT_EQ(got.payload, "new");
  EXPECT_TRUE(got.retain);  // MQTT-3.3.1-8
  EXPECT_EQ(subscriber->waiting(), 0u);
}

TEST_F(BrokerRetainedTest, ForgetsATopicByAnEmptyMessage) {  // MQTT-3.3.1-6, MQTT-3.3.1-7
  auto publisher = Connected("publisher");
  Retain(*publisher, "t", "x");
  auto live = Connected("live");
  Subscribe(*live, "t");
  EXPECT_EQ(live->Next<Publish>().payload, "x");
  Retain(*publisher, "t", "");
  EXPECT_EQ(live->Next<Publish>().payload, "");  // To those who are there it is a message like any other.
  auto late = Connected("late");
  Subscribe(*late, "t");
  EXPECT_EQ(late->waiting(), 0u);
}

TEST_F(BrokerRetainedTest, KeepsNothingOfAMessageWithoutTheFlag) {  // MQTT-3.3.1-8
  auto publisher = Connected("publisher");
  Retain(*publisher, "t", "x");
  Send(*publisher, PublishOf("t", "y"));
  auto subscriber = Connected("subscriber");
  Subscribe(*subscriber, "t");
  EXPECT_EQ(subscriber->Next<Publish>().payload, "x");
}

TEST_F(BrokerRetainedTest, ClearsTheFlagForSubscriptionsThatAreThere) {  // MQTT-3.3.1-12, MQTT-3.3.1-13
  auto plain = Connected("plain");
  Subscribe(*plain, "t");
  auto as_published = Connected("as published");
  mqtt::Subscribe subscribe = SubscribeTo("t");
  subscribe.entries[0].retain_as_published = true;
  Subscribe(*as_published, subscribe);
  auto publisher = Connected("publisher");
  Retain(*publisher, "t", "x");
  EXPECT_FALSE(plain->Next<Publish>().retain);
  EXPECT_TRUE(as_published->Next<Publish>().retain);
}

TEST_F(BrokerRetainedTest, FollowsRetainHandling) {  // MQTT-3.3.1-9 to MQTT-3.3.1-11
  auto publisher = Connected("publisher");
  Retain(*publisher, "t", "x");
  auto subscriber = Connected("subscriber");
  mqtt::Subscribe subscribe = SubscribeTo("t");
  const auto received = [&](std::uint8_t retain_handling) {
    subscribe.entries[0].retain_handling = retain_handling;
    Subscribe(*subscriber, subscribe);
    const bool any = subscriber->waiting() == 1;
    if (any) subscriber->Next<Publish>();
    return any;
  };
  EXPECT_TRUE(received(1));   // It is new.
  EXPECT_FALSE(received(1));  // It is not.
  EXPECT_TRUE(received(0));
  EXPECT_FALSE(received(2));
}

TEST_F(BrokerRetainedTest, GivesNoneToSharedSubscriptions) {  // 4.8.2
  auto publisher = Connected("publisher");
  Retain(*publisher, "t", "x");
  auto subscriber = Connected("subscriber");
  Subscribe(*subscriber, "$share/g/t");
  EXPECT_EQ(subscriber->waiting(), 0u);
}

TEST_F(BrokerRetainedTest, CountsTheExpiryDown) {  // MQTT-3.3.2-5, MQTT-3.3.2-6
  mqtt::Properties properties;
  properties.Set(property::kMessageExpiryInterval, std::uint32_t{7200});
  auto publisher = Connected("publisher");
  Retain(*publisher, "t", "x", properties);
  clock_.Advance(seconds(7190));
  auto subscriber = Connected("subscriber");
  Subscribe(*subscriber, "t");
  EXPECT_EQ(subscriber->Next<Publish>().properties.Get(property::kMessageExpiryInterval), 10u);
  clock_.Advance(seconds(10));
  EXPECT_EQ(broker().statistics().retained_messages, 0u);
}

TEST_F(BrokerRetainedTest, RefusesMoreThanItsLimit) {
  options_.maximum_retained_messages = 1;
  auto publisher = Connected("publisher");
  auto subscriber = Connected("subscriber");
  Subscribe(*subscriber, "#");
  Retain(*publisher, "t", "x");
  EXPECT_EQ(subscriber->Next<Publish>().payload, "x");
  Publish publish = PublishOf("u", "y", 1);
  publish.retain = true;
  Send(*publisher, publish);
  EXPECT_EQ(publisher->Next<mqtt::PubAck>().reason_code, ReasonCode::kQuotaExceeded);
  EXPECT_EQ(subscriber->waiting(), 0u);  // Refused as a whole.
  EXPECT_EQ(broker().statistics().messages_dropped, 1u);
  Retain(*publisher, "t", "replaced");
}

TEST_F(BrokerRetainedTest, ChecksTheSizeAgainForEachSubscriber) {  // MQTT-3.1.2-24
  auto publisher = Connected("publisher");
  Retain(*publisher, "t", std::string(100, 'x'));
  Retain(*publisher, "u", "small");
  mqtt::Properties properties;
  properties.Set(property::kMaximumPacketSize, std::uint32_t{80});
  mqtt::Connect connect = ConnectAs("subscriber");
  connect.properties = properties;
  auto subscriber = Connected(connect);
  Subscribe(*subscriber, "#");
  EXPECT_EQ(subscriber->Next<Publish>().payload, "small");
  EXPECT_EQ(subscriber->waiting(), 0u);
}

// More than a queue may hold, and than one turn looks at.
TEST_F(BrokerRetainedTest, GivesAllOfThemHoweverMany) {
  constexpr int kMessages = 30'000;
  options_.maximum_queued_messages = 100;
  options_.maximum_in_flight = 65'535;
  auto publisher = Connected("publisher");
  for (int i = 0; i < kMessages; ++i) {
    const std::string topic_name = "t/" + std::to_string(i);
    Publish publish = PublishOf(topic_name, "x", static_cast<mqtt::PacketId>(1 + i % 500));
    publish.retain = true;
    publisher->Send(publish);
    if (i % 500 == 499) Settle();
  }
  for (const mqtt::QoS qos : {mqtt::QoS::kAtMostOnce, mqtt::QoS::kAtLeastOnce}) {
    auto subscriber = Connected("subscriber");
    Subscribe(*subscriber, "+/#", qos);
    EXPECT_EQ(subscriber->waiting(), static_cast<std::size_t>(kMessages));
  }
  EXPECT_EQ(broker().statistics().messages_dropped, 0u);
}

TEST_F(BrokerRetainedTest, GivesTheRestAfterTheClientCameBack) {
  constexpr int kMessages = 50;
  options_.maximum_queued_messages = 10;
  auto publisher = Connected("publisher");
  for (int i = 0; i < kMessages; ++i) Retain(*publisher, "t/" + std::to_string(100 + i), "x");
  mqtt::Properties properties;
  properties.Set(property::kSessionExpiryInterval, 600u);
  properties.Set(property::kReceiveMaximum, std::uint16_t{1});
  mqtt::Connect connect = ConnectAs("subscriber");
  connect.properties = properties;
  auto subscriber = Connected(connect);
  Subscribe(*subscriber, "t/#");
  EXPECT_EQ(subscriber->Next<Publish>().topic_name, "t/100");
  subscriber->Drop();
  Settle();
  connect.clean_start = false;
  properties.Set(property::kReceiveMaximum, std::uint16_t{100});
  connect.properties = properties;
  subscriber = Connected(connect);
  for (int i = 0; i < kMessages; ++i) {
    const auto message = subscriber->Next<Publish>();
    ASSERT_EQ(message.topic_name, "t/" + std::to_string(100 + i));
    mqtt::PubAck ack;
    ack.packet_id = message.packet_id;
    Send(*subscriber, ack);
  }
}

TEST_F(BrokerRetainedTest, TellsItsFiguresAtTheNextIntervalToThoseWhoWantNoRetainedOnes) {
  for (const std::string_view topic_filter : {"$SYS/broker/version", "$share/g/$SYS/broker/version"}) {
    auto client = Connected("client");
    mqtt::Subscribe subscribe = SubscribeTo(topic_filter);
    if (!topic_filter.starts_with("$share/")) subscribe.entries[0].retain_handling = 2;
    Subscribe(*client, subscribe);
    EXPECT_EQ(client->waiting(), 0u);
    clock_.Advance(options_.sys_interval);
    EXPECT_EQ(client->Next<Publish>().topic_name, "$SYS/broker/version");
  }
}

TEST_F(BrokerRetainedTest, TellsItsFiguresUnderSys) {
  auto subscriber = Connected("subscriber");
  Subscribe(*subscriber, "$SYS/broker/clients/connected");
  EXPECT_EQ(subscriber->Next<Publish>().payload, "1");
  auto other = Connected("other");
  clock_.Advance(options_.sys_interval);
  EXPECT_EQ(subscriber->Next<Publish>().payload, "2");
}

TEST_F(BrokerRetainedTest, LeavesItsFiguresForTheNextIntervalIfAPacketAsksForThemTooOften) {
  auto subscriber = Connected("subscriber");
  std::vector<std::string> others;
  for (int i = 0; i < 2'000; ++i) others.push_back("$SYS/" + std::to_string(i));
  mqtt::Subscribe subscribe;
  subscribe.packet_id = 1;
  for (const std::string& topic_filter : others) subscribe.entries.push_back({.topic_filter = topic_filter});
  subscribe.entries.push_back({.topic_filter = "$SYS/broker/version"});
  Subscribe(*subscriber, subscribe);
  EXPECT_EQ(subscriber->waiting(), 0u);
  clock_.Advance(options_.sys_interval);
  EXPECT_EQ(subscriber->Next<Publish>().topic_name, "$SYS/broker/version");
}

// --- Wills ---------------------------------------------------------------------

class BrokerDelayedWillTest : public BrokerTest {
 protected:
  std::unique_ptr<RawClient> ConnectWithWill(std::uint32_t delay, std::uint32_t expiry, bool clean_start = true) {
    mqtt::Properties will_properties;
    will_properties.Set(property::kWillDelayInterval, delay);
    will_properties.Set(property::kMessageExpiryInterval, std::uint32_t{100});
    will_properties.Add(property::kUserProperty, {"one", "1"});
    will_properties.Add(property::kUserProperty, {"two", "2"});
    mqtt::Properties properties;
    properties.Set(property::kSessionExpiryInterval, expiry);
    mqtt::Connect connect = ConnectAs("device");
    connect.clean_start = clean_start;
    connect.properties = properties;
    mqtt::Will will;
    will.topic_name = "will";
    will.payload = "gone";
    will.properties = will_properties;
    connect.will = will;
    return Connected(connect);
  }
  std::unique_ptr<RawClient> Watcher() {
    auto watcher = Connected("watcher");
    Subscribe(*watcher, "will");
    return watcher;
  }
};

TEST_F(BrokerDelayedWillTest, IsPublishedWhenItsDelayHasPassed) {  // MQTT-3.1.3-9, MQTT-3.1.3-10
  auto watcher = Watcher();
  ConnectWithWill(30, 3600)->Drop();
  clock_.Advance(seconds(29));
  EXPECT_EQ(watcher->waiting(), 0u);
  clock_.Advance(seconds(1));
  const auto will = watcher->Next<Publish>();
  EXPECT_EQ(will.payload, "gone");
  // Its expiry begins when it is published (3.1.3.2.4); the delay is not for subscribers.
  EXPECT_EQ(will.properties.Get(property::kMessageExpiryInterval), 100u);
  EXPECT_FALSE(will.properties.Has(mqtt::PropertyId::kWillDelayInterval));
  std::string names;
  will.properties.ForEachUserProperty([&](mqtt::UserPropertyView each) { names += each.name; });
  EXPECT_EQ(names, "onetwo");
}

TEST_F(BrokerDelayedWillTest, IsPublishedWhenTheSessionEndsSooner) {  // MQTT-3.1.3-9
  auto watcher = Watcher();
  ConnectWithWill(3000, 30)->Drop();
  clock_.Advance(seconds(29));
  EXPECT_EQ(watcher->waiting(), 0u);
  clock_.Advance(seconds(1));
  EXPECT_EQ(watcher->Next<Publish>().payload, "gone");
}

TEST_F(BrokerDelayedWillTest, IsCancelledByTheClientsReturn) {  // MQTT-3.1.3-9
  auto watcher = Watcher();
  ConnectWithWill(30, 3600)->Drop();
  clock_.Advance(seconds(10));
  auto device = ConnectWithWill(30, 3600, false);
  clock_.Advance(seconds(50));
  EXPECT_EQ(watcher->waiting(), 0u);
}

TEST_F(BrokerDelayedWillTest, IsPublishedByAReturnThatEndsTheSession) {
  auto watcher = Watcher();
  ConnectWithWill(30, 3600)->Drop();
  clock_.Advance(seconds(10));
  auto device = ConnectWithWill(30, 3600, true);
  EXPECT_EQ(watcher->Next<Publish>().payload, "gone");
}

TEST_F(BrokerDelayedWillTest, IsRetainedIfItSaysSo) {  // MQTT-3.1.2-15
  mqtt::Connect connect = ConnectAs("device");
  mqtt::Will will;
  will.topic_name = "will";
  will.payload = "gone";
  will.retain = true;
  connect.will = will;
  Connected(connect)->Drop();
  Settle();
  EXPECT_TRUE(Watcher()->Next<Publish>().retain);
}

// --- Shared subscriptions ----------------------------------------------------------

class BrokerShareTest : public BrokerTest {
 protected:
  std::unique_ptr<RawClient> Member(std::string_view client_id, std::uint16_t receive_maximum, bool subscribe = true,
                                    QoS qos = QoS::kAtLeastOnce) {
    mqtt::Properties properties;
    properties.Set(property::kSessionExpiryInterval, std::uint32_t{3600});
    properties.Set(property::kReceiveMaximum, receive_maximum);
    mqtt::Connect connect = ConnectAs(client_id);
    connect.clean_start = false;
    connect.properties = properties;
    auto client = Connected(connect);
    if (subscribe) Subscribe(*client, "$share/g/t", qos);
    return client;
  }
  static std::vector<std::string> Payloads(RawClient& client) {
    std::vector<std::string> payloads;
    while (client.waiting() > 0) payloads.emplace_back(client.Next<Publish>().payload);
    return payloads;
  }
  void PublishAll(RawClient& publisher, int count) {
    for (int i = 1; i <= count; ++i) {
      Send(publisher, PublishOf("t", std::to_string(i), static_cast<mqtt::PacketId>(i)));
      EXPECT_EQ(publisher.Next<mqtt::PubAck>().reason_code, ReasonCode::kSuccess);
    }
  }
};

using ::testing::ElementsAre;

TEST_F(BrokerShareTest, GoesToTheMemberWithTheLeastUnderWay) {
  auto quick = Member("quick", 100);
  auto slow = Member("slow", 100);
  auto publisher = Connected("publisher");
  std::size_t quick_got = 0;
  for (int i = 1; i <= 20; ++i) {
    Send(*publisher, PublishOf("t", "x", 1));
    while (quick->waiting() > 0) {
      mqtt::PubAck ack;
      ack.packet_id = quick->Next<Publish>().packet_id;
      Send(*quick, ack);
      ++quick_got;
    }
  }
  EXPECT_LE(slow->waiting(), 2u);
  EXPECT_GE(quick_got, 18u);
}

// QoS 0 is acknowledged by nobody: its end must be enough.
TEST_F(BrokerShareTest, GoesToAMemberWhenWhatWasInFrontOfItIsWritten) {
  mqtt::Connect connect = ConnectAs("member");
  mqtt::Properties one;
  one.Set(property::kReceiveMaximum, std::uint16_t{1});
  connect.properties = one;
  auto member = Connected(connect);
  Subscribe(*member, "$share/g/t");
  auto publisher = Connected("publisher");
  publisher->Send(PublishOf("t", "first"));
  publisher->Send(PublishOf("t", "second", 1));
  Settle();
  EXPECT_EQ(member->Next<mqtt::Publish>().payload, "first");
  EXPECT_EQ(member->Next<mqtt::Publish>().payload, "second");
}

// Nothing is unacknowledged that could tell of it.
TEST_F(BrokerShareTest, GoesToAMemberThatReadsAgain) {
  auto member = Connected("member");
  Subscribe(*member, "$share/g/t");
  Subscribe(*member, "other", QoS::kAtMostOnce);
  auto publisher = Connected("publisher");
  member->Freeze();
  Send(*publisher, PublishOf("other", std::string(200'000, 'x')));
  clock_.Advance(seconds(2));
  Send(*publisher, PublishOf("t", "job", 1));
  member->Thaw();
  Settle();
  EXPECT_EQ(member->Next<mqtt::Publish>().topic_name, "other");
  EXPECT_EQ(member->Next<mqtt::Publish>().payload, "job");
}

TEST_F(BrokerShareTest, GoesToAnotherWhenAMemberDies) {
  auto first = Member("first", 2);
  auto publisher = Connected("publisher");
  PublishAll(*publisher, 4);
  EXPECT_THAT(Payloads(*first), ElementsAre("1", "2"));
  auto second = Member("second", 100);
  EXPECT_THAT(Payloads(*second), ElementsAre("3", "4"));  // What waited for a window.
  first->Drop();
  Settle();
  EXPECT_THAT(Payloads(*second), ElementsAre("1", "2"));
  first = Member("first", 100, false);
  EXPECT_EQ(first->waiting(), 0u);
}

TEST_F(BrokerShareTest, KeepsNoQoS0OfAMemberThatLeft) {
  auto member = Member("member", 100);
  member->Freeze();
  auto publisher = Connected("publisher");
  for (int i = 0; i < 10; ++i) Send(*publisher, PublishOf("t", std::string(500'000, 'x')));
  member->Drop();
  Settle();
  EXPECT_LT(broker().statistics().memory_used, 500'000u);
  member = Member("member", 100, false);
  EXPECT_EQ(member->waiting(), 0u);
}

TEST_F(BrokerShareTest, WaitsForNobodyInParticular) {
  Member("first", 100)->Drop();
  auto second = Member("second", 100);
  second->Drop();
  Settle();
  auto publisher = Connected("publisher");
  PublishAll(*publisher, 2);
  second = Member("second", 100, false);
  EXPECT_THAT(Payloads(*second), ElementsAre("1", "2"));
}

TEST_F(BrokerShareTest, CompletesQoS2WithTheMemberItBeganWith) {  // MQTT-4.8.2-4, MQTT-4.8.2-5
  auto first = Member("first", 100, true, QoS::kExactlyOnce);
  auto publisher = Connected("publisher");
  Publish publish = PublishOf("t", "x", 1);
  publish.qos = QoS::kExactlyOnce;
  Send(*publisher, publish);
  EXPECT_THAT(Payloads(*first), ElementsAre("x"));
  auto second = Member("second", 100, true, QoS::kExactlyOnce);
  first->Drop();
  Settle();
  EXPECT_EQ(second->waiting(), 0u);
  first = Member("first", 100, false);
  EXPECT_THAT(Payloads(*first), ElementsAre("x"));
}

TEST_F(BrokerShareTest, SendsNothingOnThatAMemberRefused) {  // MQTT-4.8.2-6
  auto first = Member("first", 100);
  auto publisher = Connected("publisher");
  PublishAll(*publisher, 1);
  auto second = Member("second", 100);
  mqtt::PubAck ack;
  ack.packet_id = first->Next<Publish>().packet_id;
  ack.reason_code = ReasonCode::kUnspecifiedError;
  Send(*first, ack);
  EXPECT_EQ(first->waiting() + second->waiting(), 0u);
}

}  // namespace
}  // namespace mqttrpc::test
