// From the first byte to CONNACK, and how connections end.
#include <string>

#include "broker_fixture.h"

namespace mqttrpc::test {
namespace {

using mqtt::ConnAck;
using mqtt::Properties;
using mqtt::QoS;
using mqtt::ReasonCode;
using std::chrono::milliseconds;
using std::chrono::seconds;
namespace property = mqtt::property;

class BrokerConnectTest : public BrokerTest {
 protected:
  // The CONNACK to `connect`. The client is kept.
  ConnAck Answer(const mqtt::Connect& connect) {
    client_ = NewClient();
    client_->Send(connect);
    Settle();
    return client_->Next<ConnAck>();
  }
  std::unique_ptr<RawClient> client_;
};

TEST_F(BrokerConnectTest, AnnouncesItsLimits) {
  const ConnAck ack = Answer(ConnectAs("me"));
  EXPECT_EQ(ack.reason_code, ReasonCode::kSuccess);
  EXPECT_FALSE(ack.session_present);  // MQTT-3.2.2-2
  EXPECT_EQ(ack.properties.Get(property::kReceiveMaximum), options_.receive_maximum);
  EXPECT_FALSE(ack.properties.Has(mqtt::PropertyId::kMaximumQoS));  // 3.2.2.3.4: then it is 2.
  EXPECT_FALSE(ack.properties.Has(mqtt::PropertyId::kRetainAvailable));
  EXPECT_EQ(ack.properties.Get(property::kMaximumPacketSize), options_.maximum_packet_size);
  EXPECT_EQ(ack.properties.Get(property::kTopicAliasMaximum), options_.topic_alias_maximum);
  EXPECT_FALSE(ack.properties.Has(mqtt::PropertyId::kAssignedClientIdentifier));
  EXPECT_FALSE(ack.properties.Has(mqtt::PropertyId::kServerKeepAlive));        // MQTT-3.2.2-22
  EXPECT_FALSE(ack.properties.Has(mqtt::PropertyId::kResponseInformation));    // MQTT-3.1.2-28
  EXPECT_FALSE(ack.properties.Has(mqtt::PropertyId::kSessionExpiryInterval));  // The client's own value holds.
}

TEST_F(BrokerConnectTest, AnnouncesWhatItDoesNotDo) {
  options_.maximum_qos = QoS::kAtLeastOnce;
  options_.retain_available = false;
  const ConnAck ack = Answer(ConnectAs("me"));
  EXPECT_EQ(ack.properties.Get(property::kMaximumQoS), 1);  // MQTT-3.2.2-9
  EXPECT_EQ(ack.properties.Get(property::kRetainAvailable), 0);
}

TEST_F(BrokerConnectTest, AssignsAClientId) {  // MQTT-3.1.3-7, MQTT-3.2.2-16
  const std::string first(Answer(ConnectAs("")).properties.Get(property::kAssignedClientIdentifier).value());
  const auto keep = std::move(client_);
  const std::string second(Answer(ConnectAs("")).properties.Get(property::kAssignedClientIdentifier).value());
  EXPECT_NE(first, second);
  EXPECT_LE(first.size(), 23u);
  EXPECT_EQ(broker().statistics().connections, 2u);
}

TEST_F(BrokerConnectTest, TellsThatSessionsEndSoonerThanAsked) {  // 3.2.2.3.2
  options_.maximum_session_expiry = 60;
  Properties properties;
  properties.Set(property::kSessionExpiryInterval, std::uint32_t{3600});
  mqtt::Connect connect = ConnectAs("me");
  connect.clean_start = false;
  connect.properties = properties;
  const ConnAck ack = Answer(connect);
  EXPECT_FALSE(ack.session_present);  // MQTT-3.2.2-3
  EXPECT_EQ(ack.properties.Get(property::kSessionExpiryInterval), 60u);
}

TEST_F(BrokerConnectTest, GivesResponseInformationToThoseWhoAsk) {  // MQTT 4.10.1
  Properties properties;
  properties.Set(property::kRequestResponseInformation, std::uint8_t{1});
  mqtt::Connect connect = ConnectAs("backend-7");
  connect.properties = properties;
  EXPECT_EQ(Answer(connect).properties.Get(property::kResponseInformation), "rpc1/r/backend-7");
  const std::string long_id(65'535, 'x');  // With the prefix it is no string of MQTT any more.
  connect.client_id = long_id;
  EXPECT_FALSE(Answer(connect).properties.Has(mqtt::PropertyId::kResponseInformation));
  connect.client_id = "a/+/b";  // It would name other clients' inboxes.
  EXPECT_FALSE(Answer(connect).properties.Has(mqtt::PropertyId::kResponseInformation));
}

TEST_F(BrokerConnectTest, PutsItsOwnKeepAliveInPlaceOfALargeOne) {  // MQTT-3.2.2-21
  options_.maximum_keep_alive = 30;
  mqtt::Connect connect = ConnectAs("me");
  for (const std::uint16_t asked : {0, 31}) {
    connect.keep_alive = asked;
    EXPECT_EQ(Answer(connect).properties.Get(property::kServerKeepAlive), 30);
  }
  connect.keep_alive = 30;
  EXPECT_FALSE(Answer(connect).properties.Has(mqtt::PropertyId::kServerKeepAlive));
}

TEST_F(BrokerConnectTest, IgnoresUserNameAndPassword) {
  mqtt::Connect connect = ConnectAs("me");
  connect.user_name = "ada";
  connect.password = "secret";
  EXPECT_EQ(Answer(connect).reason_code, ReasonCode::kSuccess);
}

TEST_F(BrokerConnectTest, RefusesAuthenticationMethods) {  // MQTT-4.12.0-1
  Properties properties;
  properties.Set(property::kAuthenticationMethod, std::string_view("SCRAM-SHA-1"));
  mqtt::Connect connect = ConnectAs("me");
  connect.properties = properties;
  EXPECT_EQ(Answer(connect).reason_code, ReasonCode::kBadAuthenticationMethod);
  EXPECT_TRUE(client_->closed());  // MQTT-3.2.2-7
}

TEST_F(BrokerConnectTest, RefusesWillsItCouldNotPublish) {  // MQTT-3.2.2-12, MQTT-3.2.2-13
  options_.maximum_qos = QoS::kAtLeastOnce;
  options_.retain_available = false;
  mqtt::Connect connect = ConnectAs("me");
  mqtt::Will will;
  will.topic_name = "t";
  will.qos = QoS::kExactlyOnce;
  connect.will = will;
  EXPECT_EQ(Answer(connect).reason_code, ReasonCode::kQoSNotSupported);
  connect.will->qos = QoS::kAtLeastOnce;
  connect.will->retain = true;
  EXPECT_EQ(Answer(connect).reason_code, ReasonCode::kRetainNotSupported);
  EXPECT_EQ(broker().statistics().connections_refused, 2u);
}

// MQTT-3.1.2-2. 0x01 is what a client of MQTT 3 understands.
TEST_F(BrokerConnectTest, AnswersVersionsThatNeverWereInMqtt3) {
  for (const std::string_view connect : {std::string_view("\x10\x0C\x00\x04MQTT\x02\x02\x00\x3C\x00\x00", 14),
                                         std::string_view("\x10\x0E\x00\x06MQIsdp\x02\x02\x00\x3C\x00\x00", 16)}) {
    const auto client = NewClient();
    client->SendBytes(connect);
    Settle();
    ASSERT_NE(client->waiting(), 0u);
    EXPECT_EQ(client->NextRaw()->bytes, std::string_view("\x20\x02\x00\x01", 4));
    EXPECT_TRUE(client->closed());
  }
}

TEST_F(BrokerConnectTest, RefusesAVersionToCome) {  // MQTT-3.1.2-2
  const auto client = NewClient();
  client->SendBytes(std::string_view("\x10\x0D\x00\x04MQTT\x06\x02\x00\x3C\x00\x00\x00", 15));
  Settle();
  EXPECT_EQ(client->Next<ConnAck>().reason_code, ReasonCode::kUnsupportedProtocolVersion);
  EXPECT_TRUE(client->closed());
}

TEST_F(BrokerConnectTest, WantsConnectFirst) {  // MQTT-3.1.0-1
  const auto client = NewClient();
  Send(*client, mqtt::PingReq());
  EXPECT_EQ(client->Next<ConnAck>().reason_code, ReasonCode::kProtocolError);
  EXPECT_TRUE(client->closed());
}

TEST_F(BrokerConnectTest, NeedsNoWholePacketToSeeThatItIsNotMqtt) {
  auto client = NewClient();
  client->SendBytes("GET / HTTP/1.1\r\n");
  Settle();
  EXPECT_TRUE(client->closed());
}

TEST_F(BrokerConnectTest, WantsConnectOnce) {  // MQTT-3.1.0-2
  auto client = Connected("me");
  Send(*client, ConnectAs("me"));
  ExpectDisconnected(*client, ReasonCode::kProtocolError);
}

TEST_F(BrokerConnectTest, ProcessesNothingBehindARefusedConnect) {  // MQTT-3.1.4-6
  options_.retain_available = false;
  auto subscriber = Connected("subscriber");
  Subscribe(*subscriber, "t");
  const auto client = NewClient();
  mqtt::Connect connect = ConnectAs("me");
  mqtt::Will will;
  will.topic_name = "t";
  will.retain = true;
  connect.will = will;
  client->Send(connect);
  client->Send(PublishOf("t", "x"));
  Settle();
  EXPECT_EQ(client->Next<ConnAck>().reason_code, ReasonCode::kRetainNotSupported);
  EXPECT_EQ(subscriber->waiting(), 0u);
}

TEST_F(BrokerConnectTest, TakesOnlySmallPacketsBeforeConnect) {
  options_.maximum_connect_packet_size = 4096;
  mqtt::Connect connect = ConnectAs("me");
  const std::string long_name(options_.maximum_connect_packet_size, 'u');
  connect.user_name = long_name;
  EXPECT_EQ(Answer(connect).reason_code, ReasonCode::kPacketTooLarge);
}

TEST_F(BrokerConnectTest, TakesTheLongestFieldsThatMqttAllows) {
  const std::string longest(65'535, 'x');
  mqtt::Connect connect = ConnectAs(longest);
  connect.user_name = longest;
  connect.password = longest;
  connect.will.emplace().topic_name = longest;
  connect.will->payload = longest;
  EXPECT_EQ(Answer(connect).reason_code, ReasonCode::kSuccess);
}

TEST_F(BrokerConnectTest, ClosesAStreamThatNeverConnects) {
  const auto client = NewClient();
  client->SendBytes("\x10");  // The beginning of one buys no time.
  clock_.Advance(options_.connect_timeout - milliseconds(1));
  EXPECT_FALSE(client->closed());
  clock_.Advance(milliseconds(2));
  EXPECT_TRUE(client->closed());
  EXPECT_EQ(broker().statistics().connections_refused, 1u);
}

TEST_F(BrokerConnectTest, RefusesConnectionsOverItsLimit) {
  options_.maximum_connections = 2;
  auto first = Connected("first");
  auto second = Connected("second");
  EXPECT_EQ(Answer(ConnectAs("third")).reason_code, ReasonCode::kQuotaExceeded);
  EXPECT_EQ(Answer(ConnectAs("second")).reason_code, ReasonCode::kSuccess);  // It takes its own place.
}

// MQTT-3.1.2-24: a client that takes next to nothing is not told more than that.
TEST_F(BrokerConnectTest, GivesUpOnAClientThatTakesNoConnAck) {
  Properties properties;
  properties.Set(property::kMaximumPacketSize, std::uint32_t{8});
  mqtt::Connect connect = ConnectAs("me");
  connect.properties = properties;
  EXPECT_EQ(Answer(connect).reason_code, ReasonCode::kPacketTooLarge);
  EXPECT_TRUE(client_->closed());
}

TEST_F(BrokerConnectTest, TakesOverAClientId) {  // MQTT-3.1.4-3
  auto first = Connected("me");
  Subscribe(*first, "t");
  auto second = Connected("me");
  ExpectDisconnected(*first, ReasonCode::kSessionTakenOver);
  Send(*second, PublishOf("t", "x", 1));
  // The first one's subscriptions ended with its session.
  EXPECT_EQ(second->Next<mqtt::PubAck>().reason_code, ReasonCode::kNoMatchingSubscribers);
  EXPECT_EQ(broker().statistics().connections, 1u);
}

TEST_F(BrokerConnectTest, EndsASilentConnection) {  // MQTT-3.1.2-22
  mqtt::Connect connect = ConnectAs("me");
  connect.keep_alive = 10;
  auto client = Connected(connect);
  clock_.Advance(seconds(14));
  Send(*client, mqtt::PingReq());
  client->Next<mqtt::PingResp>();  // MQTT-3.12.4-1
  clock_.Advance(milliseconds(14'999));
  EXPECT_FALSE(client->closed());
  clock_.Advance(milliseconds(2));
  ExpectDisconnected(*client, ReasonCode::kKeepAliveTimeout);
}

TEST_F(BrokerConnectTest, NeverEndsASilentConnectionWithoutKeepAlive) {
  auto client = Connected("me");
  clock_.Advance(std::chrono::hours(1000));
  EXPECT_FALSE(client->closed());
  EXPECT_EQ(clock_.armed(), 0u);
}

class BrokerWillTest : public BrokerTest {
 protected:
  std::unique_ptr<RawClient> ConnectedWithWill() {
    mqtt::Will will;
    will.topic_name = "gone";
    will.payload = "me";
    will.qos = QoS::kAtLeastOnce;
    will.properties = properties_;
    mqtt::Connect connect = ConnectAs("mortal");
    connect.keep_alive = 10;
    connect.will = will;
    witness_ = Connected("witness");
    Subscribe(*witness_, "gone");
    return Connected(connect);
  }
  void ExpectWill() {
    Settle();
    EXPECT_EQ(witness_->Next<mqtt::Publish>().payload, "me");
  }
  void ExpectNoWill() {
    Settle();
    EXPECT_EQ(witness_->waiting(), 0u);
  }
  static mqtt::Disconnect DisconnectWith(ReasonCode code) {
    mqtt::Disconnect disconnect;
    disconnect.reason_code = code;
    return disconnect;
  }
  Properties properties_;
  std::unique_ptr<RawClient> witness_;
};

TEST_F(BrokerWillTest, IsPublishedWhenTheStreamBreaks) {  // MQTT-3.1.2-8
  properties_.Add(property::kUserProperty, {"b", "1"});
  properties_.Set(property::kWillDelayInterval, std::uint32_t{60});  // The session ends before.
  properties_.Set(property::kContentType, std::string_view("text/plain"));
  properties_.Add(property::kUserProperty, {"a", "2"});
  auto client = ConnectedWithWill();
  client->Drop();
  Settle();
  properties_.Remove(mqtt::PropertyId::kWillDelayInterval);
  EXPECT_EQ(witness_->Next<mqtt::Publish>().properties.wire_bytes(), properties_.view().wire_bytes());  // MQTT-3.1.3-10
}

TEST_F(BrokerWillTest, IsDeletedByANormalDisconnect) {  // MQTT-3.14.4-3
  auto client = ConnectedWithWill();
  Send(*client, DisconnectWith(ReasonCode::kNormalDisconnection));
  EXPECT_TRUE(client->closed());
  ExpectNoWill();
}

TEST_F(BrokerWillTest, IsPublishedByADisconnectThatAsksForIt) {  // 3.14.2.1
  auto client = ConnectedWithWill();
  Send(*client, DisconnectWith(ReasonCode::kDisconnectWithWillMessage));
  EXPECT_TRUE(client->closed());
  ExpectWill();
}

TEST_F(BrokerWillTest, IsPublishedWhenTheClientIsSilent) {
  auto client = ConnectedWithWill();
  clock_.Advance(seconds(16));
  ExpectWill();
}

TEST_F(BrokerWillTest, IsPublishedWhenTheClientBreaksTheProtocol) {
  auto client = ConnectedWithWill();
  client->SendBytes(std::string_view("\x00\x00", 2));
  ExpectWill();
}

TEST_F(BrokerWillTest, IsPublishedAtATakeover) {
  auto client = ConnectedWithWill();
  auto second = Connected("mortal");
  ExpectWill();
}

class BrokerDisconnectTest : public BrokerTest {};

TEST_F(BrokerDisconnectTest, RefusesToGiveASessionALaterLife) {  // 3.14.2.2.2
  Properties properties;
  properties.Set(property::kSessionExpiryInterval, std::uint32_t{10});
  mqtt::Disconnect disconnect;
  disconnect.properties = properties;
  auto client = Connected("me");
  Send(*client, disconnect);
  ExpectDisconnected(*client, ReasonCode::kProtocolError);
}

TEST_F(BrokerDisconnectTest, RefusesAuthWithoutAMethodInConnect) {  // MQTT-4.12.0-6
  Properties properties;
  properties.Set(property::kAuthenticationMethod, std::string_view("m"));
  mqtt::Auth auth;
  auth.reason_code = ReasonCode::kReAuthenticate;
  auth.properties = properties;
  auto client = Connected("me");
  Send(*client, auth);
  ExpectDisconnected(*client, ReasonCode::kProtocolError);
}

TEST_F(BrokerDisconnectTest, IgnoresAPubAckForNothing) {
  auto client = Connected("me");
  mqtt::PubAck ack;
  ack.packet_id = 9;
  Send(*client, ack);
  Send(*client, mqtt::PingReq());
  client->Next<mqtt::PingResp>();
}

TEST_F(BrokerDisconnectTest, RefusesPacketsOverItsMaximum) {
  options_.maximum_packet_size = 2000;
  auto client = Connected("me");
  Send(*client, PublishOf("t", std::string(2000, 'x')));
  ExpectDisconnected(*client, ReasonCode::kPacketTooLarge);
}

TEST_F(BrokerDisconnectTest, LeavesTheReasonStringOutForASmallClient) {  // MQTT-3.14.2-3
  Properties properties;
  properties.Set(property::kMaximumPacketSize, std::uint32_t{40});
  mqtt::Connect connect = ConnectAs("small");
  connect.properties = properties;
  auto small = Connected(connect);
  Send(*small, ConnectAs("small"));
  const auto disconnect = small->Next<mqtt::Disconnect>();
  EXPECT_EQ(disconnect.reason_code, ReasonCode::kProtocolError);
  EXPECT_EQ(disconnect.properties.Get(property::kReasonString), "Protocol Error: a second CONNECT");
  Send(*Connected("large"), mqtt::PingReq());

  properties.Set(property::kMaximumPacketSize, std::uint32_t{30});
  connect.properties = properties;
  small = Connected(connect);
  Send(*small, ConnectAs("small"));
  EXPECT_TRUE(small->Next<mqtt::Disconnect>().properties.empty());
}

}  // namespace
}  // namespace mqttrpc::test
