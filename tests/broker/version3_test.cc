// Clients of MQTT 3.1.1 and 3.1 beside those of 5.0.
#include "broker_fixture.h"
#include "support/wire_text.h"

namespace mqttrpc::test {
namespace {

using std::chrono::seconds;

class BrokerVersion3Test : public BrokerTest {
 protected:
  // A client of MQTT 3.1.1 that was accepted; `connack` is the answer's text.
  std::unique_ptr<RawClient> ConnectV3(std::string_view connect, std::string_view connack = "20 ( 00 00 )") {
    auto client = NewClient();
    SendText(*client, connect);
    ExpectText(*client, connack);
    return client;
  }
  std::unique_ptr<RawClient> CleanV3(std::string_view client_id) {
    return ConnectV3("10 ( <MQTT> 04 02 003C <" + std::string(client_id) + "> )");
  }
  void SendText(RawClient& client, std::string_view text) {
    client.SendBytes(Bytes(text));
    Settle();
  }
  static void ExpectText(RawClient& client, std::string_view text) {
    const RawPacket* packet = client.NextRaw();
    ASSERT_NE(packet, nullptr) << "nothing has arrived; expected " << text;
    EXPECT_EQ(Hex(packet->bytes), Hex(Bytes(text)));
  }
};

TEST_F(BrokerVersion3Test, ExchangesMessagesWithVersion5) {
  auto old = CleanV3("old");
  SendText(*old, "82 ( 0001 <t/#> 01 )");
  ExpectText(*old, "90 ( 0001 01 )");
  auto modern = Connected("modern");
  Subscribe(*modern, "t/+");
  mqtt::Properties properties;
  properties.Add(mqtt::property::kUserProperty, {"name", "value"});
  mqtt::Publish publish = PublishOf("t/a", "x", 1);
  publish.properties = properties;
  Send(*modern, publish);
  modern->Next<mqtt::PubAck>();
  ExpectText(*old, "32 ( <t/a> 0001 'x' )");  // Without the properties.
  EXPECT_TRUE(modern->Next<mqtt::Publish>().properties.UserProperty("name").has_value());
  SendText(*old, "34 ( <t/b> 0009 'y' )");
  ExpectText(*old, "50 ( 0009 )");
  EXPECT_EQ(modern->Next<mqtt::Publish>().payload, "y");
}

TEST_F(BrokerVersion3Test, SpeaksMqtt31Too) {
  auto client = ConnectV3("10 ( <MQIsdp> 03 02 003C <old> )");
  SendText(*client, "82 ( 0001 <t> 00 )");
  ExpectText(*client, "90 ( 0001 00 )");
  SendText(*client, "30 ( <t> 'x' )");
  ExpectText(*client, "30 ( <t> 'x' )");
  SendText(*client, "C0 ( )");
  ExpectText(*client, "D0 ( )");
}

TEST_F(BrokerVersion3Test, SharesALargeMessageWithVersion5) {
  auto old = CleanV3("old");
  SendText(*old, "82 ( 0001 <t> 00 )");
  ExpectText(*old, "90 ( 0001 00 )");
  auto modern = Connected("modern");
  Subscribe(*modern, "t");
  const std::string payload(100'000, 'x');
  mqtt::Properties properties;
  properties.Set(mqtt::property::kContentType, "text");
  mqtt::Publish publish = PublishOf("t", payload);
  publish.properties = properties;
  Send(*modern, publish);
  ExpectText(*old, "30 ( <t> '" + payload + "' )");
  EXPECT_EQ(modern->Next<mqtt::Publish>().payload, payload);
}

TEST_F(BrokerVersion3Test, KeepsASessionForAsLongAsTheBrokerChose) {
  options_.v3_session_expiry = 100;
  constexpr std::string_view kPersistent = "10 ( <MQTT> 04 00 003C <old> )";
  auto old = ConnectV3(kPersistent);
  SendText(*old, "82 ( 0001 <t> 01 )");
  SendText(*old, "E0 ( )");
  EXPECT_TRUE(old->closed());
  auto modern = Connected("modern");
  Send(*modern, PublishOf("t", "kept", 1));
  clock_.Advance(seconds(99));
  old = ConnectV3(kPersistent, "20 ( 01 00 )");
  ExpectText(*old, "32 ( <t> 0001 'kept' )");
  old->Drop();
  clock_.Advance(seconds(100));
  ConnectV3(kPersistent, "20 ( 00 00 )");
}

TEST_F(BrokerVersion3Test, RefusesAnEmptyClientIdThatWouldLast) {  // 3.1.1: MQTT-3.1.3-8
  auto client = ConnectV3("10 ( <MQTT> 04 00 003C 0000 )", "20 ( 00 02 )");
  EXPECT_TRUE(client->closed());
}

TEST_F(BrokerVersion3Test, RefusesAnEmptyClientIdOfMqtt31) {
  auto client = ConnectV3("10 ( <MQIsdp> 03 02 003C <> )", "20 ( 00 02 )");
  EXPECT_TRUE(client->closed());
}

// A bridge of mosquitto asks with 0x84, and again with 4 when it is answered so.
TEST_F(BrokerVersion3Test, AnswersVersionsThatItDoesNotKnowInTheirLayout) {
  EXPECT_TRUE(ConnectV3("10 ( <MQTT> 84 02 003C <b> )", "20 ( 00 01 )")->closed());
  EXPECT_TRUE(ConnectV3("10 ( <MQTT> 06 02 003C <b> )", "20 ( 00 01 )")->closed());
  EXPECT_TRUE(ConnectV3("10 ( <MQTT> 00 02 003C <b> )", "20 ( 00 01 )")->closed());
}

TEST_F(BrokerVersion3Test, TakesAnEmptyClientIdThatWillNotLast) {  // 3.1.1: MQTT-3.1.3-6
  CleanV3("");
}

TEST_F(BrokerVersion3Test, ClosesWithoutAWordOnWhatIsMalformed) {
  auto client = CleanV3("old");
  SendText(*client, "36 ( <t> 0001 )");  // QoS 3.
  EXPECT_EQ(client->waiting(), 0u);
  EXPECT_TRUE(client->closed());
}

TEST_F(BrokerVersion3Test, PublishesTheWillOfAnOldClient) {
  auto watcher = Connected("watcher");
  Subscribe(*watcher, "will");
  ConnectV3("10 ( <MQTT> 04 06 003C <old> <will> <gone> )")->Drop();
  Settle();
  EXPECT_EQ(watcher->Next<mqtt::Publish>().payload, "gone");
}

TEST_F(BrokerVersion3Test, EndsAnOldConnectionAtATakeover) {  // 3.1.1: MQTT-3.1.4-2
  auto old = CleanV3("me");
  auto modern = Connected("me");
  EXPECT_EQ(old->waiting(), 0u);
  EXPECT_TRUE(old->closed());
}

TEST_F(BrokerVersion3Test, CarriesQoS2BothWays) {
  auto old = CleanV3("old");
  SendText(*old, "82 ( 0001 <t> 02 )");
  ExpectText(*old, "90 ( 0001 02 )");
  SendText(*old, "34 ( <t> 0009 'x' )");
  ExpectText(*old, "50 ( 0009 )");
  ExpectText(*old, "34 ( <t> 0001 'x' )");
  SendText(*old, "62 ( 0009 )");
  ExpectText(*old, "70 ( 0009 )");
  SendText(*old, "50 ( 0001 )");
  ExpectText(*old, "62 ( 0001 )");
  SendText(*old, "70 ( 0001 )");
  EXPECT_EQ(old->waiting(), 0u);
}

}  // namespace
}  // namespace mqttrpc::test
