// The specification's rules of properties once more, packet by packet as chapter 3
// tells them, so that tests do not believe the table they test.
#pragma once

#include <string>
#include <vector>

#include "packets.h"

namespace mqttrpc::test {

// Somewhere a set of properties stands: a packet, or the Will of a CONNECT.
struct PropertyPlaceCase {
  std::string name;
  mqtt::Sender sender;
  std::string before;  // A whole packet in wire text (see wire_text.h) around
  std::string after;   // the properties.
  std::vector<mqtt::PropertyId> once;
  std::vector<mqtt::PropertyId> often;
};
const std::vector<PropertyPlaceCase>& PropertyPlaces();

struct PropertyCase {
  mqtt::PropertyId id;
  std::string name;
  std::string good;              // A property with a value it may have, in wire text.
  std::vector<std::string> bad;  // The same with values it may not have.
  mqtt::ReasonCode bad_reason_code = mqtt::ReasonCode::kProtocolError;
};
const std::vector<PropertyCase>& AllProperties();

// A whole packet with these properties (wire text) at `place`.
std::string PacketWith(const PropertyPlaceCase& place, const std::string& properties);

// What must stand in front of the property for the packet to be good: the
// Authentication Method, for its data and in AUTH.
std::string Companion(const PropertyPlaceCase& place, mqtt::PropertyId id);

// Whether a property never stands in that packet, whoever sends it.
bool IsForeign(const PropertyPlaceCase& place, mqtt::PropertyId id);

bool Contains(const std::vector<mqtt::PropertyId>& ids, mqtt::PropertyId id);

}  // namespace mqttrpc::test
