// MQTT 5.0, chapters 1 and 2: how values travel, the fixed header, identifiers.
#include <set>

#include "server_fixture.h"

namespace mqttrpc::test {
namespace {

using mqtt::ReasonCode;

// Ends, as the specification forbids: a byte alone, a surrogate, an overlong form, a value over U+10FFFF.
constexpr const char* kIllFormed[] = {"0001 FF",     "0002 C328", "0003 EDA080",
                                      "0003 EDBFBF", "0002 C080", "0004 F4908080"};

class ServerReadsTest : public ServerTest {
 protected:
  // `text` in each field of a client's packets that holds a string.
  void ExpectMalformedEverywhere(const std::string& text) {
    for (const std::string& connect : {
             "10 ( <MQTT> 05 02 0000 () " + text + " )",
             "10 ( <MQTT> 05 06 0000 () <me> () " + text + " <x> )",
             "10 ( <MQTT> 05 82 0000 () <me> " + text + " )",
             "10 ( <MQTT> 05 02 0000 ( 26 " + text + " <v> ) <me> )",
             "10 ( <MQTT> 05 02 0000 ( 15 " + text + " ) <me> )",
             "10 ( <MQTT> 05 06 0000 () <me> ( 03 " + text + " ) <w> <x> )",
             "10 ( <MQTT> 05 06 0000 () <me> ( 08 " + text + " ) <w> <x> )",
         }) {
      ExpectConnectRefused(connect, ReasonCode::kMalformedPacket);
    }
    for (const std::string& packet : {
             "30 ( " + text + " () )",
             "30 ( <t> ( 03 " + text + " ) )",
             "30 ( <t> ( 08 " + text + " ) )",
             "40 ( 0001 00 ( 1F " + text + " ) )",
             "82 ( 0001 () " + text + " 00 )",
             "82 ( 0001 ( 26 <k> " + text + " ) <t> 00 )",
             "A2 ( 0001 () " + text + " )",
             "E0 ( 00 ( 1F " + text + " ) )",
         }) {
      ExpectRefused(packet, ReasonCode::kMalformedPacket);
    }
  }
};

// MQTT-1.5.4-1
TEST_F(ServerReadsTest, IllFormedTextIsMalformedInEveryField) {
  for (const char* text : kIllFormed) ExpectMalformedEverywhere(text);
}

// MQTT-1.5.4-2
TEST_F(ServerReadsTest, NulIsMalformedInEveryField) { ExpectMalformedEverywhere("0003 610062"); }

// MQTT-1.5.4-3
TEST_F(ServerReadsTest, AByteOrderMarkIsKeptAndPartOfTheName) {
  auto subscriber = Client("subscriber");
  Say(*subscriber, "82 ( 0001 () 0004 EFBBBF61 00 )");
  Hear(*subscriber, "90 ( 0001 () 00 )");
  auto publisher = Client("publisher");
  Say(*publisher, "30 ( <a> () 'without' )");
  Say(*publisher, "30 ( 0004 EFBBBF61 () 'with' )");
  Hear(*subscriber, "30 ( 0004 EFBBBF61 () 'with' )");
  HearNothing(*subscriber);
}

// MQTT-1.5.5-1
TEST_F(ServerReadsTest, ALengthThatIsLongerThanItMustIsMalformed) {
  ExpectRefused("C0 80 00", ReasonCode::kMalformedPacket);
  ExpectRefused("30 84 00 <t> 00", ReasonCode::kMalformedPacket);
  ExpectRefused("30 ( <t> 80 00 )", ReasonCode::kMalformedPacket);
  ExpectRefused("82 ( 0001 ( 0B 8100 ) <t> 00 )", ReasonCode::kMalformedPacket);
}

// MQTT-1.5.5-1: four bytes are the most.
TEST_F(ServerReadsTest, ALengthOfFiveBytesIsMalformed) {
  ExpectRefused("C0 80 80 80 80 01", ReasonCode::kMalformedPacket);
  ExpectRefused("30 FF FF FF FF 7F", ReasonCode::kMalformedPacket);
  ExpectRefused("30 ( <t> 80 80 80 80 01 )", ReasonCode::kMalformedPacket);
}

// MQTT-1.5.7-1
TEST_F(ServerReadsTest, BothHalvesOfAStringPairAreChecked) {
  for (const std::string text : {"0001 FF", "0003 EDA080", "0003 610062"}) {
    ExpectRefused("30 ( <t> ( 26 " + text + " <v> ) )", ReasonCode::kMalformedPacket);
    ExpectRefused("30 ( <t> ( 26 <k> " + text + " ) )", ReasonCode::kMalformedPacket);
  }
}

// MQTT-2.1.3-1
TEST_F(ServerReadsTest, FlagsOtherThanTheListedAreMalformed) {
  const struct {
    unsigned right;
    const char* rest;
  } kPackets[] = {{0x40, "( 0001 )"},           {0x50, "( 0001 )"},        {0x62, "( 0001 )"}, {0x70, "( 0001 )"},
                  {0x82, "( 0001 () <t> 00 )"}, {0xA2, "( 0001 () <t> )"}, {0xC0, "( )"},      {0xE0, "( )"},
                  {0xF0, "( 18 ( 15 <m> ) )"}};
  for (const auto& packet : kPackets) {
    for (unsigned flags = 0; flags < 16; ++flags) {
      const std::string first(1, static_cast<char>((packet.right & 0xF0) | flags));
      if ((packet.right & 0x0F) != flags) ExpectRefused(Hex(first) + packet.rest, ReasonCode::kMalformedPacket);
    }
  }
  for (const char* connect : {"11", "12", "18", "1F"}) {
    ExpectConnectRefused(connect + std::string("( <MQTT> 05 02 0000 () <me> )"), ReasonCode::kMalformedPacket);
  }
}

class ServerSendsTest : public ServerTest {};

// MQTT-2.1.3-1, MQTT-2.2.1-5, MQTT-2.2.1-6, MQTT-2.2.2-1
TEST_F(ServerSendsTest, FlagsIdentifiersAndEmptyPropertySetsAreAsListed) {
  auto client = Client("me");
  Say(*client, "82 ( 1234 () <t> 02 )");
  Hear(*client, "90 ( 1234 () 02 )");
  Say(*client, "C0 ( )");
  Hear(*client, "D0 ( )");
  Say(*client, "32 ( <t> 0A0B () 'x' )");
  Hear(*client, "40 ( 0A0B )");
  Hear(*client, "32 ( <t> 0001 () 'x' )");
  Say(*client, "34 ( <t> 0C0D () 'y' )");
  Hear(*client, "50 ( 0C0D )");
  Hear(*client, "34 ( <t> 0002 () 'y' )");
  Say(*client, "62 ( 0C0D )");
  Hear(*client, "70 ( 0C0D )");
  Say(*client, "50 ( 0002 )");
  Hear(*client, "62 ( 0002 )");
  Say(*client, "A2 ( 4321 () <t> )");
  Hear(*client, "B0 ( 4321 () 00 )");
}

// MQTT-1.5.5-1
TEST_F(ServerSendsTest, LengthsAreInTheirShortestForm) {
  auto client = Client("me");
  Listen(*client, "t");
  // 3 bytes of topic, 1 of properties: Remaining Length is four more than the payload.
  for (const auto& [payload, head] : {std::pair(123u, "30 7F"), std::pair(124u, "30 80 01"),
                                      std::pair(16'379u, "30 FF 7F"), std::pair(16'380u, "30 80 80 01")}) {
    Say(*client, "30 ( <t> () '" + std::string(payload, 'x') + "' )");
    const RawPacket* packet = client->NextRaw();
    ASSERT_NE(packet, nullptr);
    EXPECT_EQ(packet->bytes, Bytes(head) + Bytes("<t> 00 '" + std::string(payload, 'x') + "'"));
  }
}

// MQTT-2.2.1-2
TEST_F(ServerSendsTest, AMessageOfQoS0HasNoIdentifier) {
  auto client = Client("me");
  Listen(*client, "t", "02");
  Say(*client, "30 ( <t> () 'x' )");
  Hear(*client, "30 ( <t> () 'x' )");
}

// MQTT-2.2.1-4, MQTT-4.3.2-1, MQTT-4.3.3-1
TEST_F(ServerSendsTest, EveryNewMessageHasAnIdentifierThatIsNotInUse) {
  auto client = Client("me");
  Listen(*client, "t", "02");
  auto publisher = Client("publisher");
  std::set<mqtt::PacketId> used;
  for (int i = 0; i < 300; ++i) {
    Say(*publisher, i % 2 == 0 ? "32 ( <t> 0001 () )" : "34 ( <t> 0002 () )");
    Say(*publisher, "62 ( 0002 )");
    const mqtt::PacketId id = client->Next<mqtt::Publish>().packet_id;
    EXPECT_NE(id, 0);
    EXPECT_TRUE(used.insert(id).second) << id << " is in use";
  }
}

// MQTT-2.2.2-1
TEST_F(ServerReadsTest, APropertySetThatIsNotAnnouncedIsMalformed) {
  ExpectConnectRefused("10 ( <MQTT> 05 02 0000 )", ReasonCode::kMalformedPacket);
  ExpectRefused("30 ( <t> )", ReasonCode::kMalformedPacket);
  ExpectRefused("82 ( 0001 )", ReasonCode::kMalformedPacket);
  ExpectRefused("A2 ( 0001 )", ReasonCode::kMalformedPacket);
}

// 2.2.2.2: what may stand once, and only in some packets.
TEST_F(ServerReadsTest, APropertyTwiceOrInTheWrongPacketIsAnError) {
  ExpectRefused("30 ( <t> ( 01 00 01 00 ) )", ReasonCode::kProtocolError);
  ExpectRefused("30 ( <t> ( 02 00000001 02 00000001 ) )", ReasonCode::kProtocolError);
  ExpectRefused("82 ( 0001 ( 0B 01 0B 02 ) <t> 00 )", ReasonCode::kProtocolError);
  ExpectConnectRefused("10 ( <MQTT> 05 02 0000 ( 11 00000000 11 00000000 ) <me> )", ReasonCode::kProtocolError);
  ExpectRefused("30 ( <t> ( 11 00000000 ) )", ReasonCode::kMalformedPacket);
  ExpectRefused("30 ( <t> ( 7F ) )", ReasonCode::kMalformedPacket);
}

}  // namespace
}  // namespace mqttrpc::test
