// Sessions that outlive their connections (MQTT 4.1, 4.4).
#include "broker_fixture.h"

namespace mqttrpc::test {
namespace {

using mqtt::Publish;
using mqtt::QoS;
using mqtt::ReasonCode;
using std::chrono::seconds;
namespace property = mqtt::property;

class BrokerSessionTest : public BrokerTest {
 protected:
  // Connects with a session that lasts; says whether there was one.
  std::unique_ptr<RawClient> Resume(std::string_view client_id, bool* present = nullptr, std::uint32_t expiry = 3600,
                                    std::uint16_t receive_maximum = 100) {
    mqtt::Properties properties;
    properties.Set(property::kSessionExpiryInterval, expiry);
    properties.Set(property::kReceiveMaximum, receive_maximum);
    mqtt::Connect connect = ConnectAs(client_id);
    connect.clean_start = false;
    connect.properties = properties;
    auto client = NewClient();
    Send(*client, connect);
    const auto ack = client->Next<mqtt::ConnAck>();
    EXPECT_EQ(ack.reason_code, ReasonCode::kSuccess);
    if (present != nullptr) *present = ack.session_present;
    return client;
  }
  bool Present(std::string_view client_id, std::uint32_t expiry = 3600) {
    bool present = false;
    Resume(client_id, &present, expiry)->Drop();
    Settle();
    return present;
  }
  void Drop(std::unique_ptr<RawClient>& client) {
    client->Drop();
    Settle();
  }
  void Ack(RawClient& client, mqtt::PacketId packet_id) {
    mqtt::PubAck ack;
    ack.packet_id = packet_id;
    Send(client, ack);
  }
};

TEST_F(BrokerSessionTest, KeepsSubscriptionsAndMessagesForAClientThatIsAway) {  // MQTT-3.1.2-5
  auto device = Resume("device");
  Subscribe(*device, "t");
  Drop(device);
  auto publisher = Connected("publisher");
  Send(*publisher, PublishOf("t", "kept", 1));
  EXPECT_EQ(publisher->Next<mqtt::PubAck>().reason_code, ReasonCode::kSuccess);
  Send(*publisher, PublishOf("t", "QoS 0 is not"));
  bool present = false;
  device = Resume("device", &present);
  EXPECT_TRUE(present);  // MQTT-3.2.2-3
  EXPECT_EQ(device->Next<Publish>().payload, "kept");
  EXPECT_EQ(device->waiting(), 0u);
}

TEST_F(BrokerSessionTest, EndsWhenItsExpiryHasPassed) {  // MQTT-3.1.2-23
  auto device = Resume("device", nullptr, 7200);
  Drop(device);
  clock_.Advance(seconds(7199));
  EXPECT_EQ(broker().statistics().sessions, 1u);
  clock_.Advance(seconds(1));
  EXPECT_EQ(broker().statistics().sessions, 0u);
  EXPECT_FALSE(Present("device"));
}

TEST_F(BrokerSessionTest, NeverEndsIfTheExpiryIsTheLargest) {  // 3.1.2.11.2
  options_.maximum_session_expiry = 0xFFFFFFFF;
  auto device = Resume("device", nullptr, 0xFFFFFFFF);
  Drop(device);
  clock_.Advance(std::chrono::hours(24 * 365));
  EXPECT_EQ(broker().statistics().sessions, 1u);
}

TEST_F(BrokerSessionTest, EndsWithTheConnectionWithoutAnExpiry) {
  auto device = Resume("device", nullptr, 0);
  Drop(device);
  EXPECT_EQ(broker().statistics().sessions, 0u);
  EXPECT_FALSE(Present("device", 0));
}

TEST_F(BrokerSessionTest, IsForgottenByACleanStart) {  // MQTT-3.1.2-4
  auto device = Resume("device");
  Subscribe(*device, "t");
  Drop(device);
  device = Connected("device");
  auto publisher = Connected("publisher");
  Send(*publisher, PublishOf("t", "x", 1));
  EXPECT_EQ(publisher->Next<mqtt::PubAck>().reason_code, ReasonCode::kNoMatchingSubscribers);
}

TEST_F(BrokerSessionTest, TakesAnotherExpiryAtDisconnect) {  // 3.14.2.2.2
  auto device = Resume("device");
  mqtt::Properties properties;
  properties.Set(property::kSessionExpiryInterval, std::uint32_t{0});
  mqtt::Disconnect disconnect;
  disconnect.properties = properties;
  Send(*device, disconnect);
  EXPECT_EQ(broker().statistics().sessions, 0u);
}

TEST_F(BrokerSessionTest, CapsTheExpiryAtDisconnectToo) {
  options_.maximum_session_expiry = 10;
  auto device = Resume("device", nullptr, 5);
  mqtt::Properties properties;
  properties.Set(property::kSessionExpiryInterval, std::uint32_t{1000});
  mqtt::Disconnect disconnect;
  disconnect.properties = properties;
  Send(*device, disconnect);
  clock_.Advance(seconds(9));
  EXPECT_EQ(broker().statistics().sessions, 1u);
  clock_.Advance(seconds(1));
  EXPECT_EQ(broker().statistics().sessions, 0u);
}

TEST_F(BrokerSessionTest, SendsAgainWithDupAndTheSameIdentifier) {  // MQTT-4.4.0-1, MQTT-3.3.1-1, MQTT-2.2.1-3
  auto device = Resume("device");
  Subscribe(*device, "t");
  auto publisher = Connected("publisher");
  for (mqtt::PacketId id = 1; id <= 3; ++id) Send(*publisher, PublishOf("t", std::to_string(id), id));
  const auto first = device->Next<Publish>();
  const auto second = device->Next<Publish>();
  Ack(*device, first.packet_id);
  Drop(device);
  Send(*publisher, PublishOf("t", "4", 4));
  device = Resume("device");
  const auto again = device->Next<Publish>();
  EXPECT_EQ(again.payload, "2");
  EXPECT_TRUE(again.dup);
  EXPECT_EQ(again.packet_id, second.packet_id);
  EXPECT_EQ(device->Next<Publish>().payload, "3");  // MQTT-4.6.0-1
  const auto fresh = device->Next<Publish>();
  EXPECT_EQ(fresh.payload, "4");
  EXPECT_FALSE(fresh.dup);
}

TEST_F(BrokerSessionTest, IsHandedOverAtATakeoverInMidFlow) {  // MQTT-3.1.4-3
  auto old = Resume("device");
  Subscribe(*old, "t");
  auto publisher = Connected("publisher");
  Send(*publisher, PublishOf("t", "x", 1));
  EXPECT_EQ(old->Next<Publish>().payload, "x");
  bool present = false;
  auto device = Resume("device", &present);
  EXPECT_TRUE(present);
  ExpectDisconnected(*old, ReasonCode::kSessionTakenOver);
  EXPECT_TRUE(device->Next<Publish>().dup);
}

TEST_F(BrokerSessionTest, DropsQueuedMessagesThatExpired) {  // MQTT-3.3.2-5
  auto device = Resume("device");
  Subscribe(*device, "t");
  Drop(device);
  auto publisher = Connected("publisher");
  mqtt::Properties properties;
  properties.Set(property::kMessageExpiryInterval, std::uint32_t{10});
  Publish publish = PublishOf("t", "short", 1);
  publish.properties = properties;
  Send(*publisher, publish);
  properties.Set(property::kMessageExpiryInterval, std::uint32_t{100});
  publish.properties = properties;
  publish.payload = "long";
  Send(*publisher, publish);
  clock_.Advance(seconds(30));
  device = Resume("device");
  const auto got = device->Next<Publish>();
  EXPECT_EQ(got.payload, "long");
  EXPECT_EQ(got.properties.Get(property::kMessageExpiryInterval), 70u);  // MQTT-3.3.2-6
  EXPECT_EQ(device->waiting(), 0u);
}

TEST_F(BrokerSessionTest, GivesNewSessionsNoLaterLifeBeyondItsLimit) {
  options_.maximum_sessions = 1;
  auto first = Resume("first");
  auto second = Resume("second");
  Drop(first);
  Drop(second);
  EXPECT_EQ(broker().statistics().sessions, 1u);
  EXPECT_TRUE(Present("first"));
}

TEST_F(BrokerSessionTest, LeavesNothingBehind) {
  const auto cycle = [&] {
    auto device = Resume("device", nullptr, 10);
    Subscribe(*device, "$share/g/t");
    Subscribe(*device, "t/#", QoS::kExactlyOnce);
    auto publisher = Connected("publisher");
    Send(*publisher, PublishOf("t", "x", 1));
    Drop(device);
    Send(*publisher, PublishOf("t", "y", 1));
    Drop(publisher);
    clock_.Advance(seconds(10));
  };
  cycle();
  EXPECT_EQ(broker().statistics().sessions, 0u);
  EXPECT_EQ(broker().statistics().subscriptions, 0u);
  EXPECT_EQ(broker().statistics().memory_used, 0u);
}

// --- QoS 2 -------------------------------------------------------------------

class BrokerQoS2Test : public BrokerSessionTest {
 protected:
  static Publish QoS2Of(std::string_view payload, mqtt::PacketId packet_id, bool dup = false) {
    Publish publish = PublishOf("t", payload, packet_id);
    publish.qos = QoS::kExactlyOnce;
    publish.dup = dup;
    return publish;
  }
  template <typename T>
  void SendId(RawClient& client, mqtt::PacketId packet_id, ReasonCode code = ReasonCode::kSuccess) {
    T packet;
    packet.packet_id = packet_id;
    packet.reason_code = code;
    Send(client, packet);
  }
};

TEST_F(BrokerQoS2Test, TakesAMessageOnceHoweverOftenItComes) {  // MQTT-4.3.3-8 to -12
  auto subscriber = Connected("subscriber");
  Subscribe(*subscriber, "t", QoS::kExactlyOnce);
  auto publisher = Connected("publisher");
  Send(*publisher, QoS2Of("x", 7));
  Send(*publisher, QoS2Of("x", 7, true));
  for (int i = 0; i < 2; ++i) {
    const auto received = publisher->Next<mqtt::PubRec>();
    EXPECT_EQ(received.packet_id, 7);
    EXPECT_EQ(received.reason_code, ReasonCode::kSuccess);
  }
  EXPECT_EQ(subscriber->Next<Publish>().payload, "x");
  EXPECT_EQ(subscriber->waiting(), 0u);
  SendId<mqtt::PubRel>(*publisher, 7);
  EXPECT_EQ(publisher->Next<mqtt::PubComp>().reason_code, ReasonCode::kSuccess);
  Send(*publisher, QoS2Of("y", 7));  // The identifier is free again.
  EXPECT_EQ(subscriber->Next<Publish>().payload, "y");
}

TEST_F(BrokerQoS2Test, RemembersWhatItTookOverAReconnect) {
  auto subscriber = Connected("subscriber");
  Subscribe(*subscriber, "t");
  auto publisher = Resume("publisher");
  Send(*publisher, QoS2Of("x", 7));
  Drop(publisher);  // Its PUBREC is lost.
  publisher = Resume("publisher");
  Send(*publisher, QoS2Of("x", 7, true));
  EXPECT_EQ(publisher->Next<mqtt::PubRec>().packet_id, 7);
  SendId<mqtt::PubRel>(*publisher, 7);
  Drop(publisher);  // Its PUBCOMP is lost.
  publisher = Resume("publisher");
  SendId<mqtt::PubRel>(*publisher, 7);
  EXPECT_EQ(publisher->Next<mqtt::PubComp>().reason_code, ReasonCode::kSuccess);  // No error in recovery (3.7.2.1).
  EXPECT_EQ(subscriber->Next<Publish>().payload, "x");
  EXPECT_EQ(subscriber->waiting(), 0u);
}

TEST_F(BrokerQoS2Test, HandsOverInTwoStepsAndEachAgainAfterAReconnect) {  // MQTT-4.3.3-1 to -6
  auto device = Resume("device");
  Subscribe(*device, "t", QoS::kExactlyOnce);
  auto publisher = Connected("publisher");
  Send(*publisher, QoS2Of("x", 1));
  const auto first = device->Next<Publish>();
  EXPECT_EQ(first.qos, QoS::kExactlyOnce);
  EXPECT_FALSE(first.dup);
  Drop(device);
  device = Resume("device");
  const auto again = device->Next<Publish>();
  EXPECT_TRUE(again.dup);
  EXPECT_EQ(again.packet_id, first.packet_id);
  SendId<mqtt::PubRec>(*device, first.packet_id);
  EXPECT_EQ(device->Next<mqtt::PubRel>().packet_id, first.packet_id);
  Drop(device);
  device = Resume("device");
  EXPECT_EQ(device->Next<mqtt::PubRel>().packet_id, first.packet_id);
  SendId<mqtt::PubComp>(*device, first.packet_id);
  Drop(device);
  device = Resume("device");
  EXPECT_EQ(device->waiting(), 0u);
}

TEST_F(BrokerQoS2Test, DropsWhatTheClientRefuses) {
  auto device = Resume("device", nullptr, 3600, 1);
  Subscribe(*device, "t", QoS::kExactlyOnce);
  auto publisher = Connected("publisher");
  Send(*publisher, QoS2Of("x", 1));
  Send(*publisher, QoS2Of("y", 2));
  SendId<mqtt::PubRec>(*device, device->Next<Publish>().packet_id, ReasonCode::kUnspecifiedError);
  EXPECT_EQ(device->Next<Publish>().payload, "y");  // No PUBREL between them.
}

TEST_F(BrokerQoS2Test, AnswersStepsOfNoFlow) {  // 3.6.2.1, 3.7.2.1
  auto client = Connected("me");
  SendId<mqtt::PubRec>(*client, 9);
  EXPECT_EQ(client->Next<mqtt::PubRel>().reason_code, ReasonCode::kPacketIdentifierNotFound);
  SendId<mqtt::PubRel>(*client, 9);
  EXPECT_EQ(client->Next<mqtt::PubComp>().reason_code, ReasonCode::kPacketIdentifierNotFound);
  SendId<mqtt::PubComp>(*client, 9);
  EXPECT_EQ(client->waiting(), 0u);
  EXPECT_FALSE(client->closed());
}

TEST_F(BrokerQoS2Test, RefusesAStepOfAnotherFlow) {
  auto client = Connected("me");
  Subscribe(*client, "t");
  Send(*client, PublishOf("t", "x", 1));
  client->Next<mqtt::PubAck>();
  SendId<mqtt::PubRec>(*client, client->Next<Publish>().packet_id);
  ExpectDisconnected(*client, ReasonCode::kProtocolError);
}

TEST_F(BrokerQoS2Test, RefusesQoS1UnderAnIdentifierThatIsNotReleased) {  // 3.4.2.1
  auto client = Connected("me");
  Send(*client, QoS2Of("x", 7));
  client->Next<mqtt::PubRec>();
  Send(*client, PublishOf("t", "x", 7));
  EXPECT_EQ(client->Next<mqtt::PubAck>().reason_code, ReasonCode::kPacketIdentifierInUse);
}

TEST_F(BrokerQoS2Test, CountsUnreleasedMessagesAgainstTheReceiveMaximum) {  // MQTT-3.3.4-7
  options_.receive_maximum = 3;
  auto client = Connected("me");
  for (mqtt::PacketId id = 1; id <= 3; ++id) {
    Send(*client, QoS2Of("x", id));
    client->Next<mqtt::PubRec>();
  }
  SendId<mqtt::PubRel>(*client, 1);
  client->Next<mqtt::PubComp>();
  Send(*client, QoS2Of("x", 4));
  client->Next<mqtt::PubRec>();
  Send(*client, QoS2Of("x", 5));
  ExpectDisconnected(*client, ReasonCode::kReceiveMaximumExceeded);
}

}  // namespace
}  // namespace mqttrpc::test
