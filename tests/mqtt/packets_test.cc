#include "packets.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "frame_buffer.h"
#include "mqttrpc/mqtt/status.h"
#include "support/packet_corpus.h"
#include "support/wire_text.h"

namespace mqttrpc::mqtt {
namespace {

using test::Bytes;
using test::Hex;
using test::MalformedPacket;
using test::ValidPacket;

// As a connection does it: cut out the first packet, then decode it. The packet
// points into `bytes`.
absl::StatusOr<Packet> Receive(std::string_view bytes, Sender sender, ProtocolVersion version = ProtocolVersion::k5) {
  FrameBuffer buffer(kMaximumVariableByteInteger);
  buffer.Feed(AsBytes(bytes));
  const auto frame = buffer.Next();
  if (!frame.ok()) return frame.status();
  if (!frame->has_value()) return absl::OutOfRangeError("not a whole packet");
  return DecodePacket(**frame, sender, version);
}

// Of every version.
std::vector<ValidPacket> AllValidPackets() {
  std::vector<ValidPacket> all = test::ValidPackets();
  const std::vector<ValidPacket>& older = test::ValidVersion3Packets();
  all.insert(all.end(), older.begin(), older.end());
  return all;
}

std::vector<MalformedPacket> AllMalformedPackets() {
  std::vector<MalformedPacket> all = test::MalformedPackets();
  const std::vector<MalformedPacket>& older = test::MalformedVersion3Packets();
  all.insert(all.end(), older.begin(), older.end());
  return all;
}

TEST(ValidPacketsTest, CoverEveryPacketTypeFromEverySideThatMaySendIt) {
  std::map<ProtocolVersion, std::vector<int>> all_seen;
  for (const ValidPacket& each : AllValidPackets()) {
    std::vector<int>& seen = all_seen[each.version];
    seen.resize(32);
    ++seen[static_cast<std::size_t>(TypeOf(each.packet)) + (each.sender == Sender::kServer ? 16 : 0)];
  }
  EXPECT_EQ(all_seen.size(), 3u);
  for (const auto& [version, seen] : all_seen) {
    for (const int client : {1, 3, 4, 5, 6, 7, 8, 10, 12, 14}) EXPECT_GT(seen[client], 0) << client;
    for (const int server : {2, 3, 4, 5, 6, 7, 9, 11, 13}) EXPECT_GT(seen[16 + server], 0) << server;
    for (const int from_version_5 : {15, 16 + 14, 16 + 15}) {
      EXPECT_EQ(seen[from_version_5] > 0, version == ProtocolVersion::k5) << from_version_5;
    }
  }
}

TEST(ValidPacketsTest, AreDecodedToWhatTheyMean) {
  for (const ValidPacket& each : AllValidPackets()) {
    SCOPED_TRACE(each.name);
    const auto packet = Receive(each.bytes, each.sender, each.version);
    ASSERT_TRUE(packet.ok()) << packet.status() << "\n" << Hex(each.bytes);
    EXPECT_EQ(TypeOf(*packet), TypeOf(each.packet));
    EXPECT_TRUE(*packet == each.packet);
  }
}

TEST(ValidPacketsTest, AreEncodedToTheSameBytes) {
  for (const ValidPacket& each : AllValidPackets()) {
    SCOPED_TRACE(each.name);
    WireBuffer out = "kept";
    ASSERT_TRUE(EncodePacket(each.packet, each.sender, out, each.version).ok());
    ASSERT_EQ(out.substr(0, 4), "kept");
    out.erase(0, 4);
    if (each.shortest) {
      EXPECT_EQ(Hex(out), Hex(each.bytes));
    } else {
      EXPECT_NE(out, each.bytes);
      EXPECT_LE(out.size(), each.bytes.size());
      EXPECT_TRUE(*Receive(out, each.sender, each.version) == each.packet);
    }
  }
}

TEST(ValidPacketsTest, AreNoPacketsWhenCutShort) {
  for (const ValidPacket& each : AllValidPackets()) {
    for (std::size_t size = 0; size < test::BodyOf(each.bytes).size(); ++size) {
      const bool again = test::IsPacketAgain(each, size);
      if (again && size > 300 && size + 300 < each.bytes.size()) continue;  // The long payload's middle.
      SCOPED_TRACE(each.name + " cut to " + std::to_string(size));
      const std::string bytes = test::Truncated(each, size);
      const auto packet = Receive(bytes, each.sender, each.version);
      ASSERT_EQ(packet.ok(), again) << packet.status();
      if (again) continue;
      const auto code = ReasonCodeOf(packet.status());
      // 0x82 where what is left can be read, but is an empty list or a bare AUTH.
      EXPECT_TRUE(code == ReasonCode::kMalformedPacket || code == ReasonCode::kProtocolError) << packet.status();
    }
  }
}

TEST(ValidPacketsTest, AreNoPacketsWithAByteMore) {
  for (const ValidPacket& each : AllValidPackets()) {
    SCOPED_TRACE(each.name);
    const bool publish = TypeOf(each.packet) == PacketType::kPublish;  // Its payload just grows.
    const std::string zero = test::Extended(each, '\x00');
    EXPECT_EQ(Receive(zero, each.sender, each.version).ok(), publish || each.zero_may_follow);
    const std::string ones = test::Extended(each, '\xFF');
    EXPECT_EQ(Receive(ones, each.sender, each.version).ok(), publish);
  }
}

TEST(MalformedPacketsTest, AreRefusedWithTheirReasonCode) {
  for (const MalformedPacket& each : AllMalformedPackets()) {
    SCOPED_TRACE(each.name + ": " + Hex(each.bytes));
    const auto packet = Receive(each.bytes, each.sender, each.version);
    ASSERT_FALSE(packet.ok());
    EXPECT_EQ(ReasonCodeOf(packet.status()), each.reason_code) << packet.status();
  }
}

TEST(DecodePacketTest, SaysWhatWasWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"30 ( <a> ( 23 0000 ) )", "Topic Alias invalid: PUBLISH: Topic Alias is 0"},
      {"30 ( <a/+> () )", "Topic Name invalid: PUBLISH: Topic Name has a wildcard"},
      {"82 ( 0001 () )", "Protocol Error: SUBSCRIBE: there is no Topic Filter"},
      {"10 ( <MQTT> 05 82 003C () <me> 0002 C328 )", "Malformed Packet: CONNECT: User Name is not well-formed UTF-8"},
      {"E0 ( 00 ( 1F <> 1F <> ) )", "Protocol Error: DISCONNECT: Reason String occurs twice"},
      {"C0 01 00", "Malformed Packet: PINGREQ: bytes are left over"},
      {"20 03 00 00 00", "Protocol Error: CONNACK: may not be sent by this side"},
  };
  for (const auto& [text, message] : cases) {
    const std::string bytes = Bytes(text);
    EXPECT_EQ(ToStd(Receive(bytes, Sender::kClient).status().message()), message);
  }
}

