// The packets of MQTT 3.1.1 and 3.1.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mqttrpc/mqtt/status.h"
#include "packets.h"
#include "support/wire_text.h"

namespace mqttrpc::mqtt {
namespace {

constexpr ProtocolVersion kV3 = ProtocolVersion::k311;

Frame FrameOf(std::string_view bytes) { return Frame{static_cast<std::uint8_t>(bytes[0]), AsBytes(bytes.substr(2))}; }

std::string Encoded(const Packet& packet, Sender sender, ProtocolVersion version = kV3) {
  std::string bytes;
  const absl::Status status = EncodePacket(packet, sender, bytes, version);
  EXPECT_TRUE(status.ok()) << status;
  return bytes;
}

ReasonCode RefusalOf(std::string_view wire_text, Sender sender) {
  const std::string bytes = test::Bytes(wire_text);
  const auto packet = DecodePacket(FrameOf(bytes), sender, kV3);
  EXPECT_FALSE(packet.ok()) << wire_text;
  return ReasonCodeOr(packet.status(), ReasonCode::kSuccess);
}

ReasonCode ConnectRefusalOf(std::string_view wire_text) {
  const std::string bytes = test::Bytes(wire_text);
  const auto connect = DecodeConnect(FrameOf(bytes));
  EXPECT_FALSE(connect.ok()) << wire_text;
  return ReasonCodeOr(connect.status(), ReasonCode::kSuccess);
}

TEST(Version3ConnectTest, IsReadInBothOlderForms) {
  for (const auto& [text, version] :
       {std::pair("10 ( <MQTT> 04 C6 003C <me> <will> <gone> <user> <secret> )", ProtocolVersion::k311),
        std::pair("10 ( <MQIsdp> 03 C6 003C <me> <will> <gone> <user> <secret> )", ProtocolVersion::k31)}) {
    const std::string bytes = test::Bytes(text);
    const auto connect = DecodeConnect(FrameOf(bytes));
    ASSERT_TRUE(connect.ok()) << connect.status();
    EXPECT_EQ(connect->version, version);
    EXPECT_TRUE(connect->clean_start);
    EXPECT_EQ(connect->keep_alive, 60);
    EXPECT_EQ(connect->client_id, "me");
    EXPECT_EQ(connect->will->topic_name, "will");
    EXPECT_EQ(connect->will->payload, "gone");
    EXPECT_EQ(connect->password, "secret");
    EXPECT_TRUE(connect->properties.empty());
    EXPECT_EQ(Encoded(*connect, Sender::kClient), bytes);
  }
}

TEST(Version3ConnectTest, IsRefusedForItsOwnReasons) {
  EXPECT_EQ(ConnectRefusalOf("10 ( <MQTT> 03 02 003C <me> )"), ReasonCode::kUnsupportedProtocolVersion);
  EXPECT_EQ(ConnectRefusalOf("10 ( <MQIsdp> 04 02 003C <me> )"), ReasonCode::kUnsupportedProtocolVersion);
  EXPECT_EQ(ConnectRefusalOf("10 ( <MQTT> 04 42 003C <me> <secret> )"), ReasonCode::kMalformedPacket);
  EXPECT_EQ(ConnectRefusalOf("10 ( <MQTT> 04 03 003C <me> )"), ReasonCode::kMalformedPacket);
  EXPECT_EQ(ConnectRefusalOf("10 ( <MQTT> 04 0A 003C <me> )"), ReasonCode::kMalformedPacket);
  EXPECT_EQ(ConnectRefusalOf("10 ( <MQTT> 04 02 003C <me> 00 )"), ReasonCode::kMalformedPacket);
  EXPECT_EQ(ConnectRefusalOf("11 ( <MQTT> 04 02 003C <me> )"), ReasonCode::kMalformedPacket);
  EXPECT_EQ(ConnectRefusalOf("C0 ( )"), ReasonCode::kProtocolError);
}

TEST(Version3PacketTest, HasNoProperties) {
  Properties properties;
  properties.Add(property::kUserProperty, {"name", "value"});
  Publish publish;
  publish.topic_name = "t";
  publish.payload = "x";
  publish.qos = QoS::kAtLeastOnce;
  publish.packet_id = 7;
  publish.properties = properties;
  EXPECT_EQ(Encoded(publish, Sender::kServer), test::Bytes("32 ( <t> 0007 'x' )"));
  ConnAck ack;
  ack.session_present = true;
  ack.properties = properties;
  EXPECT_EQ(Encoded(ack, Sender::kServer), test::Bytes("20 ( 01 00 )"));
}

TEST(Version3PacketTest, SaysWithItsOwnCodesWhatWentWrong) {
  SubAck suback;
  suback.packet_id = 1;
  suback.reason_codes = {ReasonCode::kGrantedQoS1, ReasonCode::kQuotaExceeded};
  EXPECT_EQ(Encoded(suback, Sender::kServer), test::Bytes("90 ( 0001 01 80 )"));
  UnsubAck unsuback;
  unsuback.packet_id = 1;
  unsuback.reason_codes = {ReasonCode::kNoSubscriptionExisted};
  EXPECT_EQ(Encoded(unsuback, Sender::kServer), test::Bytes("B0 ( 0001 )"));
  PubAck puback;
  puback.packet_id = 1;
  puback.reason_code = ReasonCode::kNoMatchingSubscribers;
  EXPECT_EQ(Encoded(puback, Sender::kServer), test::Bytes("40 ( 0001 )"));
  std::string bytes;
  EncodePubAck(1, ReasonCode::kNoMatchingSubscribers, bytes, kV3);
  EXPECT_EQ(bytes, test::Bytes("40 ( 0001 )"));
}

TEST(Version3PacketTest, RefusesAConnectionWithAReturnCode) {
  for (const auto& [code, number] :
       {std::pair(ReasonCode::kUnsupportedProtocolVersion, 1), std::pair(ReasonCode::kClientIdentifierNotValid, 2),
        std::pair(ReasonCode::kServerUnavailable, 3), std::pair(ReasonCode::kQuotaExceeded, 3),
        std::pair(ReasonCode::kBadUserNameOrPassword, 4), std::pair(ReasonCode::kNotAuthorized, 5),
        std::pair(ReasonCode::kBanned, 5)}) {
    EXPECT_EQ(ConnAckReturnCode(code), number);
  }
  const std::string bytes = test::Bytes("20 ( 00 04 )");
  const auto packet = DecodePacket(FrameOf(bytes), Sender::kServer, kV3);
  ASSERT_TRUE(packet.ok()) << packet.status();
  EXPECT_EQ(std::get<ConnAck>(*packet).reason_code, ReasonCode::kBadUserNameOrPassword);
}

TEST(Version3PacketTest, ReadsWhatItWrites) {
  for (const std::string_view text :
       {"30 ( <t> 'x' )", "3D ( <t> 0007 'x' )", "40 ( 0001 )", "50 ( 0001 )", "62 ( 0001 )", "70 ( 0001 )",
        "82 ( 0001 <a/#> 02 <b> 00 )", "A2 ( 0001 <a/#> )", "C0 ( )", "E0 ( )"}) {
    const std::string bytes = test::Bytes(text);
    const auto packet = DecodePacket(FrameOf(bytes), Sender::kClient, kV3);
    ASSERT_TRUE(packet.ok()) << text << packet.status();
    EXPECT_EQ(Encoded(*packet, Sender::kClient), bytes);
  }
}

TEST(Version3PacketTest, RefusesWhatOnlyVersion5Has) {
  EXPECT_EQ(RefusalOf("82 ( 0001 <a> 04 )", Sender::kClient), ReasonCode::kMalformedPacket);
  EXPECT_EQ(RefusalOf("82 ( 0001 <a> 03 )", Sender::kClient), ReasonCode::kMalformedPacket);
  EXPECT_EQ(RefusalOf("40 ( 0001 00 )", Sender::kClient), ReasonCode::kMalformedPacket);
  EXPECT_EQ(RefusalOf("E0 ( 00 )", Sender::kClient), ReasonCode::kMalformedPacket);
  EXPECT_EQ(RefusalOf("F0 ( )", Sender::kClient), ReasonCode::kMalformedPacket);
  EXPECT_EQ(RefusalOf("20 ( 00 06 )", Sender::kServer), ReasonCode::kMalformedPacket);
  std::string bytes;
  EXPECT_FALSE(EncodePacket(Disconnect(), Sender::kServer, bytes, kV3).ok());
  EXPECT_FALSE(EncodePacket(Auth(), Sender::kServer, bytes, kV3).ok());
  EXPECT_EQ(bytes, "");
}

// MQTT 3.1 repeats SUBSCRIBE, UNSUBSCRIBE and PUBREL with DUP; 3.1.1 must not.
TEST(Version3PacketTest, TakesDupOnRequestsIn31Only) {
  const std::string bytes = test::Bytes("8A ( 0001 <a> 01 )");
  EXPECT_TRUE(DecodePacket(FrameOf(bytes), Sender::kClient, ProtocolVersion::k31).ok());
  EXPECT_FALSE(DecodePacket(FrameOf(bytes), Sender::kClient, kV3).ok());
}

}  // namespace
}  // namespace mqttrpc::mqtt
