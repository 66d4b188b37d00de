#include "mqttrpc/mqtt/endpoint.h"

#include <algorithm>
#include <charconv>

#include <absl/status/status.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::mqtt {
namespace {

constexpr std::size_t kMaximumHostBytes = 253;  // RFC 1035, without the final dot.

bool IsLetterOrDigit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsNameByte(char c) { return IsLetterOrDigit(c) || c == '-' || c == '.' || c == '_'; }

// '%' and letters: a link-local address may name its interface, e.g. fe80::1%eth0.
bool IsIpv6Byte(char c) { return IsNameByte(c) || c == ':' || c == '%'; }

absl::Status Wrong(std::string_view url, std::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("broker URL '", ToAbsl(url), "': ", ToAbsl(why), "; expected mqtt://host[:port]"));
}

bool ParsePort(std::string_view text, std::uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string Endpoint::ToString() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return absl::StrCat("mqtt://", ipv6 ? "[" : "", host, ipv6 ? "]" : "", ":", port);
}

absl::StatusOr<Endpoint> ParseEndpoint(std::string_view url) {
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return Wrong(url, "no scheme");
  const absl::string_view scheme = ToAbsl(url.substr(0, scheme_end));
  std::string_view rest = url.substr(scheme_end + 3);
  if (rest.find('@') != std::string_view::npos) {
    // The URL is not repeated here: it may hold a password.
    return absl::InvalidArgumentError("broker URL: user name and password do not belong into it; use the options");
  }
  for (const absl::string_view later : {"mqtts", "ws", "wss"}) {
    if (absl::EqualsIgnoreCase(scheme, later)) {
      return absl::UnimplementedError(absl::StrCat("broker URL '", ToAbsl(url), "': ", later, " is not supported yet"));
    }
  }
  if (!absl::EqualsIgnoreCase(scheme, "mqtt")) return Wrong(url, "unknown scheme");
  if (rest.find_first_of("/?#") != std::string_view::npos) return Wrong(url, "something behind the port");

  Endpoint endpoint;
  if (rest.starts_with('[')) {
    const std::size_t close = rest.find(']');
    if (close == std::string_view::npos) return Wrong(url, "no closing bracket");
    endpoint.host = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
    const bool has_colon = endpoint.host.find(':') != std::string::npos;
    if (!has_colon || !std::all_of(endpoint.host.begin(), endpoint.host.end(), IsIpv6Byte)) {
      return Wrong(url, "not an IPv6 address in the brackets");
    }
  } else {
    endpoint.host = rest.substr(0, rest.find(':'));
    rest.remove_prefix(endpoint.host.size());
    if (endpoint.host.empty()) return Wrong(url, "no host");
    if (!std::all_of(endpoint.host.begin(), endpoint.host.end(), IsNameByte)) {
      return Wrong(url, "a character that no host name has");
    }
  }
  if (endpoint.host.size() > kMaximumHostBytes) return Wrong(url, "the host is longer than 253 bytes");
  if (rest.empty()) return endpoint;
  if (!rest.starts_with(':') || !ParsePort(rest.substr(1), endpoint.port)) {
    return Wrong(url, "the port is no number from 0 to 65,535");
  }
  return endpoint;
}

}  // namespace mqttrpc::mqtt
