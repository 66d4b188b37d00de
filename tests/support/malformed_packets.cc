#include <string_view>

#include "mqttrpc/mqtt/topic.h"
#include "support/packet_corpus.h"
#include "support/wire_text.h"

namespace mqttrpc::test {
namespace {

using namespace mqtt;
using R = ReasonCode;
using enum Sender;

constexpr R kMalformed = R::kMalformedPacket;
constexpr R kProtocolError = R::kProtocolError;

struct Row {
  const char* name;
  Sender sender;
  const char* text;  // For Bytes().
  R reason_code;
};

constexpr Row kFraming[] = {
    {"Remaining Length in two bytes where one will do", kClient, "C0 80 00", kMalformed},
    {"Remaining Length in four bytes where three will do", kClient, "C0 80 80 80 00", kMalformed},
    {"Remaining Length in five bytes", kClient, "C0 80 80 80 80 01", kMalformed},
    {"Remaining Length without an end", kClient, "C0 FF FF FF FF", kMalformed},
    {"Packet type 0", kClient, "00 00", kMalformed},
    {"PINGREQ with a byte in it", kClient, "C0 01 00", kMalformed},
    {"PINGRESP with a byte in it", kServer, "D0 01 00", kMalformed},
};

constexpr Row kDirections[] = {
    {"CONNECT from the server", kServer, "10 ( <MQTT> 05 02 0000 () <> )", kProtocolError},
    {"CONNACK from the client", kClient, "20 03 00 00 00", kProtocolError},
    {"SUBSCRIBE from the server", kServer, "82 ( 0001 () <a> 00 )", kProtocolError},
    {"SUBACK from the client", kClient, "90 ( 0001 () 00 )", kProtocolError},
    {"UNSUBSCRIBE from the server", kServer, "A2 ( 0001 () <a> )", kProtocolError},
    {"UNSUBACK from the client", kClient, "B0 ( 0001 () 00 )", kProtocolError},
    {"PINGREQ from the server", kServer, "C0 00", kProtocolError},
    {"PINGRESP from the client", kClient, "D0 00", kProtocolError},
};

constexpr Row kConnects[] = {
    {"CONNECT without a body", kClient, "10 00", kMalformed},
    {"CONNECT of MQTT 3.1", kClient, "10 ( <MQIsdp> 03 02 003C <me> )", R::kUnsupportedProtocolVersion},
    {"CONNECT of MQTT 3.1.1", kClient, "10 ( <MQTT> 04 02 003C <me> )", R::kUnsupportedProtocolVersion},
    {"CONNECT of MQTT 6", kClient, "10 ( <MQTT> 06 )", R::kUnsupportedProtocolVersion},
    {"CONNECT of another protocol", kClient, "10 ( <AMQP> 05 02 003C () <me> )", R::kUnsupportedProtocolVersion},
    {"CONNECT with mqtt in small letters", kClient, "10 ( <mqtt> 05 02 003C () <me> )", R::kUnsupportedProtocolVersion},
    {"CONNECT with the reserved flag", kClient, "10 ( <MQTT> 05 03 003C () <me> )", kMalformed},
    {"CONNECT with Will QoS 3", kClient, "10 ( <MQTT> 05 1E 003C () <me> () <w> <x> )", kMalformed},
    {"CONNECT with Will QoS and no Will", kClient, "10 ( <MQTT> 05 0A 003C () <me> )", kMalformed},
    {"CONNECT with Will Retain and no Will", kClient, "10 ( <MQTT> 05 22 003C () <me> )", kMalformed},
    {"CONNECT with the Will Flag and no Will", kClient, "10 ( <MQTT> 05 06 003C () <me> )", kMalformed},
    {"CONNECT with a Will and no Will Flag", kClient, "10 ( <MQTT> 05 02 003C () <me> () <w> <x> )", kMalformed},
    {"CONNECT with the User Name Flag and no User Name", kClient, "10 ( <MQTT> 05 82 003C () <me> )", kMalformed},
    {"CONNECT with a User Name and no User Name Flag", kClient, "10 ( <MQTT> 05 02 003C () <me> <u> )", kMalformed},
    {"CONNECT with the Password Flag and no Password", kClient, "10 ( <MQTT> 05 42 003C () <me> )", kMalformed},
    {"CONNECT with User Name and no Password Flag", kClient, "10 ( <MQTT> 05 82 003C () <me> <u> <p> )", kMalformed},
    {"CONNECT without a Client Identifier", kClient, "10 ( <MQTT> 05 02 003C () )", kMalformed},
    {"CONNECT with an ill-formed Client Identifier", kClient, "10 ( <MQTT> 05 02 003C () 0002 C328 )", kMalformed},
    {"CONNECT with a NUL in the Client Identifier", kClient, "10 ( <MQTT> 05 02 003C () 0003 610062 )", kMalformed},
    {"CONNECT with a surrogate in the User Name", kClient, "10 ( <MQTT> 05 82 003C () <> 0003 EDA080 )", kMalformed},
    {"CONNECT with an ill-formed Will Topic", kClient, "10 ( <MQTT> 05 06 003C () <> () 0001 FF <x> )", kMalformed},
    {"CONNECT with a wildcard in the Will Topic", kClient, "10 ( <MQTT> 05 06 003C () <> () <w/#> <x> )",
     R::kTopicNameInvalid},
    {"CONNECT with an empty Will Topic", kClient, "10 ( <MQTT> 05 06 003C () <> () <> <x> )", R::kTopicNameInvalid},
    {"CONNECT with Authentication Data and no method", kClient, "10 ( <MQTT> 05 02 003C ( 16 0001 00 ) <me> )",
     kProtocolError},
    {"CONNACK with a reserved flag", kServer, "20 03 02 00 00", kMalformed},
    {"CONNACK with a session and a refusal", kServer, "20 03 01 87 00", kProtocolError},
    {"CONNACK without properties", kServer, "20 02 00 00", kMalformed},
    {"CONNACK with a Reason Code of PUBACK", kServer, "20 03 00 10 00", kProtocolError},
};

constexpr Row kPublishes[] = {
    {"PUBLISH without a body", kClient, "30 00", kMalformed},
    {"PUBLISH with QoS 3", kClient, "36 ( <a> 0001 () )", kMalformed},
    {"PUBLISH with DUP and QoS 0", kClient, "38 ( <a> () )", kMalformed},
    {"PUBLISH with Packet Identifier 0", kClient, "32 ( <a> 0000 () )", kProtocolError},
    {"PUBLISH with QoS 2 and Packet Identifier 0", kServer, "34 ( <a> 0000 () )", kProtocolError},
    {"PUBLISH without Topic Name and Topic Alias", kClient, "30 ( <> () 'x' )", kProtocolError},
    {"PUBLISH with Topic Alias 0", kClient, "30 ( <a> ( 23 0000 ) )", R::kTopicAliasInvalid},
    {"PUBLISH to a + wildcard", kClient, "30 ( <a/+> () )", R::kTopicNameInvalid},
    {"PUBLISH to a # wildcard", kServer, "30 ( <#> () )", R::kTopicNameInvalid},
    {"PUBLISH to a wildcard within a level", kClient, "30 ( <a+b> () )", R::kTopicNameInvalid},
    {"PUBLISH with an ill-formed Topic Name", kClient, "30 ( 0002 C080 () )", kMalformed},
    {"PUBLISH with a NUL in the Topic Name", kClient, "30 ( 0003 610062 () )", kMalformed},
    {"PUBLISH with a Topic Name over the end", kClient, "30 ( FFFF 'abc' )", kMalformed},
    {"PUBLISH with properties over the end", kClient, "30 ( <a> 02 01 )", kMalformed},
    {"PUBLISH with a Property Length of five bytes", kClient, "30 ( <a> 8080808001 )", kMalformed},
    {"PUBLISH with a long Property Length", kClient, "30 ( <a> 8000 )", kMalformed},
    {"PUBLISH with an unknown property", kClient, "30 ( <a> ( 04 00 ) )", kMalformed},
    {"PUBLISH with property 0", kClient, "30 ( <a> ( 00 26 ) )", kMalformed},
    {"PUBLISH with a property above all others", kClient, "30 ( <a> ( 2B 00 ) )", kMalformed},
    {"PUBLISH with a property of two bytes", kClient, "30 ( <a> ( 8101 00 ) )", kMalformed},
    {"PUBLISH with a property's identifier in a long form", kClient, "30 ( <a> ( 8100 00 ) )", kMalformed},
    {"PUBLISH with a property cut off", kClient, "30 ( <a> ( 02 000000 ) 00 )", kMalformed},
    {"PUBLISH with a User Property's value cut off", kClient, "30 ( <a> ( 26 <k> 0002 'v' ) 'v' )", kMalformed},
    {"PUBLISH with an ill-formed User Property name", kClient, "30 ( <a> ( 26 0001 80 <v> ) )", kMalformed},
    {"PUBLISH with an ill-formed User Property value", kClient, "30 ( <a> ( 26 <k> 0001 00 ) )", kMalformed},
    {"PUBLISH with an ill-formed Content Type", kClient, "30 ( <a> ( 03 0001 FE ) )", kMalformed},
    {"PUBLISH with an ill-formed Response Topic", kClient, "30 ( <a> ( 08 0001 FE ) )", kMalformed},
};

constexpr Row kResponses[] = {
    {"PUBACK without a body", kClient, "40 00", kMalformed},
    {"PUBACK with half a Packet Identifier", kClient, "40 01 00", kMalformed},
    {"PUBACK with Packet Identifier 0", kClient, "40 02 0000", kProtocolError},
    {"PUBREC with Packet Identifier 0", kClient, "50 02 0000", kProtocolError},
    {"PUBREL with Packet Identifier 0", kClient, "62 02 0000", kProtocolError},
    {"PUBCOMP with Packet Identifier 0", kClient, "70 02 0000", kProtocolError},
    {"PUBACK, nobody subscribes, from the client", kClient, "40 03 0001 10", kProtocolError},
    {"PUBREC, nobody subscribes, from the client", kClient, "50 03 0001 10", kProtocolError},
    {"PUBACK with an unlisted Reason Code", kClient, "40 03 0001 92", kProtocolError},
    {"PUBREC with an unlisted Reason Code", kServer, "50 03 0001 01", kProtocolError},
    {"PUBREL with an unlisted Reason Code", kClient, "62 03 0001 10", kProtocolError},
    {"PUBCOMP with an unlisted Reason Code", kServer, "70 03 0001 91", kProtocolError},
    {"PUBACK with bytes behind its properties", kClient, "40 ( 0001 00 () 00 )", kMalformed},
};

constexpr Row kSubscribes[] = {
    {"SUBSCRIBE with Packet Identifier 0", kClient, "82 ( 0000 () <a> 00 )", kProtocolError},
    {"SUBSCRIBE without a Topic Filter", kClient, "82 ( 0001 () )", kProtocolError},
    {"SUBSCRIBE without Subscription Options", kClient, "82 ( 0001 () <a> )", kMalformed},
    {"SUBSCRIBE with QoS 3", kClient, "82 ( 0001 () <a> 03 )", kProtocolError},
    {"SUBSCRIBE with Retain Handling 3", kClient, "82 ( 0001 () <a> 30 )", kProtocolError},
    {"SUBSCRIBE with reserved bit 6", kClient, "82 ( 0001 () <a> 40 )", kMalformed},
    {"SUBSCRIBE with reserved bit 7", kClient, "82 ( 0001 () <a> 80 )", kMalformed},
    {"SUBSCRIBE with No Local on a shared subscription", kClient, "82 ( 0001 () <$share/g/a> 04 )", kProtocolError},
    {"SUBSCRIBE with an ill-formed Topic Filter", kClient, "82 ( 0001 () 0001 FF 00 )", kMalformed},
    {"SUBSCRIBE with an empty Topic Filter", kClient, "82 ( 0001 () <> 00 )", R::kTopicFilterInvalid},
    {"SUBSCRIBE with # before the end", kClient, "82 ( 0001 () <#/a> 00 )", R::kTopicFilterInvalid},
    {"SUBSCRIBE with # in a level", kClient, "82 ( 0001 () <a#> 00 )", R::kTopicFilterInvalid},
    {"SUBSCRIBE with + in a level", kClient, "82 ( 0001 () <a+/b> 00 )", R::kTopicFilterInvalid},
    {"SUBSCRIBE with an empty ShareName", kClient, "82 ( 0001 () <$share//a> 00 )", R::kTopicFilterInvalid},
    {"SUBSCRIBE with a wildcard in the ShareName", kClient, "82 ( 0001 () <$share/+/a> 00 )", R::kTopicFilterInvalid},
    {"SUBSCRIBE with a ShareName alone", kClient, "82 ( 0001 () <$share/g> 00 )", R::kTopicFilterInvalid},
    {"SUBSCRIBE shared with an empty Topic Filter", kClient, "82 ( 0001 () <$share/g/> 00 )", R::kTopicFilterInvalid},
    {"SUBSCRIBE with a bad second Topic Filter", kClient, "82 ( 0001 () <a> 00 <b#> 00 )", R::kTopicFilterInvalid},
    {"SUBACK with Packet Identifier 0", kServer, "90 ( 0000 () 00 )", kProtocolError},
    {"SUBACK without a Reason Code", kServer, "90 ( 0001 () )", kProtocolError},
    {"SUBACK with QoS 3", kServer, "90 ( 0001 () 03 )", kProtocolError},
    {"SUBACK with a Reason Code of UNSUBACK", kServer, "90 ( 0001 () 00 11 )", kProtocolError},
    {"UNSUBSCRIBE with Packet Identifier 0", kClient, "A2 ( 0000 () <a> )", kProtocolError},
    {"UNSUBSCRIBE without a Topic Filter", kClient, "A2 ( 0001 () )", kProtocolError},
    {"UNSUBSCRIBE with an ill-formed Topic Filter", kClient, "A2 ( 0001 () 0001 FF )", kMalformed},
    {"UNSUBSCRIBE with an empty Topic Filter", kClient, "A2 ( 0001 () <> )", R::kTopicFilterInvalid},
    {"UNSUBSCRIBE with a bad Topic Filter", kClient, "A2 ( 0001 () <a/#/b> )", R::kTopicFilterInvalid},
    {"UNSUBACK with Packet Identifier 0", kServer, "B0 ( 0000 () 00 )", kProtocolError},
    {"UNSUBACK without a Reason Code", kServer, "B0 ( 0001 () )", kProtocolError},
    {"UNSUBACK with a Reason Code of SUBACK", kServer, "B0 ( 0001 () 01 )", kProtocolError},
};

constexpr Row kEnds[] = {
    {"DISCONNECT with 0x00 from the server", kServer, "E0 00", kProtocolError},
    {"DISCONNECT with the Will from the server", kServer, "E0 01 04", kProtocolError},
    {"DISCONNECT with a server's Reason Code from the client", kClient, "E0 01 8B", kProtocolError},
    {"DISCONNECT as not authorized from the client", kClient, "E0 01 87", kProtocolError},
    {"DISCONNECT with an unlisted Reason Code", kClient, "E0 01 01", kProtocolError},
    {"DISCONNECT with a Reason Code of CONNACK", kServer, "E0 01 8A", kProtocolError},
    {"DISCONNECT with bytes behind its properties", kClient, "E0 ( 00 () 00 )", kMalformed},
    {"AUTH bare from the client", kClient, "F0 00", kProtocolError},
    {"AUTH without properties", kClient, "F0 01 18", kMalformed},
    {"AUTH without an Authentication Method", kClient, "F0 02 18 00", kProtocolError},
    {"AUTH with Authentication Data and no method", kServer, "F0 ( 18 ( 16 0001 00 ) )", kProtocolError},
    {"AUTH with Success from the client", kClient, "F0 ( 00 ( 15 <m> ) )", kProtocolError},
    {"AUTH anew from the server", kServer, "F0 ( 19 ( 15 <m> ) )", kProtocolError},
    {"AUTH with an unlisted Reason Code", kServer, "F0 ( 80 ( 15 <m> ) )", kProtocolError},
};

template <std::size_t n>
void Add(const Row (&rows)[n], std::vector<MalformedPacket>& to) {
  for (const Row& row : rows) to.push_back({row.name, row.sender, Bytes(row.text), row.reason_code});
}

// One level more than a topic may have.
std::string TooManyLevels() {
  std::string topic = "a";
  for (std::size_t i = 0; i < kMaximumTopicLevels; ++i) topic += "/a";
  return topic;
}

std::vector<MalformedPacket> MakeHandMade() {
  std::vector<MalformedPacket> all;
  Add(kFraming, all);
  Add(kDirections, all);
  Add(kConnects, all);
  Add(kPublishes, all);
  Add(kResponses, all);
  Add(kSubscribes, all);
  Add(kEnds, all);
  const std::string deep = TooManyLevels();
  all.push_back(
      {"PUBLISH to a topic of too many levels", kClient, Bytes("30 ( <" + deep + "> () )"), R::kTopicNameInvalid});
  all.push_back(
      {"SUBSCRIBE to too many levels", kClient, Bytes("82 ( 0001 () <" + deep + "> 00 )"), R::kTopicFilterInvalid});
  return all;
}

}  // namespace

const std::vector<MalformedPacket>& HandMadeMalformedPackets() {
  static const std::vector<MalformedPacket> all = MakeHandMade();
  return all;
}

std::vector<MalformedPacket> MalformedFlags() {
  std::vector<MalformedPacket> all;
  for (const ValidPacket& good : ValidPackets()) {
    if (good.name.find(" bare") == std::string::npos && good.name.find("PING") != 0) continue;
    if (TypeOf(good.packet) == PacketType::kPublish) continue;  // Its flags are in the table by hand.
    for (int flags = 0; flags < 16; ++flags) {
      MalformedPacket bad{good.name + " with flags " + std::to_string(flags), good.sender, good.bytes, kMalformed};
      bad.bytes[0] = static_cast<char>((good.bytes[0] & 0xF0) | flags);
      if (bad.bytes[0] != good.bytes[0]) all.push_back(bad);
    }
  }
  for (int flags = 0; flags < 16; ++flags) {
    all.push_back({"Packet type 0 with flags " + std::to_string(flags), kClient,
                   std::string{static_cast<char>(flags), '\0'}, kMalformed});
  }
  return all;
}

}  // namespace mqttrpc::test
