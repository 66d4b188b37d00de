#include "metadata_wire.h"

#include <string>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"
#include "text.h"

namespace mqttrpc {

void AddMetadata(const Metadata& metadata, mqtt::Properties& properties) {
  for (const auto& [key, value] : metadata) {
    if (key.ends_with(kBinarySuffix)) {
      const std::string base64 = absl::Base64Escape(value);
      properties.Add(mqtt::property::kUserProperty, {key, base64});
    } else {
      properties.Add(mqtt::property::kUserProperty, {key, value});
    }
  }
}

absl::Status TakeMetadata(mqtt::UserPropertyView property, Metadata& into) {
  if (!property.name.ends_with(kBinarySuffix)) {
    into.Add(property.name, property.value);
    return absl::OkStatus();
  }
  std::string bytes;
  if (!absl::Base64Unescape(mqtt::ToAbsl(property.value), &bytes)) {
    return absl::InvalidArgumentError(absl::StrCat("metadata: the value of ", Quoted(property.name), " is not base64"));
  }
  into.Add(property.name, bytes);
  return absl::OkStatus();
}

}  // namespace mqttrpc
