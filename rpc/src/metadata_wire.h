// How the user's metadata travels: as user properties, in order.
#pragma once

#include <string_view>

#include <absl/status/status.h>

#include "mqttrpc/mqtt/properties.h"
#include "mqttrpc/rpc/metadata.h"

namespace mqttrpc {

inline constexpr std::string_view kReservedPrefix = "rpc-";
inline constexpr std::string_view kBinarySuffix = "-bin";

// Adds checked metadata at the end.
void AddMetadata(const Metadata& metadata, mqtt::Properties& properties);

// Takes one user property that is not ours. kInvalidArgument: a `-bin` value is
// not base64.
absl::Status TakeMetadata(mqtt::UserPropertyView property, Metadata& into);

}  // namespace mqttrpc
