#include "wire.h"

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::mqtt {
namespace {

constexpr ReasonCode kMalformed = ReasonCode::kMalformedPacket;

}  // namespace

std::string Fault::ToString() const {
  return field.empty() ? std::string(problem) : absl::StrCat(ToAbsl(field), " ", ToAbsl(problem));
}

// --- Reader ---------------------------------------------------------------------

void Reader::FailRunsOver(std::string_view field) { Fail({kMalformed, field, "runs over the end"}); }

void Reader::FailVariableByteInteger(std::string_view field, std::string_view problem) {
  Fail({kMalformed, field, problem});
}

std::string_view Reader::String(std::string_view field) {
  const std::string_view text = Binary(field);
  if (IsValidUtf8(text)) return text;
  Fail({kMalformed, field, "is not well-formed UTF-8"});  // MQTT-1.5.4-1, MQTT-1.5.4-2
  return {};
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
