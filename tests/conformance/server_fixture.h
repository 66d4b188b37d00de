// A broker and clients that say and hear bytes as the specification writes them:
// nothing here goes through our own encoder.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "../broker/broker_fixture.h"
#include "support/wire_text.h"

namespace mqttrpc::test {

class ServerTest : public BrokerTest {
 protected:
  // The text of a CONNECT without will, user name and password.
  static std::string ConnectText(std::string_view client_id, std::string_view properties = "",
                                 std::string_view flags = "02") {
    return "10 ( <MQTT> 05 " + std::string(flags) + " 0000 ( " + std::string(properties) + " ) <" +
           std::string(client_id) + "> )";
  }
  // One whose session outlives its connection by an hour.
  static std::string LastingText(std::string_view client_id, std::string_view more = "",
                                 std::string_view flags = "00") {
    return ConnectText(client_id, "11 00000E10 " + std::string(more), flags);
  }

  void Say(RawClient& client, std::string_view text) {
    client.SendBytes(Bytes(text));
    Settle();
  }

  // The next packet is exactly this.
  static void Hear(RawClient& client, std::string_view text) {
    const RawPacket* packet = client.NextRaw();
    ASSERT_NE(packet, nullptr) << "nothing has arrived; expected " << text;
    EXPECT_EQ(Hex(packet->bytes), Hex(Bytes(text)));
  }
  static void HearNothing(RawClient& client) {
    EXPECT_EQ(client.waiting(), 0u);
    if (client.waiting() > 0) ADD_FAILURE() << Hex(client.NextRaw()->bytes);
  }

  // Answered by CONNACK with success; that is taken.
  std::unique_ptr<RawClient> Accepted(const std::string& connect, bool session_present = false) {
    auto client = NewClient();
    Say(*client, connect);
    const auto ack = client->Next<mqtt::ConnAck>();
    EXPECT_EQ(ack.reason_code, mqtt::ReasonCode::kSuccess) << connect;
    EXPECT_EQ(ack.session_present, session_present) << connect;
    return client;
  }
  std::unique_ptr<RawClient> Client(std::string_view client_id) { return Accepted(ConnectText(client_id)); }

  // Of a session that lasts.
  std::unique_ptr<RawClient> Fresh(std::string_view client_id, std::string_view more = "") {
    return Accepted(LastingText(client_id, more), false);
  }
  std::unique_ptr<RawClient> Resumed(std::string_view client_id, std::string_view more = "") {
    return Accepted(LastingText(client_id, more), true);
  }

  // SUBSCRIBE with these Subscription Options is granted as asked.
  void Listen(RawClient& client, std::string_view filter, std::string_view options = "00") {
    Say(client, "82 ( 0001 () <" + std::string(filter) + "> " + std::string(options) + " )");
    const auto ack = client.Next<mqtt::SubAck>();
    ASSERT_EQ(ack.reason_codes.size(), 1u);
    EXPECT_FALSE(mqtt::IsError(ack.reason_codes[0]));
  }

  // The stream breaks.
  void Lose(std::unique_ptr<RawClient>& client) {
    client->Drop();
    Settle();
  }

  // A CONNECT that is answered by a CONNACK with `code`, then closed.
  void ExpectConnectRefused(const std::string& connect, mqtt::ReasonCode code) {
    SCOPED_TRACE(connect);
    auto client = NewClient();
    Say(*client, connect);
    const auto ack = client->Next<mqtt::ConnAck>();
    EXPECT_EQ(ack.reason_code, code);
    EXPECT_FALSE(ack.session_present);
    EXPECT_EQ(client->waiting(), 0u);
    EXPECT_TRUE(client->closed());
  }

  // A packet of a connected client that is answered by DISCONNECT with `code`, then closed.
  void ExpectRefused(const std::string& packet, mqtt::ReasonCode code) {
    SCOPED_TRACE(packet);
    auto client = Client("hostile");
    Say(*client, packet);
    ExpectDisconnected(*client, code);
  }
};

}  // namespace mqttrpc::test
