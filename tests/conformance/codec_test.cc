// What binds both sides alike: the tables of the specification, written down a second time.
#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "packets.h"
#include "support/wire_text.h"

namespace mqttrpc::test {
namespace {

using mqtt::Sender;

struct Row {
  const char* name;
  const char* before;  // The packet's text up to its Reason Code.
  const char* after;
  std::set<int> client;
  std::set<int> server;
};

const Row kRows[] = {
    {"CONNACK", "20 ( 00 ", " () )", {}, {0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
                                          0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F}},
    {"PUBACK",
     "40 ( 0001 ",
     " )",
     {0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99},
     {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}},
    {"PUBREC",
     "50 ( 0001 ",
     " )",
     {0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99},
     {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}},
    {"PUBREL", "62 ( 0001 ", " )", {0x00, 0x92}, {0x00, 0x92}},
    {"PUBCOMP", "70 ( 0001 ", " )", {0x00, 0x92}, {0x00, 0x92}},
    {"SUBACK", "90 ( 0001 () ", " )", {}, {0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2}},
    {"UNSUBACK", "B0 ( 0001 () ", " )", {}, {0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91}},
    {"DISCONNECT",
     "E0 ( ",
     " () )",
     {0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99},
     {0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95,
      0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2}},
    {"AUTH", "F0 ( ", " ( 15 <m> ) )", {0x18, 0x19}, {0x00, 0x18}},
};

mqtt::Packet WithCode(mqtt::Packet packet, mqtt::ReasonCode code) {
  std::visit(
      [code](auto& each) {
        if constexpr (requires { each.reason_codes[0]; }) {
          each.reason_codes[0] = code;
        } else if constexpr (requires { each.reason_code; }) {
          each.reason_code = code;
        }
      },
      packet);
  return packet;
}

// MQTT-3.2.2-8, MQTT-3.4.2-1, MQTT-3.5.2-1, MQTT-3.6.2-1, MQTT-3.7.2-1, MQTT-3.9.3-2, MQTT-3.11.3-2, MQTT-3.14.2-1,
// MQTT-3.15.2-1: other values are neither written nor read, by neither side.
TEST(ReasonCodeTableTest, IsThatOfTheSpecification) {
  for (const Row& row : kRows) {
    for (const Sender sender : {Sender::kClient, Sender::kServer}) {
      const std::set<int>& listed = sender == Sender::kClient ? row.client : row.server;
      if (listed.empty()) continue;
      const auto bytes_with = [&](int code) {
        return Bytes(row.before + Hex(std::string(1, static_cast<char>(code))) + row.after);
      };
      const auto decoded = [&](const std::string& bytes) {
        return mqtt::DecodePacket(
            mqtt::Frame{static_cast<std::uint8_t>(bytes[0]), mqtt::AsBytes(std::string_view(bytes).substr(2))}, sender);
      };
      const std::string good_bytes = bytes_with(*listed.rbegin());
      const auto good = decoded(good_bytes);
      ASSERT_TRUE(good.ok()) << row.name << ": " << good.status();
      for (int code = 0; code < 256; ++code) {
        EXPECT_EQ(decoded(bytes_with(code)).ok(), listed.contains(code)) << row.name << " is read, " << code;
        std::string out;
        const mqtt::Packet packet = WithCode(*good, static_cast<mqtt::ReasonCode>(code));
        EXPECT_EQ(mqtt::EncodePacket(packet, sender, out).ok(), listed.contains(code))
            << row.name << " is written, " << code;
      }
    }
  }
}

}  // namespace
}  // namespace mqttrpc::test
