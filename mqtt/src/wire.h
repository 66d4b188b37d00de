// The data types of MQTT on the wire (MQTT 1.5): integers, strings, binary data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "mqttrpc/mqtt/reason_code.h"

namespace mqttrpc::mqtt {

// What a CONNECT names as its Protocol Version (3.1.2.2). MQTT 3 has no properties
// and hardly any Reason Codes.
enum class ProtocolVersion : std::uint8_t { k31 = 3, k311 = 4, k5 = 5 };

// The bytes of packets that wait to be sent. std::string: no zeroing, cheap to append.
using WireBuffer = std::string;

// The largest value of a Variable Byte Integer (1.5.5).
inline constexpr std::uint32_t kMaximumVariableByteInteger = 268'435'455;
inline constexpr std::size_t kMaximumStringBytes = 65'535;

inline std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::span<const std::byte> AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// What is wrong with some bytes or values: the Reason Code to answer with, the
// field, and the problem, e.g. {0x82, "Topic Alias", "occurs twice"}. Static text
// only, so that a fault costs nothing until it becomes a status.
struct Fault {
  ReasonCode code = ReasonCode::kSuccess;
  std::string_view field;  // May be empty.
  std::string_view problem;

  explicit operator bool() const { return code != ReasonCode::kSuccess; }
  std::string ToString() const;  // "Topic Alias occurs twice"
};

// Whether `text` is a valid UTF-8 Encoded String (1.5.4): well formed, no
// surrogates, no U+0000.
bool IsValidUtf8(std::string_view text);

// How many bytes `value` takes as a Variable Byte Integer: 1-4.
constexpr std::size_t VariableByteIntegerSize(std::uint32_t value) {
  return value < 128 ? 1 : value < 16'384 ? 2 : value < 2'097'152 ? 3 : 4;
}

// Reads one packet's body. Keeps its first failure; later reads return zero
// values and do nothing, so a decoder checks once, at the end. `field` names what
// is read, for the failure's message; it is static text.
class Reader {
 public:
  explicit Reader(std::string_view bytes, ProtocolVersion version = ProtocolVersion::k5)
      : rest_(bytes), version_(version) {}

  // Which language the packet is in. A CONNECT says it itself.
  ProtocolVersion version() const { return version_; }
  bool v5() const { return version_ == ProtocolVersion::k5; }
  void set_version(ProtocolVersion version) { version_ = version; }

  std::uint8_t U8(std::string_view field = {}) {
    const std::string_view bytes = Take(1, field);
    return bytes.empty() ? 0 : ByteAt(bytes, 0);
  }
  std::uint16_t U16(std::string_view field = {}) {
    const std::string_view bytes = Take(2, field);
    return bytes.empty() ? 0 : static_cast<std::uint16_t>(ByteAt(bytes, 0) << 8 | ByteAt(bytes, 1));
  }
  std::uint32_t U32(std::string_view field = {}) {
    const std::string_view bytes = Take(4, field);
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) value = value << 8 | ByteAt(bytes, i);
    return value;
  }
  std::uint32_t VariableByteInteger(std::string_view field = {}) {  // Shortest form only (MQTT-1.5.5-1).
    std::uint32_t value = 0;
    for (int shift = 0; shift < 28; shift += 7) {
      const std::uint8_t byte = U8(field);
      if (failed()) return 0;
      value |= static_cast<std::uint32_t>(byte & 0x7F) << shift;
      if (byte >= 0x80) continue;
      if (byte != 0 || shift == 0) return value;
      FailVariableByteInteger(field, "is not in its shortest form");  // MQTT-1.5.5-1
      return 0;
    }
    FailVariableByteInteger(field, "has more than four bytes");
    return 0;
  }
  // Two bytes of length, then bytes.
  std::string_view Binary(std::string_view field = {}) { return Take(U16(field), field); }
  std::string_view String(std::string_view field = {});  // As Binary, checked by IsValidUtf8.
  std::string_view Take(std::size_t n, std::string_view field = {}) {
    if (failed()) return {};
    if (n > rest_.size()) {
      FailRunsOver(field);
      return {};
    }
    const std::string_view taken = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return taken;
  }
  std::string_view Rest() { return Take(rest_.size()); }  // All that is left.

  bool AtEnd() const { return rest_.empty(); }
  std::size_t remaining() const { return rest_.size(); }

  // Record the first failure. `message` is static text.
  void Fail(const Fault& fault) {
    if (!failed()) fault_ = fault;
  }
  void Fail(ReasonCode code, std::string_view message) { Fail(Fault{code, {}, message}); }
  bool failed() const { return static_cast<bool>(fault_); }

  // The first failure; or 0x81 if bytes are left over; or none.
  Fault Verdict() const;
  absl::Status Finish() const;  // The same as a status.

 private:
  static std::uint8_t ByteAt(std::string_view bytes, std::size_t index) {
    return static_cast<std::uint8_t>(bytes[index]);
  }
  void FailRunsOver(std::string_view field);
  void FailVariableByteInteger(std::string_view field, std::string_view problem);

  std::string_view rest_;
  ProtocolVersion version_;
  Fault fault_;
};

// Appends to a buffer. Keeps its first failure; see EncodePacket for rollback.
class Writer {
 public:
  explicit Writer(WireBuffer& out, ProtocolVersion version = ProtocolVersion::k5) : out_(out), version_(version) {}

  ProtocolVersion version() const { return version_; }
  bool v5() const { return version_ == ProtocolVersion::k5; }
  void set_version(ProtocolVersion version) { version_ = version; }

  void U8(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void U16(std::uint16_t value);
  void U32(std::uint32_t value);
  void VariableByteInteger(std::uint32_t value);
  void Binary(std::string_view bytes, std::string_view field = {});
  void String(std::string_view text, std::string_view field = {});
  void Raw(std::string_view bytes) { out_.append(bytes); }

  // Record the first failure. `message` is static text.
  void Fail(const Fault& fault);
  void Fail(std::string_view message) { Fail(Fault{ReasonCode::kImplementationSpecificError, {}, message}); }
  bool failed() const { return static_cast<bool>(fault_); }
  const Fault& fault() const { return fault_; }
  absl::Status status() const;  // kInvalidArgument with the first failure.
  WireBuffer& out() { return out_; }

 private:
  WireBuffer& out_;
  ProtocolVersion version_;
  Fault fault_;
};

}  // namespace mqttrpc::mqtt
