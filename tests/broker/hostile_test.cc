// Bytes that no client should send.
#include <random>
#include <string>

#include "broker_fixture.h"
#include "handshake.h"
#include "support/packet_corpus.h"
#include "support/wire_text.h"

namespace mqttrpc::test {
namespace {

using mqtt::ReasonCode;

class BrokerHostileTest : public BrokerTest {
 protected:
  static bool IsConnect(std::string_view bytes) { return static_cast<unsigned char>(bytes[0]) >> 4 == 1; }
  // Of a short packet.
  static mqtt::Frame FrameOf(std::string_view bytes) {
    return mqtt::Frame{static_cast<std::uint8_t>(bytes[0]), mqtt::AsBytes(bytes.substr(2))};
  }
};

// A CONNECT of MQTT 3.1.1 whose level never was (MQTT-3.1.2-2).
constexpr std::string_view kRefusalInMqtt3("\x20\x02\x00\x01", 4);

// 4.13.1: each mistake is answered with its own Reason Code, then the stream is closed.
TEST_F(BrokerHostileTest, AnswersEveryMistakeWithItsReasonCode) {
  int tried = 0;
  for (const MalformedPacket& bad : MalformedPackets()) {
    if (bad.sender != mqtt::Sender::kClient || bad.bytes.empty()) continue;
    if (bad.name.starts_with("CONNECT of MQTT 3.1")) continue;  // Wrong for a client of 5.0 only.
    SCOPED_TRACE(bad.name);
    ++tried;
    if (IsConnect(bad.bytes)) {
      const auto client = NewClient();
      client->SendBytes(bad.bytes);
      Settle();
      ASSERT_NE(client->waiting(), 0u);
      const RawPacket& answer = *client->NextRaw();
      if (answer.bytes != kRefusalInMqtt3) {
        EXPECT_EQ(answer.As<mqtt::ConnAck>().reason_code, broker::ForConnAck(bad.reason_code));
      }
      EXPECT_TRUE(client->closed());
    } else {
      auto client = Connected("hostile");
      client->SendBytes(bad.bytes);
      Settle();
      ExpectDisconnected(*client, bad.reason_code);
    }
  }
  EXPECT_GT(tried, 300);
  ExpectServing();
}

// Each entry costs far more than its bytes.
TEST_F(BrokerHostileTest, RefusesListsOfMoreThanAMebibyte) {
  constexpr std::size_t kTooMany = 300'000;
  mqtt::Properties properties;
  for (std::size_t i = 0; i < kTooMany; ++i) properties.Add(mqtt::property::kUserProperty, {"", ""});
  mqtt::Publish publish = PublishOf("t", "x", 1);
  publish.properties = properties;
  mqtt::Subscribe subscribe;
  subscribe.packet_id = 1;
  subscribe.entries.resize(kTooMany);
  for (auto& entry : subscribe.entries) entry.topic_filter = "a";
  for (const mqtt::Packet& packet : {mqtt::Packet(publish), mqtt::Packet(subscribe)}) {
    auto client = Connected("me");
    Send(*client, packet);
    ExpectDisconnected(*client, ReasonCode::kQuotaExceeded);
  }
  ExpectServing();
}

TEST_F(BrokerHostileTest, TakesAMebibyteOfProperties) {
  mqtt::Properties properties;
  for (int i = 0; i < 200'000; ++i) properties.Add(mqtt::property::kUserProperty, {"", ""});
  const std::string payload(2'000'000, 'x');
  mqtt::Publish publish = PublishOf("t", payload, 1);
  publish.properties = properties;
  auto client = Connected("me");
  Send(*client, publish);
  EXPECT_FALSE(mqtt::IsError(client->Next<mqtt::PubAck>().reason_code));
}

// MQTT 3 has no words for a mistake: the stream is closed. Before CONNACK there is a
// return code for a version that is not known, and for some other reasons.
TEST_F(BrokerHostileTest, ClosesOnEveryMistakeOfMqtt3) {
  const std::string accepted("\x20\x02\x00\x00", 4);
  for (const MalformedPacket& bad : MalformedVersion3Packets()) {
    if (bad.sender != mqtt::Sender::kClient || IsConnect(bad.bytes)) continue;
    SCOPED_TRACE(bad.name);
    const auto client = NewClient();
    client->SendBytes(bad.version == mqtt::ProtocolVersion::k31 ? Bytes("10 ( <MQIsdp> 03 02 003C <hostile> )")
                                                                : Bytes("10 ( <MQTT> 04 02 003C <hostile> )"));
    client->SendBytes(bad.bytes);
    Settle();
    ASSERT_EQ(client->waiting(), 1u);
    EXPECT_EQ(client->NextRaw()->bytes, accepted);
    EXPECT_TRUE(client->closed());
  }
  for (const MalformedPacket& bad : MalformedVersion3Packets()) {
    if (bad.sender != mqtt::Sender::kClient || !IsConnect(bad.bytes)) continue;
    if (mqtt::DecodeConnect(FrameOf(bad.bytes)).ok()) continue;  // Wrong for another version's client only.
    SCOPED_TRACE(bad.name);
    const auto client = NewClient();
    client->SendBytes(bad.bytes);
    Settle();
    while (const RawPacket* answer = client->NextRaw()) EXPECT_NE(answer->bytes, accepted);
    EXPECT_TRUE(client->closed());
  }
  ExpectServing();
}

// Every packet cut short at each of its bytes, and then the stream's end.
TEST_F(BrokerHostileTest, SurvivesStreamsThatEndInAPacket) {
  for (const ValidPacket& packet : ValidPackets()) {
    if (packet.sender != mqtt::Sender::kClient) continue;
    for (std::size_t size = 0; size < packet.bytes.size(); ++size) {
      const auto client = IsConnect(packet.bytes) ? NewClient() : Connected("hostile");
      client->SendBytes(std::string_view(packet.bytes).substr(0, size));
      Settle();
      client->Drop();
      Settle();
    }
  }
  EXPECT_EQ(broker().statistics().connections, 0u);
  ExpectServing();
}

TEST_F(BrokerHostileTest, SurvivesRandomBytes) {
  std::mt19937 random(1);
  for (int round = 0; round < 2'000; ++round) {
    const auto client = round % 2 == 0 ? NewClient() : Connected("hostile");
    std::string bytes(1 + random() % 300, '\0');
    for (char& each : bytes) each = static_cast<char>(random());
    client->SendBytes(bytes);
    Settle();
  }
  ExpectServing();
}

// Whole packets with single bytes changed go deeper than noise.
TEST_F(BrokerHostileTest, SurvivesPacketsWithAByteChanged) {
  std::mt19937 random(2);
  for (const ValidPacket& packet : ValidPackets()) {
    if (packet.sender != mqtt::Sender::kClient) continue;
    for (int round = 0; round < 50; ++round) {
      const auto client = IsConnect(packet.bytes) ? NewClient() : Connected("hostile");
      std::string bytes = packet.bytes;
      bytes[random() % bytes.size()] = static_cast<char>(random());
      client->SendBytes(bytes);
      Settle();
    }
  }
  ExpectServing();
}

TEST_F(BrokerHostileTest, TakesPacketsByteByByte) {
  auto client = Connected("me");
  Subscribe(*client, "t");
  std::string bytes;
  ASSERT_TRUE(mqtt::EncodePublish(PublishOf("t", "slowly", 1), mqtt::Sender::kClient, bytes).ok());
  for (const char each : bytes) {
    client->SendBytes(std::string_view(&each, 1));
    Settle();
  }
  client->Next<mqtt::PubAck>();
  EXPECT_EQ(client->Next<mqtt::Publish>().payload, "slowly");
}

}  // namespace
}  // namespace mqttrpc::test
