// Key-value pairs that travel beside a request or a reply.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>

namespace mqttrpc {

// Order and repeats are kept. Keys and values are UTF-8; a key that ends in
// `-bin` has a value of any bytes, which travels as base64. Keys that begin with
// `rpc-` are ours.
class Metadata {
 public:
  Metadata() = default;

  void Add(std::string_view key, std::string_view value) { entries_.emplace_back(key, value); }

  // In the place of all values under `key`.
  void Set(std::string_view key, std::string_view value);
  void Remove(std::string_view key);

  // The first value under `key`; valid until the metadata changes.
  std::optional<std::string_view> Get(std::string_view key) const;

  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }

  // kInvalidArgument for a key that is empty or begins with `rpc-`; or a key or value that is
  // over 65,535 bytes on the wire, not UTF-8, or has control characters or noncharacters:
  // MQTT lets a broker close the connection over them (1.5.4), and Mosquitto does.
  absl::Status Check() const;

  bool operator==(const Metadata&) const = default;

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

}  // namespace mqttrpc
