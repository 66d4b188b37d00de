// MQTT 5.0, 3.12 to 3.15: PINGREQ, DISCONNECT, AUTH.
#include <algorithm>
#include <memory>

#include "server_fixture.h"

namespace mqttrpc::test {
namespace {

using mqtt::ReasonCode;

class ServerDisconnectTest : public ServerTest {};

// MQTT-3.12.4-1
TEST_F(ServerDisconnectTest, EveryPingReqIsAnswered) {
  auto client = Client("me");
  Say(*client, "C0 ( ) C0 ( )");
  Hear(*client, "D0 ( )");
  Hear(*client, "D0 ( )");
}

// MQTT-3.14.0-1
TEST_F(ServerDisconnectTest, NoDisconnectBeforeAConnAck) {
  for (const char* first : {"C0 ( )", "30 ( <t> () )", "E0 ( )", "82 ( 0001 () <t> 00 )", "00 ( )", "F0 ( )"}) {
    auto client = NewClient();
    Say(*client, first);
    while (client->waiting() > 0) EXPECT_EQ(client->NextRaw()->bytes[0], '\x20') << first;
    EXPECT_TRUE(client->closed()) << first;
  }
}

// MQTT-3.14.1-1
TEST_F(ServerDisconnectTest, RefusesOtherFlagsOfDisconnect) {
  for (const char* first : {"E1", "E2", "E4", "E8", "EF"}) {
    ExpectRefused(first + std::string(" ( )"), ReasonCode::kMalformedPacket);
  }
}

// MQTT-3.14.2-1
TEST_F(ServerDisconnectTest, TakesTheListedReasonCodesOfAClientOnly) {
  const std::vector<int> allowed = {0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99};
  for (int code = 0; code < 256; ++code) {
    auto client = Client("me");
    Say(*client, "E0 ( " + Hex(std::string(1, static_cast<char>(code))) + " )");
    const bool taken = std::find(allowed.begin(), allowed.end(), code) != allowed.end();
    if (!taken) {
      EXPECT_EQ(client->Next<mqtt::Disconnect>().reason_code, ReasonCode::kProtocolError) << code;
    }
    HearNothing(*client);
    EXPECT_TRUE(client->closed());
  }
}

// MQTT-3.14.2-2, MQTT-3.14.4-1, MQTT-3.14.4-2: the server's own.
TEST_F(ServerDisconnectTest, ADisconnectOfTheServerHasNoExpiryAndIsItsLastPacket) {
  auto client = Fresh("me");
  Listen(*client, "t");
  client->SendBytes(Bytes("00 ( ) C0 ( ) 30 ( <t> () )"));
  Settle();
  const auto disconnect = client->Next<mqtt::Disconnect>();
  EXPECT_EQ(disconnect.reason_code, ReasonCode::kMalformedPacket);
  EXPECT_FALSE(disconnect.properties.Has(mqtt::PropertyId::kSessionExpiryInterval));
  HearNothing(*client);
  EXPECT_TRUE(client->closed());
}

// MQTT-3.14.4-1, MQTT-3.14.4-2: the client's.
TEST_F(ServerDisconnectTest, NothingFollowsADisconnectOfTheClient) {
  auto witness = Client("witness");
  Listen(*witness, "t");
  auto client = Client("me");
  Say(*client, "E0 ( ) C0 ( ) 30 ( <t> () )");
  HearNothing(*client);
  EXPECT_TRUE(client->closed());
  HearNothing(*witness);
}

// MQTT-3.14.2-3, MQTT-3.14.2-4
TEST_F(ServerDisconnectTest, DisconnectLeavesItsReasonOutForASmallClient) {
  auto large = Client("large");
  Say(*large, "00 ( )");
  EXPECT_TRUE(large->Next<mqtt::Disconnect>().properties.Has(mqtt::PropertyId::kReasonString));
  auto small = Accepted(ConnectText("small", "27 00000014"));
  Say(*small, "00 ( )");
  Hear(*small, "E0 ( 81 )");
}

// 3.14.2.2.2
TEST_F(ServerDisconnectTest, ASessionWithoutAnExpiryGetsNoneAtItsEnd) {
  ExpectRefused("E0 ( 00 ( 11 0000000A ) )", ReasonCode::kProtocolError);
}

// MQTT-3.15.1-1
TEST_F(ServerDisconnectTest, RefusesOtherFlagsOfAuth) {
  for (const char* first : {"F1", "F2", "F4", "F8", "FF"}) {
    ExpectRefused(first + std::string(" ( 18 ( 15 <m> ) )"), ReasonCode::kMalformedPacket);
  }
}

// MQTT-3.15.2-1. 0x00 is the server's alone.
TEST_F(ServerDisconnectTest, RefusesUnlistedReasonCodesInAuth) {
  for (const char* code : {"00", "01", "17", "80", "82", "8C", "FF"}) {
    ExpectRefused("F0 ( " + std::string(code) + " ( 15 <m> ) )", ReasonCode::kProtocolError);
  }
}

// MQTT-4.12.0-6, MQTT-4.12.0-7
TEST_F(ServerDisconnectTest, WithoutAMethodThereIsNoAuth) {
  auto client = NewClient();
  Say(*client, ConnectText("me"));
  const auto ack = client->Next<mqtt::ConnAck>();
  EXPECT_FALSE(ack.properties.Has(mqtt::PropertyId::kAuthenticationMethod));
  EXPECT_FALSE(ack.properties.Has(mqtt::PropertyId::kAuthenticationData));
  HearNothing(*client);
  Say(*client, "F0 ( 19 ( 15 <m> ) )");
  ExpectDisconnected(*client, ReasonCode::kProtocolError);
}

// Asks once, and then is content.
class OneQuestion final : public broker::Authenticator {
  struct Asking final : Exchange {
    bool asked = false;
    Step OnData(std::optional<std::string_view>) override {
      Step step;
      step.done = std::exchange(asked, true);
      if (!step.done) step.data = "?";
      return step;
    }
  };

 public:
  std::unique_ptr<Exchange> Begin(std::string_view, std::string_view) override { return std::make_unique<Asking>(); }
};

class ServerAuthTest : public ServerTest {
 protected:
  ServerAuthTest() { options_.authenticator = &one_question_; }
  OneQuestion one_question_;
};

// MQTT-3.15.2-2, MQTT-3.15.2-3, MQTT-4.12.0-2, MQTT-4.12.0-5
TEST_F(ServerAuthTest, AuthExplainsNothing) {
  auto client = NewClient();
  Say(*client, ConnectText("me", "15 <m> 16 <!>"));
  Hear(*client, "F0 ( 18 ( 15 <m> 16 <?> ) )");
  Say(*client, "F0 ( 18 ( 15 <m> 16 <!> ) )");
  EXPECT_EQ(client->Next<mqtt::ConnAck>().properties.Get(mqtt::property::kAuthenticationMethod), "m");
  Say(*client, "F0 ( 19 ( 15 <m> ) )");
  Hear(*client, "F0 ( 18 ( 15 <m> 16 <?> ) )");
  Say(*client, "F0 ( 18 ( 15 <m> 16 <!> ) )");
  Hear(*client, "F0 ( 00 ( 15 <m> ) )");
}

}  // namespace
}  // namespace mqttrpc::test
