// https://www.w3.org/TR/trace-context/, section 3; of its second level, the keys of tracestate.
#include "mqttrpc/rpc/trace_context.h"

#include <algorithm>
#include <cstddef>
#include <span>

namespace mqttrpc {
namespace {

constexpr std::string_view kTraceparent = "traceparent";
constexpr std::string_view kTracestate = "tracestate";
constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::size_t kLength = 55;  // Of version 00: "00-" + 32 + "-" + 16 + "-" + 2.
constexpr std::size_t kMaximumMembers = 32;

void AppendHex(std::string& text, std::span<const std::uint8_t> bytes) {
  for (const std::uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 0xF]);
  }
}

// HEXDIGLC, two for each byte.
bool ReadHex(std::string_view text, std::span<std::uint8_t> bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::size_t high = kDigits.find(text[2 * i]);
    const std::size_t low = kDigits.find(text[2 * i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return false;
    bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return true;
}

bool AllZero(std::span<const std::uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsKey(std::string_view key) {
  if (key.empty() || key.size() > 256 || (!IsLower(key[0]) && !IsDigit(key[0]))) return false;
  return std::all_of(key.begin(), key.end(), [](char c) {
    return IsLower(c) || IsDigit(c) || std::string_view("_-*/@").find(c) != std::string_view::npos;
  });
}

bool IsValue(std::string_view value) {
  if (value.empty() || value.size() > 256 || value.back() == ' ') return false;
  return std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c <= '~' && c != ',' && c != '='; });
}

std::string_view WithoutBlanks(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

std::string HexOf(const TraceId& id) {
  std::string text;
  AppendHex(text, id);
  return text;
}

std::string HexOf(const SpanId& id) {
  std::string text;
  AppendHex(text, id);
  return text;
}

std::optional<TraceContext> ParseTraceparent(std::string_view text) {
  if (text.size() < kLength || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  std::array<std::uint8_t, 1> version{};
  std::array<std::uint8_t, 1> flags{};
  TraceContext context;
  if (!ReadHex(text, version) || version[0] == 0xFF) return std::nullopt;
  if (version[0] == 0 ? text.size() != kLength : text.size() > kLength && text[kLength] != '-') return std::nullopt;
  if (!ReadHex(text.substr(3), context.trace_id) || AllZero(context.trace_id)) return std::nullopt;
  if (!ReadHex(text.substr(36), context.span_id) || AllZero(context.span_id)) return std::nullopt;
  if (!ReadHex(text.substr(53), flags)) return std::nullopt;
  context.sampled = (flags[0] & 1) != 0;
  return context;
}

std::string FormatTraceparent(const TraceContext& context) {
  std::string text = "00-";
  text.reserve(kLength);
  AppendHex(text, context.trace_id);
  text.push_back('-');
  AppendHex(text, context.span_id);
  return text.append(context.sampled ? "-01" : "-00");  // Other flags must not be handed on.
}

bool IsTracestate(std::string_view text) {
  std::size_t members = 0;
  for (;;) {
    const std::size_t comma = text.find(',');
    const std::string_view member = WithoutBlanks(text.substr(0, comma));
    if (!member.empty()) {  // Empty ones are allowed.
      const std::size_t equals = member.find('=');
      if (equals == std::string_view::npos) return false;
      if (!IsKey(member.substr(0, equals)) || !IsValue(member.substr(equals + 1))) return false;
      if (++members > kMaximumMembers) return false;
    }
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

std::optional<TraceContext> ReadTraceContext(const Metadata& metadata) {
  std::optional<TraceContext> context;
  std::string state;
  for (const auto& [key, value] : metadata) {
    if (key == kTraceparent) {
      if (context.has_value()) return std::nullopt;
      context = ParseTraceparent(value);
      if (!context.has_value()) return std::nullopt;
    } else if (key == kTracestate) {
      if (!state.empty()) state.push_back(',');
      state.append(value);
    }
  }
  if (context.has_value() && IsTracestate(state)) context->state = std::move(state);
  return context;
}

void WriteTraceContext(const TraceContext& context, Metadata& metadata) {
  metadata.Set(kTraceparent, FormatTraceparent(context));
  if (context.state.empty()) {
    metadata.Remove(kTracestate);
  } else {
    metadata.Set(kTracestate, context.state);
  }
}

void ContinueTrace(const ServerContext& from, CallOptions& to) {
  if (const auto context = ReadTraceContext(from.metadata())) WriteTraceContext(*context, to.metadata);
}

}  // namespace mqttrpc