TEST(DecodePacketTest, KeepsEveryByteOfAByteOrderMark) {  // MQTT-1.5.4-3
  const std::string bytes = Bytes("30 ( 0004 EFBBBF 'a' () )");
  const auto packet = Receive(bytes, Sender::kClient);
  ASSERT_TRUE(packet.ok());
  EXPECT_EQ(std::get<Publish>(*packet).topic_name,
            "\xEF\xBB\xBF"
            "a");
}

// --- encoding refuses what decoding refuses -----------------------------------------

const std::string kTooLong(65'536, 'x');
constexpr std::string_view kBadUtf8 = "\xC3(";

// Expects kInvalidArgument and an untouched buffer.
void ExpectRefused(const Packet& packet, Sender sender, std::string_view message,
                   ProtocolVersion version = ProtocolVersion::k5) {
  WireBuffer out = "kept";
  const absl::Status status = EncodePacket(packet, sender, out, version);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_NE(ToStd(status.message()).find(message), std::string_view::npos) << status;
  EXPECT_EQ(out, "kept");
}

TEST(EncodePacketTest, RefusesBadConnects) {
  Connect connect;
  ExpectRefused(connect, Sender::kServer, "may not be sent by this side");
  connect.client_id = kTooLong;
  ExpectRefused(connect, Sender::kClient, "Client Identifier is longer than 65,535 bytes");
  connect.client_id = kBadUtf8;
  ExpectRefused(connect, Sender::kClient, "Client Identifier is not well-formed UTF-8");
  connect.client_id = "me";
  connect.user_name = std::string_view("\0", 1);
  ExpectRefused(connect, Sender::kClient, "User Name is not well-formed UTF-8");
  connect.user_name.reset();
  connect.password = kTooLong;
  ExpectRefused(connect, Sender::kClient, "Password is longer");
  connect.password.reset();
  connect.will.emplace().topic_name = "a/#";
  ExpectRefused(connect, Sender::kClient, "Will Topic has a wildcard");
  connect.will->topic_name = "a";
  connect.will->qos = static_cast<QoS>(3);
  ExpectRefused(connect, Sender::kClient, "Will QoS is over 2");
  connect.will->qos = QoS::kAtMostOnce;
  connect.will->payload = kTooLong;
  ExpectRefused(connect, Sender::kClient, "Will Payload is longer");

  ConnAck ack;
  ack.session_present = true;
  ack.reason_code = ReasonCode::kBanned;
  ExpectRefused(ack, Sender::kServer, "Session Present is set in a refusal");
}

TEST(EncodePacketTest, RefusesBadPublishes) {
  Publish publish;
  ExpectRefused(publish, Sender::kClient, "Topic Name is empty and there is no Topic Alias");
  publish.topic_name = "a/+";
  ExpectRefused(publish, Sender::kClient, "Topic Name has a wildcard");
  publish.topic_name = kTooLong;
  ExpectRefused(publish, Sender::kClient, "Topic Name is longer than 65,535 bytes");
  publish.topic_name = kBadUtf8;
  ExpectRefused(publish, Sender::kClient, "Topic Name is not well-formed UTF-8");
  publish.topic_name = "a";
  publish.packet_id = 1;
  ExpectRefused(publish, Sender::kClient, "Packet Identifier is set with QoS 0");
  publish.packet_id = 0;
  publish.dup = true;
  ExpectRefused(publish, Sender::kClient, "DUP is set with QoS 0");
  publish.qos = QoS::kAtLeastOnce;
  ExpectRefused(publish, Sender::kClient, "Packet Identifier is 0");
  publish.packet_id = 1;
  publish.qos = static_cast<QoS>(3);
  ExpectRefused(publish, Sender::kClient, "QoS is 3");
}

TEST(EncodePacketTest, RefusesPacketsOverTheLimitOfRemainingLength) {
  // Never read: the size alone is refused.
  const std::string_view huge("", kMaximumVariableByteInteger - 3);
  Publish publish;
  publish.topic_name = "a";
  publish.payload = huge;
  ExpectRefused(publish, Sender::kClient, "over 268,435,455 bytes");
}

TEST(EncodePacketTest, RefusesBadLists) {
  Subscribe subscribe;
  subscribe.packet_id = 1;
  ExpectRefused(subscribe, Sender::kClient, "there is no Topic Filter");
  subscribe.entries.push_back({"a/#", static_cast<QoS>(3)});
  ExpectRefused(subscribe, Sender::kClient, "Maximum QoS is 3");
  subscribe.entries[0] = {"a/#/b"};
  ExpectRefused(subscribe, Sender::kClient, "Topic Filter has a '#' before its end");
  subscribe.entries[0] = {"a", QoS::kAtMostOnce, false, false, 3};
  ExpectRefused(subscribe, Sender::kClient, "Retain Handling is over 2");
  subscribe.entries[0] = {"$share/g/a", QoS::kAtMostOnce, true};
  ExpectRefused(subscribe, Sender::kClient, "No Local is set on a shared subscription");
  subscribe.entries[0] = {"a"};
  subscribe.packet_id = 0;
  ExpectRefused(subscribe, Sender::kClient, "Packet Identifier is 0");

  Unsubscribe unsubscribe;
  unsubscribe.packet_id = 1;
  ExpectRefused(unsubscribe, Sender::kClient, "there is no Topic Filter");
  unsubscribe.topic_filters = {""};
  ExpectRefused(unsubscribe, Sender::kClient, "Topic Filter is empty");

  SubAck ack;
  ack.packet_id = 1;
  ExpectRefused(ack, Sender::kServer, "there is no Reason Code");
  ack.reason_codes = {ReasonCode::kNoSubscriptionExisted};
  ExpectRefused(ack, Sender::kServer, "Reason Code is not one of this packet's");
}

TEST(EncodePacketTest, RefusesBadReasonCodes) {
  PubAck ack;
  ExpectRefused(ack, Sender::kServer, "Packet Identifier is 0");
  ack.packet_id = 1;
  ack.reason_code = ReasonCode::kNoMatchingSubscribers;
  ExpectRefused(ack, Sender::kClient, "Reason Code may not be sent by this side");
  Disconnect disconnect;
  ExpectRefused(disconnect, Sender::kServer, "Reason Code may not be sent by this side");
  Auth auth;
  auth.reason_code = ReasonCode::kContinueAuthentication;
  ExpectRefused(auth, Sender::kClient, "there is no Authentication Method");
}

TEST(EncodePacketTest, RefusesWhatMqtt3DoesNotHave) {
  const auto expect_refused = [](const Packet& packet, Sender sender, std::string_view message) {
    ExpectRefused(packet, sender, message, ProtocolVersion::k311);
    ExpectRefused(packet, sender, message, ProtocolVersion::k31);
  };
  Disconnect shutting_down;
  shutting_down.reason_code = ReasonCode::kServerShuttingDown;
  expect_refused(shutting_down, Sender::kServer, "does not exist in MQTT 3");
  Disconnect with_will;
  with_will.reason_code = ReasonCode::kDisconnectWithWillMessage;
  expect_refused(with_will, Sender::kClient, "does not exist in MQTT 3");
  expect_refused(Auth(), Sender::kServer, "does not exist in MQTT 3");
  Properties alias;
  alias.Set(property::kTopicAlias, std::uint16_t{1});
  Publish publish;
  publish.properties = alias;
  expect_refused(publish, Sender::kServer, "Topic Name is empty");
  Connect connect;
  connect.version = ProtocolVersion::k311;
  connect.password = "secret";
  expect_refused(connect, Sender::kClient, "Password is set without a User Name");
}

TEST(EncodePacketTest, LeavesOutWhatMqtt3DoesNotNeed) {
  Properties properties;
  properties.Add(property::kUserProperty, {"k", "v"});
  Subscribe subscribe;
  subscribe.packet_id = 1;
  subscribe.properties = properties;
  subscribe.entries.push_back({"a", QoS::kAtLeastOnce, true, true, 2});
  WireBuffer out;
  ASSERT_TRUE(EncodePacket(subscribe, Sender::kClient, out, ProtocolVersion::k311).ok());
  EXPECT_EQ(Hex(out), Hex(Bytes("82 ( 0001 <a> 01 )")));
  out.clear();
  Connect connect;
  connect.version = ProtocolVersion::k311;
  connect.properties = properties;
  connect.will.emplace().topic_name = "w";
  connect.will->properties = properties;
  ASSERT_TRUE(EncodePacket(connect, Sender::kClient, out).ok());
  EXPECT_EQ(Hex(out), Hex(Bytes("10 ( <MQTT> 04 04 0000 <> <w> <> )")));
}

TEST(EncodePacketTest, RefusesStringsThatPropertiesCouldNotHold) {
  Properties properties;
  properties.Set(property::kContentType, "text/plain");
  properties.Set(property::kResponseTopic, kTooLong);
  Publish publish;
  publish.topic_name = "a";
  publish.properties = properties;
  ExpectRefused(publish, Sender::kClient, "Response Topic is too long");
  properties.Set(property::kResponseTopic, "r");
  properties.Add(property::kUserProperty, {"k", kTooLong});
  publish.properties = properties;
  ExpectRefused(publish, Sender::kClient, "User Property is too long");
  properties.Remove(PropertyId::kUserProperty);
  publish.properties = properties;
  WireBuffer out;
  EXPECT_TRUE(EncodePacket(publish, Sender::kClient, out).ok());
}

TEST(EncodePubAckTest, WritesTheShortestForm) {
  WireBuffer out;
  EncodePubAck(0x1234, ReasonCode::kSuccess, out);
  EncodePubAck(0x0001, ReasonCode::kNoMatchingSubscribers, out);
  EXPECT_EQ(Hex(out), "40 02 12 34 40 03 00 01 10");
}

}  // namespace
}  // namespace mqttrpc::mqtt
