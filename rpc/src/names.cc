#include "names.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include <absl/strings/str_cat.h>
#include <openssl/sha.h>

#include "mqttrpc/mqtt/topic.h"
#include "text.h"

namespace mqttrpc {
namespace {

constexpr std::size_t kMaximumIdBytes = 64;
constexpr std::string_view kProtocol = "rpc1";  // The major version is in every topic: versions never meet.

bool IsIdCharacter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

// RFC 4648, section 6, in lower case; `bytes` are a multiple of five.
std::string Base32(std::string_view bytes) {
  constexpr std::string_view kDigits = "abcdefghijklmnopqrstuvwxyz234567";
  std::string text;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char byte : bytes) {
    bits = (bits << 8) | static_cast<unsigned char>(byte);
    for (held += 8; held >= 5; held -= 5) text.push_back(kDigits[(bits >> (held - 5)) & 31]);
  }
  return text;
}

}  // namespace

bool IsId(std::string_view id) {
  return !id.empty() && id.size() <= kMaximumIdBytes && std::all_of(id.begin(), id.end(), IsIdCharacter);
}

bool IsGroupTarget(std::string_view id) { return id == "_" || id == "_all" || id.starts_with("_g."); }

std::string IdFrom(std::string_view client_id) {
  if (IsId(client_id) && !IsGroupTarget(client_id)) return std::string(client_id);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> hash;
  SHA256(reinterpret_cast<const unsigned char*>(client_id.data()), client_id.size(), hash.data());
  return Base32(std::string_view(reinterpret_cast<const char*>(hash.data()), 20));
}

absl::Status CheckNameSpace(std::string_view name_space) {
  const auto levels = std::count(name_space.begin(), name_space.end(), '/') + 1;
  const bool ends_right =
      name_space == kProtocol || (name_space.size() > kProtocol.size() && name_space.ends_with(kProtocol) &&
                                  name_space[name_space.size() - kProtocol.size() - 1] == '/');
  const bool empty_level = name_space.starts_with('/') || name_space.find("//") != std::string_view::npos;
  if (!ends_right || levels > 3 || empty_level || name_space.starts_with('$') ||
      !mqtt::CheckTopicName(name_space).ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("namespace ", Quoted(name_space), " is not rpc1 with at most two site levels before it"));
  }
  return absl::OkStatus();
}

}  // namespace mqttrpc
