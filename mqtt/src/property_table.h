// What the specification says about each property (MQTT 5.0, 2.2.2.2 and the
// packets of chapter 3): the one table behind reading, checking and writing them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "mqttrpc/mqtt/properties.h"
#include "packets.h"
#include "wire.h"

namespace mqttrpc::mqtt {

enum class WireType : std::uint8_t { kByte, kTwoBytes, kFourBytes, kVariable, kString, kBinary, kStringPair };

enum class ValueRule : std::uint8_t {
  kAny,
  kZeroOrOne,
  kNotZero,
  kAlias,      // Not zero, and a Reason Code of its own.
  kTopicName,  // No wildcards, not empty.
};

// Where properties stand: in a packet, or in CONNECT's Will, which has its own.
enum class PropertyPlace : std::uint8_t { kWill = 0 /* others: the PacketType */ };
constexpr PropertyPlace In(PacketType type) { return static_cast<PropertyPlace>(type); }

// A set of places, one bit each, twice: low half sent by the client, high half
// by the server.
using Places = std::uint32_t;
constexpr Places BitOf(PropertyPlace place, Sender sender) {
  return Places{1} << (static_cast<unsigned>(place) + (sender == Sender::kServer ? 16 : 0));
}

struct PropertySpec {
  PropertyId id{};
  std::string_view name;
  WireType type{};
  ValueRule rule{};
  Places once = 0;   // Where it may stand at most once.
  Places often = 0;  // Where it may stand any number of times.

  constexpr bool AllowedIn(PropertyPlace place, Sender sender) const {
    return ((once | often) & BitOf(place, sender)) != 0;
  }
};

// All 27, by rising identifier.
const std::array<PropertySpec, 27>& PropertySpecs();

// Null if no property has this identifier.
const PropertySpec* FindPropertySpec(std::uint32_t id);

// Not a property: Properties notes by it that the text given for the property in
// the next byte was over 65,535 bytes, so that encoding fails and says so.
inline constexpr std::uint8_t kOverlongMark = 0;

// Removes one property from the front of `rest`, which is not empty. Checks the
// structure only. After a fault, `rest` is unspecified.
Fault TakeProperty(std::string_view& rest, PropertyView& property);

// Whether `bytes` are properties that `sender` may put at `place`: 0x81 for what
// has no such identifier there or cannot be read (2.2.2.2), 0x82 for what this
// side may not send, not twice, or not with that value. `ids`: those it met.
Fault CheckProperties(std::string_view bytes, PropertyPlace place, Sender sender, PropertiesView::Ids& ids);

// Reads a Property Length and checked properties. In MQTT 3 there are none.
PropertiesView ReadProperties(Reader& in, PropertyPlace place, Sender sender);

// The properties of a PUBLISH without its Topic Alias, which is the connection's, not the
// message's. Empty if that takes a copy: it is neither the first of them nor the last.
std::optional<PropertiesView> CutTopicAlias(PropertiesView properties);

// Writes a Property Length and the properties, after checking them. Nothing in MQTT 3.
void WriteProperties(PropertiesView properties, PropertyPlace place, Sender sender, Writer& out);

}  // namespace mqttrpc::mqtt
