#include "support/packet_corpus.h"

#include <algorithm>
#include <deque>
#include <string_view>
#include <utility>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"
#include "support/wire_text.h"

namespace mqttrpc::test {
namespace {

using namespace mqtt;
using R = ReasonCode;
using enum Sender;

// Properties whose bytes live as long as the program.
PropertiesView Props(std::string_view text) {
  static std::deque<std::string> kept;
  return PropertiesView::FromCheckedBytes(kept.emplace_back(Bytes(text)));
}

constexpr std::string_view kReasonProperties = "1F <no> 26 <k> <v> 26 <k> <>";

ValidPacket Make(std::string name, Sender sender, std::string_view text, Packet packet,
                 std::vector<std::size_t> shorter_bodies = {}, bool zero_may_follow = false) {
  return {std::move(name), sender, Bytes(text), std::move(packet), true, std::move(shorter_bodies), zero_may_follow};
}

ValidPacket Longer(ValidPacket packet) {
  packet.shortest = false;
  return packet;
}

void AddConnects(std::vector<ValidPacket>& to) {
  Connect bare;
  to.push_back(Make("CONNECT bare", kClient, "10 0D 0004 'MQTT' 05 00 0000 00 0000", bare));

  Connect named;
  named.client_id = "me";
  named.clean_start = true;
  named.keep_alive = 60;
  named.user_name = "";
  to.push_back(Make("CONNECT with an empty User Name", kClient, "10 ( <MQTT> 05 82 003C () <me> <> )", named));

  Connect password;
  password.password = std::string_view("\x00\xFF", 2);
  to.push_back(Make("CONNECT with a Password alone", kClient, "10 ( <MQTT> 05 40 0000 () <> 0002 00FF )", password));

  Connect full = named;
  full.user_name = "Ada";
  full.password = "secret";
  full.properties =
      Props("11 0000000A 21 0010 27 00010000 22 0005 19 01 17 00 26 <k> <v> 26 <k> <v> 15 <PLAIN> 16 0002 0001");
  Will& will = full.will.emplace();
  will.topic_name = "gone/me";
  will.payload = std::string_view("\x00\x01", 2);
  will.qos = QoS::kExactlyOnce;
  will.retain = true;
  will.properties = Props("18 0000001E 01 01 02 00000001 03 <text/plain> 08 <reply/me> 09 0001 FF 26 <w> <x>");
  to.push_back(Make("CONNECT with everything", kClient,
                    "10 ( <MQTT> 05 F6 003C"
                    "( 11 0000000A 21 0010 27 00010000 22 0005 19 01 17 00 26 <k> <v> 26 <k> <v> 15 <PLAIN>"
                    "  16 0002 0001 ) <me>"
                    "( 18 0000001E 01 01 02 00000001 03 <text/plain> 08 <reply/me> 09 0001 FF 26 <w> <x> )"
                    "<gone/me> 0002 0001 <Ada> <secret> )",
                    full));
}

void AddConnAcks(std::vector<ValidPacket>& to) {
  ConnAck bare;
  to.push_back(Make("CONNACK bare", kServer, "20 03 00 00 00", bare));
  ConnAck present;
  present.session_present = true;
  to.push_back(Make("CONNACK with a session", kServer, "20 03 01 00 00", present));
  ConnAck refused;
  refused.reason_code = R::kUnsupportedProtocolVersion;
  to.push_back(Make("CONNACK refused", kServer, "20 03 00 84 00", refused));
  ConnAck full;
  full.properties = Props(
      "11 FFFFFFFF 21 FFFF 24 01 25 00 27 10000000 12 <auto-1> 22 FFFF 1F <welcome> 26 <k> <v> 28 01 29 00 2A 01"
      "13 001E 1A <inbox/> 1C <other:1883> 15 <PLAIN> 16 0001 00");
  to.push_back(Make("CONNACK with everything", kServer,
                    "20 ( 00 00 ( 11 FFFFFFFF 21 FFFF 24 01 25 00 27 10000000 12 <auto-1> 22 FFFF 1F <welcome>"
                    "26 <k> <v> 28 01 29 00 2A 01 13 001E 1A <inbox/> 1C <other:1883> 15 <PLAIN> 16 0001 00 ) )",
                    full));
}

void AddPublishes(std::vector<ValidPacket>& to) {
  Publish bare;
  bare.topic_name = "a";
  for (const Sender sender : {kClient, kServer}) {
    to.push_back(Make("PUBLISH bare", sender, "30 04 0001 'a' 00", bare));
  }

  Publish hello;
  hello.topic_name = "a/b";
  hello.qos = QoS::kAtLeastOnce;
  hello.packet_id = 0x1234;
  hello.payload = "hello";
  to.push_back(Make("PUBLISH with QoS 1", kClient, "32 ( <a/b> 1234 () 'hello' )", hello));
  hello.dup = true;
  hello.qos = QoS::kExactlyOnce;
  hello.retain = true;
  to.push_back(Make("PUBLISH again, with QoS 2 and retained", kServer, "3D ( <a/b> 1234 () 'hello' )", hello));

  Publish aliased;
  aliased.properties = Props("23 FFFF");
  to.push_back(Make("PUBLISH with a Topic Alias alone", kClient, "30 ( <> ( 23 FFFF ) )", aliased));

  Publish unicode;
  unicode.topic_name = "/\xC3\xA4/\xE2\x82\xAC/\xF0\x9F\x92\xA1/";
  to.push_back(Make("PUBLISH to a topic beyond ASCII", kServer, "30 ( </\xC3\xA4/\xE2\x82\xAC/\xF0\x9F\x92\xA1/> () )",
                    unicode));

  Publish full = hello;
  full.dup = false;
  full.properties =
      Props("01 01 02 FFFFFFFF 23 0001 08 <reply/me> 09 0002 0001 26 <k> <v> 26 <k> <w> 26 <> <> 03 <text/plain>");
  to.push_back(Make("PUBLISH with everything a client may send", kClient,
                    "35 ( <a/b> 1234 ( 01 01 02 FFFFFFFF 23 0001 08 <reply/me> 09 0002 0001 26 <k> <v> 26 <k> <w>"
                    "26 <> <> 03 <text/plain> ) 'hello' )",
                    full));
  full.properties = Props("0B 01 0B FFFFFF7F 0B 01 01 00 26 <k> <v> 0B 8001");
  to.push_back(Make("PUBLISH with many Subscription Identifiers", kServer,
                    "35 ( <a/b> 1234 ( 0B 01 0B FFFFFF7F 0B 01 01 00 26 <k> <v> 0B 8001 ) 'hello' )", full));

  static const std::string long_payload(16'384, 'x');
  Publish big = bare;
  big.payload = long_payload;
  ValidPacket big_packet = Make("PUBLISH with a long payload", kClient, "", big);
  big_packet.bytes = Bytes("30 848001 0001 'a' 00") + long_payload;  // Remaining Length 16,388.
  to.push_back(big_packet);
}

template <typename P>
void AddResponses(std::vector<ValidPacket>& to, const std::string& type, const std::string& first, R error,
                  const std::string& error_hex) {
  for (const Sender sender : {kClient, kServer}) {
    P success;
    success.packet_id = 0xFFFF;
    to.push_back(Make(type + " bare", sender, first + "02 FFFF", success, {}, true));
    to.push_back(Longer(Make(type + " with Success written out", sender, first + "03 FFFF 00", success, {2}, true)));
    to.push_back(
        Longer(Make(type + " with no properties written out", sender, first + "04 FFFF 00 00", success, {2, 3})));
    P failed = success;
    failed.reason_code = error;
    to.push_back(
        Make(type + " with a Reason Code", sender, absl::StrCat(first, "03 FFFF", error_hex), failed, {2}, true));
    failed.properties = Props(kReasonProperties);
    const std::string everything = absl::StrCat(first, "( FFFF", error_hex, "(", ToAbsl(kReasonProperties), ") )");
    to.push_back(Make(type + " with everything", sender, everything, failed, {2, 3}));
  }
}

void AddSubscribes(std::vector<ValidPacket>& to) {
  Subscribe bare;
  bare.packet_id = 1;
  bare.entries.emplace_back().topic_filter = "#";
  to.push_back(Make("SUBSCRIBE bare", kClient, "82 07 0001 00 0001 '#' 00", bare));

  Subscribe full = bare;
  full.properties = Props("0B FFFFFF7F 26 <k> <v>");
  full.entries[0] = {"a/+/#", QoS::kExactlyOnce, true, true, 2};
  full.entries.push_back({"$share/g/a", QoS::kAtLeastOnce, false, false, 1});
  to.push_back(Make("SUBSCRIBE with everything", kClient,
                    "82 ( 0001 ( 0B FFFFFF7F 26 <k> <v> ) <a/+/#> 2E <$share/g/a> 11 )", full, {23}));

  SubAck ack;
  ack.packet_id = 1;
  ack.reason_codes = {R::kGrantedQoS0};
  to.push_back(Make("SUBACK bare", kServer, "90 04 0001 00 00", ack, {}, true));
  ack.reason_codes = {R::kGrantedQoS0,
                      R::kGrantedQoS1,
                      R::kGrantedQoS2,
                      R::kUnspecifiedError,
                      R::kImplementationSpecificError,
                      R::kNotAuthorized,
                      R::kTopicFilterInvalid,
                      R::kPacketIdentifierInUse,
                      R::kQuotaExceeded,
                      R::kSharedSubscriptionsNotSupported,
                      R::kSubscriptionIdentifiersNotSupported,
                      R::kWildcardSubscriptionsNotSupported};
  to.push_back(Make("SUBACK with every Reason Code", kServer, "90 ( 0001 () 00 01 02 80 83 87 8F 91 97 9E A1 A2 )", ack,
                    {4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, true));
  ack.reason_codes = {R::kNotAuthorized};
  ack.properties = Props(kReasonProperties);
  to.push_back(Make("SUBACK with everything", kServer, "90 ( 0001 (" + std::string(kReasonProperties) + ") 87 )", ack,
                    {}, true));
}

void AddUnsubscribes(std::vector<ValidPacket>& to) {
  Unsubscribe bare;
  bare.packet_id = 1;
  bare.topic_filters = {"a"};
  to.push_back(Make("UNSUBSCRIBE bare", kClient, "A2 06 0001 00 0001 'a'", bare));
  bare.topic_filters = {"a/#", "$share/g/+"};
  bare.properties = Props("26 <k> <v> 26 <k> <v>");
  to.push_back(Make("UNSUBSCRIBE with everything", kClient, "A2 ( 0001 ( 26 <k> <v> 26 <k> <v> ) <a/#> <$share/g/+> )",
                    bare, {22}));

  UnsubAck ack;
  ack.packet_id = 1;
  ack.reason_codes = {R::kSuccess};
  to.push_back(Make("UNSUBACK bare", kServer, "B0 04 0001 00 00", ack, {}, true));
  ack.reason_codes = {
      R::kSuccess,       R::kNoSubscriptionExisted, R::kUnspecifiedError,     R::kImplementationSpecificError,
      R::kNotAuthorized, R::kTopicFilterInvalid,    R::kPacketIdentifierInUse};
  to.push_back(Make("UNSUBACK with every Reason Code", kServer, "B0 ( 0001 () 00 11 80 83 87 8F 91 )", ack,
                    {4, 5, 6, 7, 8, 9}, true));
  ack.reason_codes = {R::kNoSubscriptionExisted};
  ack.properties = Props(kReasonProperties);
  to.push_back(Make("UNSUBACK with everything", kServer, "B0 ( 0001 (" + std::string(kReasonProperties) + ") 11 )", ack,
                    {}, true));
}

void AddDisconnects(std::vector<ValidPacket>& to) {
  Disconnect normal;
  to.push_back(Make("DISCONNECT bare", kClient, "E0 00", normal, {}, true));
  to.push_back(Longer(Make("DISCONNECT with 0x00 written out", kClient, "E0 01 00", normal, {0}, true)));
  to.push_back(Longer(Make("DISCONNECT with no properties written out", kClient, "E0 02 00 00", normal, {0, 1})));
  Disconnect with_will;
  with_will.reason_code = R::kDisconnectWithWillMessage;
  to.push_back(Make("DISCONNECT with the Will", kClient, "E0 01 04", with_will, {0}, true));
  with_will.properties = Props("11 00000000 1F <bye> 26 <k> <v>");
  to.push_back(Make("DISCONNECT with everything a client may send", kClient,
                    "E0 ( 04 ( 11 00000000 1F <bye> 26 <k> <v> ) )", with_will, {0, 1}));
  Disconnect moved;
  moved.reason_code = R::kServerMoved;
  to.push_back(Make("DISCONNECT by the server", kServer, "E0 01 9D", moved, {}, true));
  moved.properties = Props("1C <other:1883> 1F <bye> 26 <k> <v>");
  to.push_back(Make("DISCONNECT with everything a server may send", kServer,
                    "E0 ( 9D ( 1C <other:1883> 1F <bye> 26 <k> <v> ) )", moved, {1}));
}

void AddAuths(std::vector<ValidPacket>& to) {
  Auth success;
  to.push_back(Make("AUTH bare", kServer, "F0 00", success));
  Auth more;
  more.reason_code = R::kContinueAuthentication;
  more.properties = Props("15 <SCRAM> 16 0003 000102 1F <why> 26 <k> <v>");
  const std::string_view text = "F0 ( 18 ( 15 <SCRAM> 16 0003 000102 1F <why> 26 <k> <v> ) )";
  to.push_back(Make("AUTH with everything from the client", kClient, text, more));
  to.push_back(Make("AUTH with everything from the server", kServer, text, more, {0}));
  Auth again;
  again.reason_code = R::kReAuthenticate;
  again.properties = Props("15 <SCRAM>");
  to.push_back(Make("AUTH anew", kClient, "F0 ( 19 ( 15 <SCRAM> ) )", again));
}

std::vector<ValidPacket> MakeValidPackets() {
  std::vector<ValidPacket> all;
  AddConnects(all);
  AddConnAcks(all);
  AddPublishes(all);
  AddResponses<PubAck>(all, "PUBACK", "40", R::kNotAuthorized, "87");
  AddResponses<PubRec>(all, "PUBREC", "50", R::kQuotaExceeded, "97");
  AddResponses<PubRel>(all, "PUBREL", "62", R::kPacketIdentifierNotFound, "92");
  AddResponses<PubComp>(all, "PUBCOMP", "70", R::kPacketIdentifierNotFound, "92");
  PubAck nobody;
  nobody.packet_id = 1;
  nobody.reason_code = R::kNoMatchingSubscribers;
  all.push_back(Make("PUBACK, nobody subscribes", kServer, "40 03 0001 10", nobody, {2}, true));
  AddSubscribes(all);
  AddUnsubscribes(all);
  all.push_back(Make("PINGREQ", kClient, "C0 00", PingReq()));
  all.push_back(Make("PINGRESP", kServer, "D0 00", PingResp()));
  AddDisconnects(all);
  AddAuths(all);
  return all;
}

}  // namespace

const std::vector<ValidPacket>& ValidPackets() {
  static const std::vector<ValidPacket> all = MakeValidPackets();
  return all;
}

std::vector<MalformedPacket> MalformedPackets() {
  std::vector<MalformedPacket> all = HandMadeMalformedPackets();
  for (auto& more : {MalformedProperties(), MalformedFlags()}) all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::string BodyOf(const std::string& packet_bytes) {
  Reader in(std::string_view(packet_bytes).substr(1));
  in.VariableByteInteger();
  return std::string(in.Rest());
}

std::string PacketFrom(char first_byte, const std::string& body) {
  std::string packet(1, first_byte);
  Writer out(packet);
  out.VariableByteInteger(static_cast<std::uint32_t>(body.size()));
  out.Raw(body);
  return packet;
}

std::string Truncated(const ValidPacket& packet, std::size_t body_size) {
  return PacketFrom(packet.bytes[0], BodyOf(packet.bytes).substr(0, body_size));
}

std::string Extended(const ValidPacket& packet, char byte) {
  return PacketFrom(packet.bytes[0], BodyOf(packet.bytes) + byte);
}

bool IsPacketAgain(const ValidPacket& packet, std::size_t body_size) {
  if (const auto* publish = std::get_if<Publish>(&packet.packet)) {
    return body_size + publish->payload.size() >= BodyOf(packet.bytes).size();
  }
  return std::find(packet.shorter_bodies.begin(), packet.shorter_bodies.end(), body_size) !=
         packet.shorter_bodies.end();
}

}  // namespace mqttrpc::test
