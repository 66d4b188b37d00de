#include "incoming_aliases.h"

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::broker {
namespace {

// What the aliases of one connection may stand for, together.
constexpr std::size_t kMaximumBytes = 128 * 1024;

}  // namespace

absl::Status IncomingAliases::Set(std::uint16_t alias, std::string_view topic_name) {
  if (topic_names_.size() < alias) topic_names_.resize(alias);
  std::string& place = topic_names_[alias - 1u];
  budget_.Give(place.size());
  budget_.Take(topic_name.size());
  bytes_ += topic_name.size() - place.size();
  std::string(topic_name).swap(place);  // An assignment would keep the memory of the longest.
  if (bytes_ <= kMaximumBytes && !budget_.RefusesLasting(bytes_)) return absl::OkStatus();
  return mqtt::StatusFrom(mqtt::ReasonCode::kQuotaExceeded, absl::StrCat("the topics of all aliases have ", bytes_,
                                                                         " bytes; this broker keeps ", kMaximumBytes));
}

}  // namespace mqttrpc::broker
