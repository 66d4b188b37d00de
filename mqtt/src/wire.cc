#include "wire.h"

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::mqtt {
namespace {

constexpr ReasonCode kMalformed = ReasonCode::kMalformedPacket;

std::uint8_t ByteAt(std::string_view bytes, std::size_t index) { return static_cast<std::uint8_t>(bytes[index]); }

}  // namespace

std::string Fault::ToString() const {
  return field.empty() ? std::string(problem) : absl::StrCat(ToAbsl(field), " ", ToAbsl(problem));
}

// --- Reader ---------------------------------------------------------------------

std::string_view Reader::Take(std::size_t n, std::string_view field) {
  if (failed()) return {};
  if (n > rest_.size()) {
    Fail({kMalformed, field, "runs over the end"});
    return {};
  }
  const std::string_view taken = rest_.substr(0, n);
  rest_.remove_prefix(n);
  return taken;
}

std::string_view Reader::Rest() { return Take(rest_.size()); }

std::uint8_t Reader::U8(std::string_view field) {
  const std::string_view bytes = Take(1, field);
  return bytes.empty() ? 0 : ByteAt(bytes, 0);
}

std::uint16_t Reader::U16(std::string_view field) {
  const std::string_view bytes = Take(2, field);
  return bytes.empty() ? 0 : static_cast<std::uint16_t>(ByteAt(bytes, 0) << 8 | ByteAt(bytes, 1));
}

std::uint32_t Reader::U32(std::string_view field) {
  const std::string_view bytes = Take(4, field);
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) value = value << 8 | ByteAt(bytes, i);
  return value;
}

std::uint32_t Reader::VariableByteInteger(std::string_view field) {
  std::uint32_t value = 0;
  for (int shift = 0; shift < 28; shift += 7) {
    const std::uint8_t byte = U8(field);
    if (failed()) return 0;
    value |= static_cast<std::uint32_t>(byte & 0x7F) << shift;
    if (byte < 0x80) {
      if (byte != 0 || shift == 0) return value;
      Fail({kMalformed, field, "is not in its shortest form"});  // MQTT-1.5.5-1
      return 0;
    }
  }
  Fail({kMalformed, field, "has more than four bytes"});
  return 0;
}

std::string_view Reader::Binary(std::string_view field) { return Take(U16(field), field); }

std::string_view Reader::String(std::string_view field) {
  const std::string_view text = Binary(field);
  if (IsValidUtf8(text)) return text;
  Fail({kMalformed, field, "is not well-formed UTF-8"});  // MQTT-1.5.4-1, MQTT-1.5.4-2
  return {};
}

void Reader::Fail(const Fault& fault) {
  if (!failed()) fault_ = fault;
}

Fault Reader::Verdict() const {
  if (failed() || AtEnd()) return fault_;
  return {kMalformed, {}, "bytes are left over"};
}

absl::Status Reader::Finish() const {
  const Fault fault = Verdict();
  return fault ? StatusFrom(fault.code, fault.ToString()) : absl::OkStatus();
}

// --- Writer ---------------------------------------------------------------------

void Writer::U16(std::uint16_t value) {
  const char bytes[] = {static_cast<char>(value >> 8), static_cast<char>(value)};
  out_.append(bytes, sizeof bytes);
}

void Writer::U32(std::uint32_t value) {
  const char bytes[] = {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
                        static_cast<char>(value)};
  out_.append(bytes, sizeof bytes);
}

void Writer::VariableByteInteger(std::uint32_t value) {
  if (value > kMaximumVariableByteInteger) return Fail("a Variable Byte Integer is over 268,435,455");
  for (; value >= 0x80; value >>= 7) U8(static_cast<std::uint8_t>(value | 0x80));
  U8(static_cast<std::uint8_t>(value));
}

void Writer::Binary(std::string_view bytes, std::string_view field) {
  if (bytes.size() > kMaximumStringBytes) return Fail({kMalformed, field, "is longer than 65,535 bytes"});
  U16(static_cast<std::uint16_t>(bytes.size()));
  Raw(bytes);
}

void Writer::String(std::string_view text, std::string_view field) {
  if (!IsValidUtf8(text)) return Fail({kMalformed, field, "is not well-formed UTF-8"});
  Binary(text, field);
}

void Writer::Fail(const Fault& fault) {
  if (!failed()) fault_ = fault;
}

absl::Status Writer::status() const {
  return failed() ? absl::InvalidArgumentError(fault_.ToString()) : absl::OkStatus();
}

}  // namespace mqttrpc::mqtt
