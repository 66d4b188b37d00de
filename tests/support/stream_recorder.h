// Remembers what a transport tells it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>

#include "mqttrpc/mqtt/transport.h"

namespace mqttrpc::test {

struct StreamRecorder final : mqtt::Transport::Handler {
  std::string received;
  std::size_t maximum_read = std::numeric_limits<std::size_t>::max();
  std::string own_buffer;  // Bytes go there instead, unless it is empty.
  std::size_t largest_read = 0;
  const void* read_to = nullptr;  // Where the last bytes were.
  int written = 0;
  std::optional<absl::Status> closed;
  std::function<void()> on_bytes;    // Called after they were recorded, if set.
  std::function<void()> on_written;  // The same.
  std::function<void()> on_closed;   // The same.

  void OnBytes(std::span<const std::byte> bytes) override {
    received.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    largest_read = std::max(largest_read, bytes.size());
    read_to = bytes.data();
    if (on_bytes) on_bytes();
  }
  std::span<std::byte> BufferFor(std::span<std::byte> offered) override {
    if (!own_buffer.empty()) return std::as_writable_bytes(std::span(own_buffer));
    return offered.first(std::min(offered.size(), maximum_read));
  }
  void OnWritten() override {
    ++written;
    if (on_written) on_written();
  }
  void OnClosed(absl::Status why) override {
    closed = std::move(why);
    if (on_closed) on_closed();
  }
};

// Writes `text`, which must stay until OnWritten() if it is not taken at once.
[[nodiscard]] inline bool WriteText(mqtt::Transport& transport, std::string_view text) {
  const std::span<const std::byte> piece = std::as_bytes(std::span(text.data(), text.size()));
  return transport.Write(std::span(&piece, 1));
}

}  // namespace mqttrpc::test
