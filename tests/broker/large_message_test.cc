// Messages that are larger than a read: they are passed on in the memory they came to.
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "broker_fixture.h"

namespace mqttrpc::test {
namespace {

using mqtt::QoS;
using mqtt::ReasonCode;

constexpr std::size_t kLarge = 1024 * 1024;

std::string Noise(std::size_t bytes, std::uint32_t seed = 1) {
  std::minstd_rand random(seed);
  std::string noise(bytes, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  return noise;
}

class LargeMessageTest : public BrokerTest {
 protected:
  // What is held for nobody any more.
  void ExpectNoMemoryUsed() {
    clock_.Advance(std::chrono::seconds(10));
    EXPECT_EQ(broker().statistics().memory_used, 0u);
  }
};

TEST_F(LargeMessageTest, ArriveWholeAndInOrder) {
  auto subscriber = Connected("subscriber");
  Subscribe(*subscriber, "large/#");
  auto publisher = Connected("publisher");
  for (std::uint32_t i = 1; i <= 20; ++i) {
    const std::string payload = Noise(std::size_t{i} * 50'000, i);
    publisher->Send(PublishOf("large/" + std::to_string(i), payload, static_cast<mqtt::PacketId>(i)));
  }
  Settle();
  for (std::uint32_t i = 1; i <= 20; ++i) {
    const auto publish = subscriber->Next<mqtt::Publish>();
    EXPECT_EQ(publish.topic_name, "large/" + std::to_string(i));
    EXPECT_TRUE(publish.payload == Noise(std::size_t{i} * 50'000, i)) << i;
    mqtt::PubAck ack;
    ack.packet_id = publish.packet_id;
    Send(*subscriber, ack);
    EXPECT_EQ(publisher->Next<mqtt::PubAck>().packet_id, i);
  }
  subscriber = nullptr;
  publisher = nullptr;
  Settle();
  ExpectNoMemoryUsed();
}

// The memory that one has left is the next one's, and much may be left of what stood there.
TEST_F(LargeMessageTest, KeepTheirPropertiesInOrderWithoutThoseThatWereForTheBroker) {
  auto subscriber = Connected("subscriber");
  Subscribe(*subscriber, "a/topic", QoS::kAtMostOnce);
  auto publisher = Connected("publisher");
  const std::string payload = Noise(kLarge);
  mqtt::Properties expected;
  expected.Add(mqtt::property::kUserProperty, {"first", "1"});
  expected.Set(mqtt::property::kMessageExpiryInterval, 100u);
  expected.Set(mqtt::property::kContentType, "noise");
  for (const bool first : {true, false, false}) {
    mqtt::Properties sent;
    sent.Add(mqtt::property::kUserProperty, {"first", "1"});
    sent.Set(mqtt::property::kMessageExpiryInterval, 100u);
    sent.Set(mqtt::property::kTopicAlias, std::uint16_t{1});
    sent.Set(mqtt::property::kContentType, "noise");
    mqtt::Publish publish = PublishOf(first ? "a/topic" : "", payload);
    publish.properties = sent;
    Send(*publisher, publish);
    const auto got = subscriber->Next<mqtt::Publish>();
    EXPECT_EQ(got.topic_name, "a/topic");
    EXPECT_EQ(got.properties, expected.view());
    EXPECT_TRUE(got.payload == payload);
  }
}

TEST_F(LargeMessageTest, MayHaveATopicAliasForATopicNameOfAnyLength) {
  const std::string topic_name(1000, 't');
  auto subscriber = Connected("subscriber");
  Subscribe(*subscriber, "#", QoS::kAtMostOnce);
  auto publisher = Connected("publisher");
  const std::string payload = Noise(kLarge);
  mqtt::Properties alias;
  alias.Set(mqtt::property::kTopicAlias, std::uint16_t{1});
  for (const bool first : {true, false}) {
    mqtt::Publish publish = PublishOf(first ? std::string_view(topic_name) : "", payload);
    publish.properties = alias;
    Send(*publisher, publish);
    const auto got = subscriber->Next<mqtt::Publish>();
    EXPECT_EQ(got.topic_name, topic_name);
    EXPECT_TRUE(got.payload == payload);
  }
}

TEST_F(LargeMessageTest, CountOnceWhileTheyWait) {
  mqtt::Properties lasting;
  lasting.Set(mqtt::property::kSessionExpiryInterval, 3600u);
  mqtt::Connect connect = ConnectAs("absent");
  connect.properties = lasting;
  auto absent = Connected(connect);
  Subscribe(*absent, "t");
  absent->Drop();
  Settle();
  auto publisher = Connected("publisher");
  const std::uint64_t before = broker().statistics().memory_used;
  for (mqtt::PacketId i = 1; i <= 5; ++i) Send(*publisher, PublishOf("t", Noise(kLarge, i), i));
  Settle();
  EXPECT_GE(broker().statistics().memory_used - before, 5 * kLarge);
  EXPECT_LE(broker().statistics().memory_used - before, 5 * (kLarge + 1000));
  connect.clean_start = false;
  absent = Connected(connect);
  for (mqtt::PacketId i = 1; i <= 5; ++i) {
    const auto publish = absent->Next<mqtt::Publish>();
    EXPECT_TRUE(publish.payload == Noise(kLarge, i)) << i;
  }
}

TEST_F(LargeMessageTest, AreRetainedAndReplaced) {
  auto publisher = Connected("publisher");
  for (const std::uint32_t seed : {1u, 2u, 3u}) {
    const std::string payload = Noise(kLarge, seed);
    mqtt::Publish publish = PublishOf("r", payload);
    publish.retain = true;
    Send(*publisher, publish);
  }
  auto subscriber = Connected("subscriber");
  Subscribe(*subscriber, "r");
  EXPECT_TRUE(subscriber->Next<mqtt::Publish>().payload == Noise(kLarge, 3));
  EXPECT_LE(broker().statistics().memory_used, 3 * kLarge);
}

// What the broker still asks about a request is not in memory that has gone with it.
TEST_F(LargeMessageTest, MayBeRequestsThatNobodyGets) {
  auto publisher = Connected("publisher");
  mqtt::Properties request;
  request.Set(mqtt::property::kResponseTopic, "answers");
  const std::string payload = Noise(kLarge);
  mqtt::Publish publish = PublishOf("nobody", payload, 1);
  publish.properties = request;
  Send(*publisher, publish);
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(publisher->Next<mqtt::PubAck>().reason_code, ReasonCode::kNoMatchingSubscribers);
}

TEST_F(LargeMessageTest, ThatNobodyGetsLeaveNothingBehind) {
  auto publisher = Connected("publisher");
  Send(*publisher, PublishOf("nobody", Noise(kLarge), 1));
  EXPECT_EQ(publisher->Next<mqtt::PubAck>().reason_code, ReasonCode::kNoMatchingSubscribers);
  Send(*publisher, PublishOf("$SYS/mine", Noise(kLarge), 1));
  EXPECT_EQ(publisher->Next<mqtt::PubAck>().reason_code, ReasonCode::kNotAuthorized);
  publisher->Drop();
  Settle();
  ExpectNoMemoryUsed();
}

}  // namespace
}  // namespace mqttrpc::test
