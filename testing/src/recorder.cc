#include "mqttrpc/testing/recorder.h"

#include <algorithm>
#include <ostream>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

namespace mqttrpc::testing {
namespace {

std::string ToText(const RecordedPacket& packet) { return ToString(packet); }

std::string ToText(const RecordedEvent& event) {
  std::string line =
      absl::StrFormat("%.3fs %s - %s", std::chrono::duration<double>(event.time).count(), event.client, event.what);
  if (event.connection != 0) absl::StrAppend(&line, " (connection ", event.connection, ")");
  return line;
}

}  // namespace

void Recorder::Watch(std::function<void(const RecordedPacket&)> on_packet,
                     std::function<void(const RecordedEvent&)> on_event) {
  on_packet_ = std::move(on_packet);
  on_event_ = std::move(on_event);
}

void Recorder::Add(RecordedPacket packet) {
  if (on_packet_) on_packet_(packet);
  if (limit_ == 0) return;
  entries_.emplace_back(std::move(packet));
  Trim();
}

void Recorder::Add(RecordedEvent event) {
  if (on_event_) on_event_(event);
  if (limit_ == 0) return;
  entries_.emplace_back(std::move(event));
  Trim();
}

void Recorder::Trim() {
  while (entries_.size() > limit_) entries_.pop_front();
}

std::vector<RecordedPacket> Recorder::Where(const std::function<bool(const RecordedPacket&)>& wanted) const {
  std::vector<RecordedPacket> found;
  for (const Entry& each : entries_) {
    const auto* packet = std::get_if<RecordedPacket>(&each);
    if (packet != nullptr && wanted(*packet)) found.push_back(*packet);
  }
  return found;
}

std::vector<RecordedPacket> Recorder::Packets() const {
  return Where([](const RecordedPacket&) { return true; });
}

std::vector<RecordedPacket> Recorder::From(std::string_view client) const {
  return Where([&](const RecordedPacket& packet) {
    return packet.direction == Direction::kToBroker && packet.client == client;
  });
}

std::vector<RecordedPacket> Recorder::From(std::string_view client, PacketKind kind) const {
  return Where([&](const RecordedPacket& packet) {
    return packet.direction == Direction::kToBroker && packet.client == client && packet.kind == kind;
  });
}

std::vector<RecordedPacket> Recorder::To(std::string_view client) const {
  return Where([&](const RecordedPacket& packet) {
    return packet.direction == Direction::kToClient && packet.client == client;
  });
}

std::vector<RecordedPacket> Recorder::To(std::string_view client, PacketKind kind) const {
  return Where([&](const RecordedPacket& packet) {
    return packet.direction == Direction::kToClient && packet.client == client && packet.kind == kind;
  });
}

std::size_t Recorder::Count(PacketKind kind) const {
  return static_cast<std::size_t>(std::count_if(entries_.begin(), entries_.end(), [&](const Entry& each) {
    const auto* packet = std::get_if<RecordedPacket>(&each);
    return packet != nullptr && packet->kind == kind;
  }));
}

std::vector<RecordedEvent> Recorder::Events() const {
  std::vector<RecordedEvent> found;
  for (const Entry& each : entries_) {
    if (const auto* event = std::get_if<RecordedEvent>(&each)) found.push_back(*event);
  }
  return found;
}

std::string Recorder::ToString(std::size_t lines) const {
  std::string text;
  const std::size_t first = entries_.size() > lines ? entries_.size() - lines : 0;
  if (first > 0) absl::StrAppend(&text, "... ", first, " before\n");
  for (std::size_t i = first; i < entries_.size(); ++i) {
    text += std::visit([](const auto& entry) { return ToText(entry); }, entries_[i]);
    text += '\n';
  }
  return text;
}

std::ostream& operator<<(std::ostream& out, const Recorder& recorder) { return out << recorder.ToString(); }

}  // namespace mqttrpc::testing
