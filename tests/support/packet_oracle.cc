#include "support/packet_oracle.h"

#include <cstdint>
#include <random>
#include <vector>

#include "frame_buffer.h"
#include "mqttrpc/mqtt/status.h"
#include "mqttrpc/mqtt/topic.h"
#include "support/wire_text.h"

namespace mqttrpc::test {
namespace {

using namespace mqtt;

constexpr std::uint32_t kMaximumPacketSize = 4096;

// What a FrameBuffer makes of a stream.
struct Cut {
  std::vector<std::pair<std::uint8_t, std::string>> frames;
  absl::Status end;
  std::size_t tail_bytes = 0;
  bool operator==(const Cut&) const = default;
};

// Feeds `stream` in pieces of at most `piece` bytes, or all at once; now and then
// leaves frames in the buffer, as a reader does that has to stop.
Cut CutUp(std::string_view stream, std::size_t piece, std::uint32_t seed) {
  Cut cut;
  std::minstd_rand random(seed);
  FrameBuffer buffer(kMaximumPacketSize);
  const auto drain = [&](bool whole) {
    for (std::uint32_t left = whole ? UINT32_MAX : static_cast<std::uint32_t>(random() % 3); left > 0; --left) {
      const auto frame = buffer.Next();
      if (!frame.ok()) {
        cut.end = frame.status();
        return;
      }
      if (!frame->has_value()) return;
      cut.frames.emplace_back((*frame)->first_byte, AsText((*frame)->body));
    }
  };
  while (!stream.empty() && cut.end.ok()) {
    const std::size_t size = piece == 0 ? stream.size() : std::min(stream.size(), 1 + random() % piece);
    const std::string lent(stream.substr(0, size));  // A heap block of its own: ASan sees what outlives it.
    stream.remove_prefix(size);
    buffer.Feed(AsBytes(lent));
    drain(piece == 0 || random() % 2 == 0);
    buffer.Keep();
  }
  if (cut.end.ok()) drain(true);
  buffer.Keep();
  if (cut.end.ok()) cut.tail_bytes = buffer.tail_bytes();
  return cut;
}

std::string JudgeProperties(PropertiesView properties) {
  std::size_t user_properties = 0;
  Properties rebuilt;
  std::string problem;
  properties.ForEach([&](const PropertyView& each) {
    if (!properties.Has(each.id)) problem = "Has() does not find what ForEach() gives";
    if (each.id != PropertyId::kUserProperty) return;
    ++user_properties;
    rebuilt.Add(property::kUserProperty, {each.text, each.value});
    if (!properties.UserProperty(each.text).has_value()) problem = "UserProperty() does not find a name";
  });
  if (!(Properties(properties).view() == properties)) return "a copy of properties differs";
  std::size_t again = 0;
  rebuilt.view().ForEachUserProperty([&](UserPropertyView) { ++again; });
  if (again != user_properties) return "user properties were lost";
  Properties without(properties);
  without.Remove(PropertyId::kUserProperty);
  if (without.view().Has(PropertyId::kUserProperty)) return "Remove() left a user property";
  return problem;
}

bool HasProperties(const Packet& packet) {
  const auto* connect = std::get_if<Connect>(&packet);
  if (connect != nullptr && connect->will && !connect->will->properties.empty()) return true;
  return std::visit(
      [](const auto& each) {
        if constexpr (requires { each.properties; }) return !each.properties.empty();
        return false;
      },
      packet);
}

std::string JudgeTopics(const Packet& packet) {
  if (const auto* publish = std::get_if<Publish>(&packet)) {
    if (publish->topic_name.empty()) return "";
    if (!CheckTopicName(publish->topic_name).ok()) return "a refused Topic Name was decoded";
    if (!Matches(publish->topic_name, publish->topic_name)) return "a Topic Name does not match itself";
  }
  if (const auto* subscribe = std::get_if<Subscribe>(&packet)) {
    for (const SubscribeEntry& entry : subscribe->entries) {
      if (!CheckTopicFilter(entry.topic_filter).ok()) return "a refused Topic Filter was decoded";
      const auto shared = ParseSharedFilter(entry.topic_filter);
      Matches(shared.has_value() ? shared->topic_filter : entry.topic_filter, "some/topic/name");
    }
  }
  return "";
}

std::string JudgeRefusal(const absl::Status& status) {
  const auto code = ReasonCodeOf(status);
  if (!code.has_value() || !IsError(*code)) return "refused without a Reason Code: " + status.ToString();
  if (status.message().empty()) return "refused without a word";
  return "";
}

// That a broker which awaits a CONNECT sees what the connection's version says.
std::string JudgeFirst(const Frame& frame, const absl::StatusOr<Packet>& packet, ProtocolVersion version) {
  const absl::StatusOr<Connect> connect = DecodeConnect(frame);
  if (!connect.ok()) {
    if (packet.ok() && std::holds_alternative<Connect>(*packet))
      return "a CONNECT is taken, but not as the first packet";
    return JudgeRefusal(connect.status());
  }
  if (connect->version == version) {
    if (packet.ok() && *packet == Packet(*connect)) return "";
    return "a CONNECT is taken as the first packet only";
  }
  if (ReasonCodeOf(packet.status()) == ReasonCode::kUnsupportedProtocolVersion) return "";
  return "a CONNECT of another version is not refused as that";
}

std::string JudgeFrame(std::uint8_t first_byte, std::string_view body, Sender sender, ProtocolVersion version) {
  const Frame frame{first_byte, AsBytes(body)};
  const absl::StatusOr<Packet> packet = DecodePacket(frame, sender, version);
  if (sender == Sender::kClient) {
    if (std::string problem = JudgeFirst(frame, packet, version); !problem.empty()) return problem;
  }
  if (!packet.ok()) return JudgeRefusal(packet.status());

  const Sender other = sender == Sender::kClient ? Sender::kServer : Sender::kClient;
  if (const auto mirrored = DecodePacket(frame, other, version); mirrored.ok() && !(*mirrored == *packet)) {
    return "means something else from the other side";
  }
  if (std::string problem = JudgeTopics(*packet); !problem.empty()) return problem;
  std::string problem = std::visit(
      [](const auto& each) -> std::string {
        if constexpr (requires { each.properties; }) return JudgeProperties(each.properties);
        return "";
      },
      *packet);
  if (!problem.empty()) return problem;
  if (version != ProtocolVersion::k5 && HasProperties(*packet)) return "MQTT 3 has no properties";

  WireBuffer encoded = "before";
  if (const absl::Status status = EncodePacket(*packet, sender, encoded, version); !status.ok()) {
    return "decoded but cannot be encoded: " + status.ToString();
  }
  FrameBuffer buffer(kMaximumPacketSize);
  buffer.Feed(AsBytes(std::string_view(encoded).substr(6)));
  const auto again = buffer.Next();
  if (!again.ok() || !again->has_value()) return "the encoded packet is no frame: " + Hex(encoded);
  const auto decoded = DecodePacket(**again, sender, version);
  if (!decoded.ok()) return "the encoded packet is refused: " + decoded.status().ToString();
  if (!(*decoded == *packet)) return "the encoded packet means something else: " + Hex(encoded);
  if ((*again)->body.size() > body.size()) return "the encoded packet is longer: " + Hex(encoded);
  return "";
}

}  // namespace

std::string JudgeStream(std::string_view stream, Sender sender, ProtocolVersion version) {
  const Cut whole = CutUp(stream, 0, 1);
  const auto seed = static_cast<std::uint32_t>(stream.size() * 31 + (stream.empty() ? 0 : stream.back()));
  for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{64}}) {
    if (!(CutUp(stream, piece, seed) == whole)) return "the frames depend on how the bytes arrive";
  }
  if (!whole.end.ok()) {
    if (std::string problem = JudgeRefusal(whole.end); !problem.empty()) return problem;
  }
  for (const auto& [first_byte, body] : whole.frames) {
    if (std::string problem = JudgeFrame(first_byte, body, sender, version); !problem.empty()) {
      return problem + " [" + Hex(std::string(1, static_cast<char>(first_byte))) + " | " + Hex(body) + "]";
    }
  }
  return "";
}

}  // namespace mqttrpc::test
