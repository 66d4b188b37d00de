#include "planted.h"

#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "mqttrpc/mqtt/topic.h"
#include "packets.h"

namespace mqttrpc::explorer::planted {
namespace {

using testing::Direction;
using testing::PacketKind;
using testing::RecordedPacket;

// The packet with `change` made to it; as it was if that is no packet any more.
template <typename P, typename Change>
std::string Changed(const RecordedPacket& packet, Change change) {
  const std::string_view bytes = packet.bytes;
  std::size_t header = 1;
  while ((static_cast<unsigned char>(bytes[header]) & 0x80) != 0) ++header;
  mqtt::Frame frame;
  frame.first_byte = static_cast<std::uint8_t>(bytes[0]);
  frame.body = mqtt::AsBytes(bytes.substr(header + 1));
  const auto sender = packet.direction == Direction::kToBroker ? mqtt::Sender::kClient : mqtt::Sender::kServer;
  auto decoded = mqtt::DecodePacket(frame, sender);
  if (!decoded.ok() || !std::holds_alternative<P>(*decoded)) return packet.bytes;
  mqtt::Properties properties(std::get<P>(*decoded).properties);
  change(std::get<P>(*decoded), properties);
  std::get<P>(*decoded).properties = properties;
  std::string changed;
  return mqtt::EncodePacket(*decoded, sender, changed).ok() ? changed : packet.bytes;
}

bool IsLive(const RecordedPacket& packet) {
  return packet.client != "witness" && packet.client != "probe" && !packet.retain;
}

// Nor of those who watch.
bool IsNotTheirs(const RecordedPacket& packet) { return packet.client != "witness" && packet.client != "probe"; }

bool IsQoS(const RecordedPacket& packet, mqtt::QoS qos) { return IsLive(packet) && packet.qos == qos; }

}  // namespace

void LosesAMessage(testing::World& world) {
  auto seen = std::make_shared<int>(0);
  world.faults()
      .ToAll()
      .Every(PacketKind::kPublish)
      .If([seen](const RecordedPacket& packet) {
        return IsLive(packet) && packet.qos != mqtt::QoS::kAtMostOnce && ++*seen % 3 == 0;
      })
      .Drop();
}

void Reorders(testing::World& world) { world.faults().ToAll().Every(PacketKind::kPublish).If(IsLive).SwapWithNext(); }

void RepeatsQoS1(testing::World& world) {
  world.faults()
      .ToAll()
      .Every(PacketKind::kPublish)
      .If([](const RecordedPacket& packet) { return IsQoS(packet, mqtt::QoS::kAtLeastOnce) && !packet.dup; })
      .Duplicate();
}

void RepeatsQoS2(testing::World& world) {
  world.faults()
      .ToAll()
      .Every(PacketKind::kPublish)
      .If([](const RecordedPacket& packet) { return IsQoS(packet, mqtt::QoS::kExactlyOnce) && !packet.dup; })
      .Replace([](const RecordedPacket& packet) {
        return packet.bytes + Changed<mqtt::Publish>(packet, [](mqtt::Publish& publish, mqtt::Properties&) {
                 publish.packet_id = static_cast<mqtt::PacketId>(publish.packet_id + 30'000);
               });
      });
}

void ForgetsRetained(testing::World& world) {
  world.faults()
      .FromAll()
      .Every(PacketKind::kPublish)
      .If([](const RecordedPacket& packet) { return packet.retain && !packet.payload.empty(); })
      .Replace([](const RecordedPacket& packet) {
        return Changed<mqtt::Publish>(packet,
                                      [](mqtt::Publish& publish, mqtt::Properties&) { publish.retain = false; });
      });
}

void KeepsWhatWasCleared(testing::World& world) {
  world.faults()
      .FromAll()
      .Every(PacketKind::kPublish)
      .If([](const RecordedPacket& packet) { return packet.retain && packet.payload.empty(); })
      .Replace([](const RecordedPacket& packet) {
        return Changed<mqtt::Publish>(packet,
                                      [](mqtt::Publish& publish, mqtt::Properties&) { publish.retain = false; });
      });
}

void LosesWills(testing::World& world) { world.faults().To("witness").Every(PacketKind::kPublish).Drop(); }

void RepeatsWills(testing::World& world) { world.faults().To("witness").Every(PacketKind::kPublish).Duplicate(); }

void ForgetsSessions(testing::World& world) {
  world.faults().FromAll().Every(PacketKind::kConnect).Replace([](const RecordedPacket& packet) {
    return Changed<mqtt::Connect>(packet,
                                  [](mqtt::Connect& connect, mqtt::Properties&) { connect.clean_start = true; });
  });
}

void KeepsSessions(testing::World& world) {
  world.faults().FromAll().Every(PacketKind::kConnect).Replace([](const RecordedPacket& packet) {
    return Changed<mqtt::Connect>(packet, [](mqtt::Connect&, mqtt::Properties& properties) {
      properties.Set(mqtt::property::kSessionExpiryInterval, 100'000);
    });
  });
}

void ForgetsExpiry(testing::World& world) {
  world.faults().FromAll().Every(PacketKind::kPublish).Replace([](const RecordedPacket& packet) {
    return Changed<mqtt::Publish>(packet, [](mqtt::Publish&, mqtt::Properties& properties) {
      properties.Remove(mqtt::PropertyId::kMessageExpiryInterval);
    });
  });
}

void StopsExpiry(testing::World& world) {
  world.faults().FromAll().Every(PacketKind::kPublish).Replace([](const RecordedPacket& packet) {
    return Changed<mqtt::Publish>(packet, [](mqtt::Publish&, mqtt::Properties& properties) {
      const auto expiry = properties.Get(mqtt::property::kMessageExpiryInterval);
      if (expiry.has_value()) properties.Set(mqtt::property::kMessageExpiryInterval, *expiry + 1);
    });
  });
}

void LowersQoS(testing::World& world) {
  world.faults().FromAll().Every(PacketKind::kSubscribe).Replace([](const RecordedPacket& packet) {
    return Changed<mqtt::Subscribe>(packet, [](mqtt::Subscribe& subscribe, mqtt::Properties&) {
      for (mqtt::SubscribeEntry& entry : subscribe.entries) entry.qos = mqtt::QoS::kAtMostOnce;
    });
  });
}

void Renames(testing::World& world) {
  world.faults()
      .FromAll()
      .Every(PacketKind::kPublish)
      .If([](const RecordedPacket& packet) { return packet.topic_name == "t/0"; })
      .Replace([](const RecordedPacket& packet) {
        return Changed<mqtt::Publish>(packet,
                                      [](mqtt::Publish& publish, mqtt::Properties&) { publish.topic_name = "t/1"; });
      });
}

void KeepsSubscriptions(testing::World& world) {
  world.faults().FromAll().Every(PacketKind::kUnsubscribe).Replace([](const RecordedPacket& packet) {
    return Changed<mqtt::Unsubscribe>(packet, [](mqtt::Unsubscribe& unsubscribe, mqtt::Properties&) {
      for (std::string_view& filter : unsubscribe.topic_filters) filter = "t/none";
    });
  });
}

void SwallowsAcknowledgements(testing::World& world) {
  world.faults().FromAll().Every(PacketKind::kPubAck).If(IsNotTheirs).Drop();
}

void SwallowsReleases(testing::World& world) {
  world.faults().ToAll().Every(PacketKind::kPubRel).If(IsNotTheirs).Drop();
}

}  // namespace mqttrpc::explorer::planted
