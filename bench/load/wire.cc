#include "load/wire.h"

namespace bench {
namespace {

void AppendLength(std::string& out, std::size_t length) {
  while (length >= 128) {
    out.push_back(static_cast<char>(length % 128 + 128));
    length /= 128;
  }
  out.push_back(static_cast<char>(length));
}

std::size_t LengthBytes(std::size_t length) {
  return length < 128 ? 1 : length < 16'384 ? 2 : length < 2'097'152 ? 3 : 4;
}

// A Variable Byte Integer from the beginning of `bytes`, which it takes off.
std::size_t TakeLength(std::string_view& bytes) {
  std::size_t length = 0;
  for (unsigned shift = 0; !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    length |= static_cast<std::size_t>(byte & 127) << shift;
    if (byte < 128) break;
  }
  return length;
}

std::string_view TakeText(std::string_view& bytes) {
  if (bytes.size() < 2) return {};
  const std::size_t size = ReadU16(bytes);
  const std::string_view text = bytes.substr(2, size);
  bytes.remove_prefix(2 + text.size());
  return text;
}

void AppendText(std::string& out, std::string_view text) {
  AppendU16(out, static_cast<std::uint16_t>(text.size()));
  out.append(text);
}

}  // namespace

std::size_t PacketSize(std::string_view bytes) {
  std::size_t size = 0;
  for (std::size_t i = 1; i < bytes.size() && i <= 4; ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    size |= static_cast<std::size_t>(byte & 127) << (7 * (i - 1));
    if (byte < 128) return 1 + i + size;
  }
  return 0;
}

Packet ReadPacket(std::string_view bytes) {
  Packet packet;
  packet.first_byte = static_cast<std::uint8_t>(bytes.front());
  bytes.remove_prefix(1);
  TakeLength(bytes);
  packet.body = bytes;
  return packet;
}

Arrival ReadPublish(const Packet& packet) {
  Arrival arrival;
  std::string_view rest = packet.body;
  arrival.qos = (packet.first_byte >> 1) & 3;
  arrival.topic_name = TakeText(rest);
  if (arrival.qos > 0 && rest.size() >= 2) {
    arrival.packet_id = ReadU16(rest);
    rest.remove_prefix(2);
  }
  const std::size_t properties = TakeLength(rest);
  arrival.properties = rest.substr(0, properties);
  arrival.payload = rest.substr(arrival.properties.size());
  return arrival;
}

RequestProperties ReadRequestProperties(std::string_view rest) {
  RequestProperties found;
  while (!rest.empty()) {
    const char id = rest.front();
    rest.remove_prefix(1);
    switch (id) {
      case 0x08: found.response_topic = TakeText(rest); break;
      case 0x09: found.correlation_data = TakeText(rest); break;
      case 0x01: rest.remove_prefix(1); break;           // Payload Format Indicator
      case 0x02: rest.remove_prefix(4); break;           // Message Expiry Interval
      case 0x03: TakeText(rest); break;                  // Content Type
      case 0x0B: TakeLength(rest); break;                // Subscription Identifier
      case 0x23: rest.remove_prefix(2); break;           // Topic Alias
      case 0x26: TakeText(rest), TakeText(rest); break;  // User Property
      default: return found;
    }
  }
  return found;
}

void AppendRequestProperties(std::string& out, const RequestProperties& properties) {
  if (!properties.response_topic.empty()) {
    out.push_back('\x08');
    AppendText(out, properties.response_topic);
  }
  out.push_back('\x09');
  AppendText(out, properties.correlation_data);
}

void AppendU16(std::string& out, std::uint16_t value) {
  out.push_back(static_cast<char>(value >> 8));
  out.push_back(static_cast<char>(value));
}

std::uint16_t ReadU16(std::string_view bytes) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[0]) << 8 | static_cast<unsigned char>(bytes[1]));
}

void AppendConnect(std::string& out, std::string_view client_id) {
  out.push_back('\x10');
  AppendLength(out, 13 + client_id.size());
  AppendText(out, "MQTT");
  out.append("\x05\x02\0\0\0", 5);
  AppendText(out, client_id);
}

void AppendSubscribe(std::string& out, std::uint16_t packet_id, std::span<const std::string> topic_filters,
                     std::uint8_t qos) {
  std::size_t size = 3;
  for (const std::string& filter : topic_filters) size += filter.size() + 3;
  out.push_back('\x82');
  AppendLength(out, size);
  AppendU16(out, packet_id);
  out.push_back('\0');
  for (const std::string& filter : topic_filters) {
    AppendText(out, filter);
    out.push_back(static_cast<char>(qos));
  }
}

void AppendPublish(std::string& out, const PublishFields& publish, std::uint16_t packet_id) {
  out.push_back(static_cast<char>(0x30 | publish.qos << 1 | (publish.retain ? 1 : 0)));
  AppendLength(out, 2 + publish.topic_name.size() + (publish.qos > 0 ? 2 : 0) + LengthBytes(publish.properties.size()) +
                        publish.properties.size() + publish.payload.size());
  AppendText(out, publish.topic_name);
  if (publish.qos > 0) AppendU16(out, packet_id);
  AppendLength(out, publish.properties.size());
  out.append(publish.properties);
  out.append(publish.payload);
}

void AppendAcknowledgement(std::string& out, Type type, std::uint16_t packet_id) {
  out.push_back(static_cast<char>(static_cast<unsigned>(type) << 4 | (type == Type::kPubRel ? 2 : 0)));
  out.push_back('\x02');
  AppendU16(out, packet_id);
}

}  // namespace bench
