#include "broker_list.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::mqtt {
namespace {

constexpr std::size_t kMostReferences = 8;
constexpr std::string_view kSchemeEnd = "://";

std::string_view SchemeOf(std::string_view url) {
  const std::size_t end = url.find(kSchemeEnd);
  return end == std::string_view::npos ? std::string_view() : url.substr(0, end);
}

}  // namespace

std::vector<std::string> ParseServerReference(std::string_view reference, std::string_view current) {
  std::vector<std::string> urls;
  const std::string_view scheme = SchemeOf(current);
  while (!reference.empty() && urls.size() < kMostReferences) {
    const std::string_view token = reference.substr(0, reference.find(' '));
    reference.remove_prefix(std::min(reference.size(), token.size() + 1));
    std::string url(token);
    if (token.find(kSchemeEnd) == std::string_view::npos) {
      url = absl::StrCat(ToAbsl(scheme), ToAbsl(kSchemeEnd), ToAbsl(token));
    }
    const absl::StatusOr<Endpoint> endpoint = ParseEndpoint(url);
    if (SchemeOf(url) == scheme && endpoint.ok() && endpoint->port != 0) urls.push_back(std::move(url));
  }
  return urls;
}

BrokerList::BrokerList(const ClientOptions& options)
    : options_(options),
      home_(options.brokers.empty() ? std::vector<std::string>(1, options.broker) : options.brokers),
      in_use_(home_) {}

absl::Status BrokerList::Check() const {
  for (const std::string& url : home_) {
    if (const auto endpoint = ParseEndpoint(url); !endpoint.ok()) return endpoint.status();
  }
  return absl::OkStatus();
}

bool BrokerList::Failed() {
  ++tried_;
  position_ = (position_ + 1) % in_use_.size();
  if (tried_ < in_use_.size()) return true;
  tried_ = 0;
  redirects_ = 0;
  if (in_use_ != home_) GoHome();
  return false;
}

bool BrokerList::Follow(std::string_view reference, bool for_good) {
  if (!options_.follow_server_reference || redirects_ >= options_.maximum_redirects) return false;
  std::vector<std::string> urls = ParseServerReference(reference, current());
  if (urls.empty()) return false;
  ++redirects_;
  in_use_ = std::move(urls);
  if (for_good) home_ = in_use_;
  position_ = 0;
  tried_ = 0;
  return true;
}

void BrokerList::Lost() {
  tried_ = 0;
  redirects_ = 0;
  if (in_use_ != home_) GoHome();
}

void BrokerList::GoHome() {
  in_use_ = home_;
  position_ = 0;
  tried_ = 0;
}

}  // namespace mqttrpc::mqtt
