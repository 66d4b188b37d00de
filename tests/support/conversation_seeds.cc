// Conversations that lead a fuzzer to what a broker can do.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conversation.h"
#include "mqttrpc/mqtt/properties.h"
#include "packet_corpus.h"

namespace mqttrpc::test {
namespace {

using mqtt::PacketId;
using mqtt::ProtocolVersion;
using mqtt::QoS;
namespace property = mqtt::property;

std::string Bytes(const mqtt::Packet& packet, ProtocolVersion version = ProtocolVersion::k5) {
  std::string bytes;
  if (!mqtt::EncodePacket(packet, mqtt::Sender::kClient, bytes, version).ok()) bytes.clear();
  return bytes;
}

std::string ConnectAs(std::string_view client_id, ProtocolVersion version, const mqtt::Properties& properties = {},
                      bool clean_start = false) {
  mqtt::Connect connect;
  connect.client_id = client_id;
  connect.clean_start = clean_start;
  connect.keep_alive = 60;
  connect.properties = properties;
  connect.version = version;
  return Bytes(connect, version);
}

std::string ConnectAs(std::string_view client_id, const mqtt::Properties& properties = {}) {
  return ConnectAs(client_id, ProtocolVersion::k5, properties);
}

// A CONNECT whose session lasts.
mqtt::Properties Lasting(std::uint32_t seconds = 600) {
  mqtt::Properties properties;
  properties.Set(property::kSessionExpiryInterval, seconds);
  return properties;
}

std::string SubscribeTo(std::string_view topic_filter, QoS qos = QoS::kExactlyOnce, std::uint32_t identifier = 0) {
  mqtt::Properties properties;
  if (identifier != 0) properties.Add(property::kSubscriptionIdentifier, identifier);
  mqtt::Subscribe subscribe;
  subscribe.packet_id = 1;
  subscribe.properties = properties;
  subscribe.entries.emplace_back();
  subscribe.entries[0].topic_filter = topic_filter;
  subscribe.entries[0].qos = qos;
  return Bytes(subscribe);
}

std::string PublishOf(std::string_view topic_name, QoS qos, PacketId packet_id, const mqtt::Properties& properties = {},
                      bool retain = false) {
  mqtt::Publish publish;
  publish.topic_name = topic_name;
  publish.payload = "payload";
  publish.qos = qos;
  publish.packet_id = qos == QoS::kAtMostOnce ? PacketId{0} : packet_id;
  publish.retain = retain;
  publish.properties = properties;
  return Bytes(publish);
}

template <typename Ack>
std::string AckOf(PacketId packet_id) {
  Ack ack;
  ack.packet_id = packet_id;
  return Bytes(ack);
}

// One subscriber, one publisher, all flows through.
Conversation EveryQoS(ProtocolVersion version) {
  Conversation talk;
  talk.Say(0, ConnectAs("s", version)).Say(1, ConnectAs("p", version));
  const auto say = [&](std::size_t client, const mqtt::Packet& packet) { talk.Say(client, Bytes(packet, version)); };
  say(0, mqtt::Subscribe{1, {}, {{"t/+", QoS::kExactlyOnce}, {"t/#", QoS::kAtLeastOnce}}});
  for (const QoS qos : {QoS::kAtMostOnce, QoS::kAtLeastOnce, QoS::kExactlyOnce}) {
    mqtt::Publish publish;
    publish.topic_name = "t/1";
    publish.payload = "payload";
    publish.qos = qos;
    publish.packet_id = qos == QoS::kAtMostOnce ? PacketId{0} : PacketId{5};
    say(1, publish);
  }
  say(1, mqtt::PubRel{5, {}, {}});
  for (const PacketId id : {1, 2, 3, 4}) {
    say(0, mqtt::PubAck{id, {}, {}});
    say(0, mqtt::PubRec{id, {}, {}});
    say(0, mqtt::PubComp{id, {}, {}});
  }
  say(0, mqtt::Unsubscribe{2, {}, {"t/+", "none"}});
  say(0, mqtt::PingReq());
  return talk;
}

// Messages wait for a client that is away, in a session of a lasting kind.
Conversation AwayAndBack() {
  mqtt::Properties expiring;
  expiring.Set(property::kMessageExpiryInterval, 30u);
  Conversation talk;
  talk.Say(0, ConnectAs("s", Lasting())).Say(0, SubscribeTo("t/#", QoS::kExactlyOnce, 7)).Say(1, ConnectAs("p"));
  talk.Say(1, PublishOf("t/1", QoS::kExactlyOnce, 1)).Say(1, AckOf<mqtt::PubRel>(1)).Dial(0);
  talk.Say(1, PublishOf("t/2", QoS::kAtLeastOnce, 2)).Say(1, PublishOf("t/3", QoS::kAtLeastOnce, 3, expiring));
  talk.Wait(16).Say(0, ConnectAs("s", Lasting())).Say(0, AckOf<mqtt::PubRec>(1)).Say(0, AckOf<mqtt::PubComp>(1));
  talk.Say(2, ConnectAs("s", Lasting(5)));  // Takes it over.
  talk.Say(2, Bytes(mqtt::Disconnect())).Wait(13);
  return talk;
}

Conversation SharedBetweenTwo() {
  mqtt::Properties few = Lasting();
  few.Set(property::kReceiveMaximum, std::uint16_t{1});
  Conversation talk;
  talk.Say(0, ConnectAs("a", few)).Say(1, ConnectAs("b", few)).Say(2, ConnectAs("p"));
  for (const std::size_t member : {0, 1}) talk.Say(member, SubscribeTo("$share/g/t"));
  for (const PacketId id : {1, 2, 3, 4, 5}) talk.Say(2, PublishOf("t", QoS::kAtLeastOnce, id));
  talk.Say(0, AckOf<mqtt::PubAck>(1)).Dial(0).Say(1, AckOf<mqtt::PubAck>(1)).Dial(1);
  talk.Say(2, PublishOf("t", QoS::kAtLeastOnce, 6)).Say(0, ConnectAs("a", few)).Wait(20);
  return talk;
}

Conversation RetainedAndWills() {
  mqtt::Properties will_properties;
  will_properties.Set(property::kWillDelayInterval, 3u);
  will_properties.Add(property::kUserProperty, {"why", "gone"});
  mqtt::Connect connect;
  connect.client_id = "w";
  connect.keep_alive = 1;
  mqtt::Will& will = connect.will.emplace();
  will.topic_name = "t/w";
  will.payload = "gone";
  will.qos = QoS::kAtLeastOnce;
  will.retain = true;
  will.properties = will_properties;
  mqtt::Properties lasting = Lasting();
  connect.properties = lasting;
  Conversation talk;
  talk.Say(0, Bytes(connect)).Say(1, ConnectAs("p"));
  talk.Say(1, PublishOf("t/1", QoS::kAtMostOnce, 0, {}, true)).Say(1, PublishOf("t/2", QoS::kAtLeastOnce, 1, {}, true));
  talk.Say(1, SubscribeTo("#")).Say(1, SubscribeTo("$SYS/#")).Wait(12).Wait(11).Dial(0).Say(0, Bytes(connect));
  talk.Dial(0).Wait(12);
  return talk;
}

// The broker's Topic Aliases, the client's, and a Maximum Packet Size.
Conversation Aliases() {
  mqtt::Properties small = Lasting();
  small.Set(property::kTopicAliasMaximum, std::uint16_t{2});
  small.Set(property::kMaximumPacketSize, 40u);
  mqtt::Properties alias;
  alias.Set(property::kTopicAlias, std::uint16_t{1});
  Conversation talk;
  talk.Say(0, ConnectAs("s", small)).Say(0, SubscribeTo("#", QoS::kAtMostOnce)).Say(1, ConnectAs("p"));
  for (const std::string_view topic_name : {"long/topic/1", "", "long/topic/2", "", "long/topic/3", ""}) {
    talk.Say(1, PublishOf(topic_name, QoS::kAtMostOnce, 0, alias));
    talk.Say(1, PublishOf("long/topic/1", QoS::kAtMostOnce, 0));
  }
  talk.Say(1, PublishOf("a/topic/too/long/for/a/packet/of/forty/bytes", QoS::kAtMostOnce, 0));
  return talk;
}

// More than all limits, towards a client that reads nothing.
Conversation FrozenReader() {
  Conversation talk;
  talk.Say(0, ConnectAs("s", Lasting())).Say(0, SubscribeTo("#")).Freeze(0).Say(1, ConnectAs("p"));
  for (PacketId id = 1; id < 120; ++id) {
    talk.Say(1, PublishOf("t", QoS::kAtLeastOnce, id));
    talk.Say(0, Bytes(mqtt::PingReq()));
  }
  return talk.Freeze(0).Wait(16).Freeze(0).Wait(17);
}

}  // namespace

std::vector<std::string> ConversationSeeds() {
  std::vector<std::string> seeds;
  for (const ProtocolVersion version : {ProtocolVersion::k31, ProtocolVersion::k311, ProtocolVersion::k5}) {
    seeds.push_back(EveryQoS(version).bytes());
  }
  for (const Conversation& each : {AwayAndBack(), SharedBetweenTwo(), RetainedAndWills(), Aliases(), FrozenReader()}) {
    seeds.push_back(each.bytes());
  }
  const auto add = [&](const auto& packets) {
    for (const auto& each : packets) {
      Conversation talk;
      const bool connects = static_cast<unsigned char>(each.bytes[0]) >> 4 == 1;
      if (!connects) talk.Say(0, ConnectAs("c", each.version));
      seeds.push_back(talk.Say(0, each.bytes).bytes());
    }
  };
  add(ValidPackets());
  add(ValidVersion3Packets());
  add(MalformedPackets());
  add(MalformedVersion3Packets());
  return seeds;
}

}  // namespace mqttrpc::test
