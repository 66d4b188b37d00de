// The corpus for MQTT 3.1.1 and 3.1.
#include <string>
#include <string_view>
#include <utility>

#include "support/packet_corpus.h"
#include "support/wire_text.h"

namespace mqttrpc::test {
namespace {

using namespace mqtt;
using R = ReasonCode;
using enum Sender;

constexpr R kMalformed = R::kMalformedPacket;
constexpr R kProtocolError = R::kProtocolError;
constexpr ProtocolVersion k31 = ProtocolVersion::k31;
constexpr ProtocolVersion k311 = ProtocolVersion::k311;

// Collects packets of one version.
class Corpus {
 public:
  Corpus(ProtocolVersion version, std::vector<ValidPacket>& to) : version_(version), to_(to) {}

  ValidPacket& Add(std::string name, Sender sender, std::string_view text, Packet packet,
                   std::vector<std::size_t> shorter_bodies = {}, bool zero_may_follow = false) {
    to_.push_back({std::move(name) + (version_ == k31 ? ", 3.1" : ", 3.1.1"), sender, Bytes(text), std::move(packet),
                   true, std::move(shorter_bodies), zero_may_follow, version_});
    return to_.back();
  }

 private:
  ProtocolVersion version_;
  std::vector<ValidPacket>& to_;
};

void AddConnects(ProtocolVersion version, Corpus& to) {
  const std::string start = version == k31 ? "10 ( <MQIsdp> 03 " : "10 ( <MQTT> 04 ";
  Connect bare;
  bare.version = version;
  to.Add("CONNECT bare", kClient, start + "00 0000 <> )", bare);
  Connect named = bare;
  named.client_id = "me";
  named.clean_start = true;
  named.keep_alive = 60;
  to.Add("CONNECT", kClient, start + "02 003C <me> )", named);
  Connect full = named;
  full.user_name = "Ada";
  full.password = std::string_view("\x00\xFF", 2);
  Will& will = full.will.emplace();
  will.topic_name = "gone/me";
  will.payload = "oh";
  will.qos = QoS::kExactlyOnce;
  will.retain = true;
  std::vector<std::size_t> shorter;
  if (version == k31) shorter = {29, 34};  // What its flags announce may be missing.
  to.Add("CONNECT with everything", kClient, start + "F6 003C <me> <gone/me> <oh> <Ada> 0002 00FF )", full, shorter);
  if (version == k311) return;
  to.Add("CONNECT with flags alone", kClient, start + "C2 003C <me> )", named).shortest = false;
  named.user_name = "Ada";
  to.Add("CONNECT with a Password announced", kClient, start + "C2 003C <me> <Ada> )", named, {16}).shortest = false;
}

void AddConnAcks(ProtocolVersion version, Corpus& to) {
  ConnAck ack;
  to.Add("CONNACK", kServer, "20 ( 00 00 )", ack);
  ack.session_present = version == k311;
  if (version == k311) to.Add("CONNACK with a session", kServer, "20 ( 01 00 )", ack);
  ack.session_present = false;
  const R codes[] = {R::kUnsupportedProtocolVersion, R::kClientIdentifierNotValid, R::kServerUnavailable,
                     R::kBadUserNameOrPassword, R::kNotAuthorized};
  for (int number = 1; number <= 5; ++number) {
    ack.reason_code = codes[number - 1];
    to.Add("CONNACK refused", kServer, "20 ( 00 0" + std::to_string(number) + " )", ack);
  }
}

void AddPublishes(Corpus& to) {
  for (const Sender sender : {kClient, kServer}) {
    Publish publish;
    publish.topic_name = "a/b";
    to.Add("PUBLISH bare", sender, "30 ( <a/b> )", publish);
    publish.payload = "hello";
    publish.qos = QoS::kAtLeastOnce;
    publish.packet_id = 0x1234;
    to.Add("PUBLISH with QoS 1", sender, "32 ( <a/b> 1234 'hello' )", publish);
    publish.qos = QoS::kExactlyOnce;
    publish.dup = true;
    publish.retain = true;
    to.Add("PUBLISH again, with QoS 2 and retained", sender, "3D ( <a/b> 1234 'hello' )", publish);
  }
}

template <typename P>
void AddResponse(std::string_view type, std::string_view first, Corpus& to) {
  P packet;
  packet.packet_id = 0xFFFF;
  for (const Sender sender : {kClient, kServer}) {
    to.Add(std::string(type), sender, std::string(first) + " ( FFFF )", packet);
  }
}

void AddLists(Corpus& to) {
  Subscribe subscribe;
  subscribe.packet_id = 1;
  subscribe.entries.push_back({"#", QoS::kAtMostOnce});
  to.Add("SUBSCRIBE", kClient, "82 ( 0001 <#> 00 )", subscribe);
  subscribe.entries.push_back({"$share/g/a", QoS::kExactlyOnce});
  to.Add("SUBSCRIBE twice", kClient, "82 ( 0001 <#> 00 <$share/g/a> 02 )", subscribe, {6});
  SubAck suback;
  suback.packet_id = 1;
  suback.reason_codes = {R::kGrantedQoS0, R::kGrantedQoS1, R::kGrantedQoS2, R::kUnspecifiedError};
  to.Add("SUBACK", kServer, "90 ( 0001 00 01 02 80 )", suback, {3, 4, 5}, true);
  Unsubscribe unsubscribe;
  unsubscribe.packet_id = 1;
  unsubscribe.topic_filters = {"a/+", "b"};
  to.Add("UNSUBSCRIBE", kClient, "A2 ( 0001 <a/+> <b> )", unsubscribe, {7});
  UnsubAck unsuback;
  unsuback.packet_id = 1;
  to.Add("UNSUBACK", kServer, "B0 ( 0001 )", unsuback);
}

// MQTT 3.1 sends requests again with DUP, which means nothing more.
void AddRepeated(Corpus& to) {
  Subscribe subscribe;
  subscribe.packet_id = 1;
  subscribe.entries.push_back({"a", QoS::kAtLeastOnce});
  to.Add("SUBSCRIBE again", kClient, "8A ( 0001 <a> 01 )", subscribe).shortest = false;
  Unsubscribe unsubscribe;
  unsubscribe.packet_id = 1;
  unsubscribe.topic_filters = {"a"};
  to.Add("UNSUBSCRIBE again", kClient, "AA ( 0001 <a> )", unsubscribe).shortest = false;
  PubRel release;
  release.packet_id = 1;
  to.Add("PUBREL again", kClient, "6A ( 0001 )", release).shortest = false;
}

std::vector<ValidPacket> MakeValid() {
  std::vector<ValidPacket> all;
  for (const ProtocolVersion version : {k311, k31}) {
    Corpus to(version, all);
    AddConnects(version, to);
    AddConnAcks(version, to);
    AddPublishes(to);
    AddResponse<PubAck>("PUBACK", "40", to);
    AddResponse<PubRec>("PUBREC", "50", to);
    AddResponse<PubRel>("PUBREL", "62", to);
    AddResponse<PubComp>("PUBCOMP", "70", to);
    AddLists(to);
    if (version == k31) AddRepeated(to);
    to.Add("PINGREQ", kClient, "C0 00", PingReq());
    to.Add("PINGRESP", kServer, "D0 00", PingResp());
    to.Add("DISCONNECT", kClient, "E0 00", Disconnect());
  }
  return all;
}

struct Row {
  const char* name;
  Sender sender;
  const char* text;  // For Bytes().
  R reason_code;
  ProtocolVersion version = k311;
};

constexpr Row kRows[] = {
    {"CONNECT of 5.0", kClient, "10 ( <MQTT> 05 02 003C () <me> )", R::kUnsupportedProtocolVersion},
    {"CONNECT of 3.1", kClient, "10 ( <MQIsdp> 03 02 003C <me> )", R::kUnsupportedProtocolVersion},
    {"CONNECT of 3.1.1", kClient, "10 ( <MQTT> 04 02 003C <me> )", R::kUnsupportedProtocolVersion, k31},
    {"CONNECT of MQTT 3", kClient, "10 ( <MQTT> 03 02 003C <me> )", R::kUnsupportedProtocolVersion},
    {"CONNECT of MQIsdp 4", kClient, "10 ( <MQIsdp> 04 02 003C <me> )", R::kUnsupportedProtocolVersion, k31},
    {"CONNECT of MQIsdp 5", kClient, "10 ( <MQIsdp> 05 02 003C <me> )", R::kUnsupportedProtocolVersion, k31},
    {"CONNECT of a bridge", kClient, "10 ( <MQTT> 84 02 003C <me> )", R::kUnsupportedProtocolVersion},
    {"CONNECT with the reserved flag", kClient, "10 ( <MQTT> 04 03 003C <me> )", kMalformed},
    {"CONNECT with Will QoS 3", kClient, "10 ( <MQTT> 04 1E 003C <me> <w> <x> )", kMalformed},
    {"CONNECT with Will QoS and no Will", kClient, "10 ( <MQTT> 04 0A 003C <me> )", kMalformed},
    {"CONNECT with Will Retain and no Will", kClient, "10 ( <MQTT> 04 22 003C <me> )", kMalformed},
    {"CONNECT with the Will Flag and no Will", kClient, "10 ( <MQTT> 04 06 003C <me> )", kMalformed},
    {"CONNECT with a Will and no Will Flag", kClient, "10 ( <MQTT> 04 02 003C <me> <w> <x> )", kMalformed},
    {"CONNECT with a Password and no User Name", kClient, "10 ( <MQTT> 04 42 003C <me> <p> )", kMalformed},
    {"CONNECT with a Password and no User Name", kClient, "10 ( <MQIsdp> 03 42 003C <me> <p> )", kMalformed, k31},
    {"CONNECT with the User Name Flag alone", kClient, "10 ( <MQTT> 04 82 003C <me> )", kMalformed},
    {"CONNECT with the Password Flag alone", kClient, "10 ( <MQTT> 04 C2 003C <me> <u> )", kMalformed},
    {"CONNECT with a User Name cut off", kClient, "10 ( <MQIsdp> 03 82 003C <me> 0002 'u' )", kMalformed, k31},
    {"CONNECT with properties", kClient, "10 ( <MQTT> 04 02 003C () <me> )", kMalformed},
    {"CONNECT without a Client Identifier", kClient, "10 ( <MQTT> 04 02 003C )", kMalformed},
    {"CONNECT with an ill-formed Client Identifier", kClient, "10 ( <MQTT> 04 02 003C 0002 C328 )", kMalformed},
    {"CONNECT with a wildcard in the Will Topic", kClient, "10 ( <MQTT> 04 06 003C <> <w/#> <x> )",
     R::kTopicNameInvalid},
    {"CONNACK with a reserved flag", kServer, "20 ( 02 00 )", kMalformed},
    {"CONNACK with a session and a refusal", kServer, "20 ( 01 05 )", kProtocolError},
    {"CONNACK with an unlisted return code", kServer, "20 ( 00 06 )", kMalformed},
    {"CONNACK with a Reason Code", kServer, "20 ( 00 87 )", kMalformed},
    {"CONNACK with properties", kServer, "20 ( 00 00 00 )", kMalformed},
    {"PUBLISH with QoS 3", kClient, "36 ( <a> 0001 )", kMalformed},
    {"PUBLISH with DUP and QoS 0", kClient, "38 ( <a> )", kMalformed},
    {"PUBLISH without a Topic Name", kClient, "30 ( <> 'x' )", kMalformed},
    {"PUBLISH to a wildcard", kClient, "30 ( <a/+> )", R::kTopicNameInvalid},
    {"PUBLISH with Packet Identifier 0", kClient, "32 ( <a> 0000 )", kProtocolError},
    {"PUBLISH without Packet Identifier", kClient, "32 ( <a> )", kMalformed},
    {"PUBLISH with an ill-formed Topic Name", kServer, "30 ( 0002 C080 )", kMalformed},
    {"PUBACK with Packet Identifier 0", kClient, "40 ( 0000 )", kProtocolError},
    {"PUBACK with a Reason Code", kClient, "40 ( 0001 00 )", kMalformed},
    {"PUBREC with a Reason Code", kServer, "50 ( 0001 87 )", kMalformed},
    {"PUBREL with a Reason Code", kClient, "62 ( 0001 00 )", kMalformed},
    {"PUBREL with reserved flags", kClient, "60 ( 0001 )", kMalformed},
    {"PUBREL with DUP", kClient, "6A ( 0001 )", kMalformed},
    {"PUBREL without its flag but DUP", kClient, "68 ( 0001 )", kMalformed, k31},
    {"PUBCOMP with a Reason Code and properties", kClient, "70 ( 0001 00 () )", kMalformed},
    {"PUBACK with DUP", kClient, "48 ( 0001 )", kMalformed, k31},
    {"SUBSCRIBE with Packet Identifier 0", kClient, "82 ( 0000 <a> 00 )", kProtocolError},
    {"SUBSCRIBE without a Topic Filter", kClient, "82 ( 0001 )", kProtocolError},
    {"SUBSCRIBE without a QoS", kClient, "82 ( 0001 <a> )", kMalformed},
    {"SUBSCRIBE with QoS 3", kClient, "82 ( 0001 <a> 03 )", kMalformed},
    {"SUBSCRIBE with No Local", kClient, "82 ( 0001 <a> 04 )", kMalformed},
    {"SUBSCRIBE with Retain As Published", kClient, "82 ( 0001 <a> 08 )", kMalformed},
    {"SUBSCRIBE with Retain Handling", kClient, "82 ( 0001 <a> 10 )", kMalformed},
    {"SUBSCRIBE with a reserved bit", kClient, "82 ( 0001 <a> 80 )", kMalformed},
    {"SUBSCRIBE with # before the end", kClient, "82 ( 0001 <#/a> 00 )", R::kTopicFilterInvalid},
    {"SUBSCRIBE with an empty Topic Filter", kClient, "82 ( 0001 <> 00 )", R::kTopicFilterInvalid},
    {"SUBSCRIBE with DUP", kClient, "8A ( 0001 <a> 00 )", kMalformed},
    {"SUBACK without a return code", kServer, "90 ( 0001 )", kProtocolError},
    {"SUBACK with QoS 3", kServer, "90 ( 0001 03 )", kProtocolError},
    {"SUBACK with a Reason Code", kServer, "90 ( 0001 00 87 )", kProtocolError},
    {"UNSUBSCRIBE without a Topic Filter", kClient, "A2 ( 0001 )", kProtocolError},
    {"UNSUBSCRIBE with Packet Identifier 0", kClient, "A2 ( 0000 <a> )", kProtocolError},
    {"UNSUBACK with Packet Identifier 0", kServer, "B0 ( 0000 )", kProtocolError},
    {"UNSUBACK with a Reason Code", kServer, "B0 ( 0001 00 )", kMalformed},
    {"DISCONNECT with a Reason Code", kClient, "E0 ( 00 )", kMalformed},
    {"DISCONNECT from the server", kServer, "E0 ( )", kProtocolError},
    {"AUTH from the client", kClient, "F0 ( 18 ( 15 <m> ) )", kMalformed},
    {"AUTH from the server", kServer, "F0 ( )", kMalformed, k31},
    {"CONNECT from the server", kServer, "10 ( <MQTT> 04 02 003C <me> )", kProtocolError},
    {"SUBACK from the client", kClient, "90 ( 0001 00 )", kProtocolError},
};

std::vector<MalformedPacket> MakeMalformed() {
  std::vector<MalformedPacket> all;
  for (const Row& row : kRows) {
    all.push_back({std::string(row.name) + (row.version == k31 ? ", 3.1" : ", 3.1.1"), row.sender, Bytes(row.text),
                   row.reason_code, row.version});
  }
  return all;
}

}  // namespace

const std::vector<ValidPacket>& ValidVersion3Packets() {
  static const std::vector<ValidPacket> all = MakeValid();
  return all;
}

const std::vector<MalformedPacket>& MalformedVersion3Packets() {
  static const std::vector<MalformedPacket> all = MakeMalformed();
  return all;
}

}  // namespace mqttrpc::test
