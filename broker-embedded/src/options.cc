#include "mqttrpc/broker/options.h"

#include <string_view>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"
#include "mqttrpc/mqtt/topic.h"
#include "shard_set.h"

namespace mqttrpc::broker {
namespace {

// Keeps the first thing that is wrong.
class Checker {
 public:
  template <typename Value, typename Bound>
  void Between(std::string_view name, Value value, Bound least, Bound most, std::string_view unit = "") {
    if (value >= static_cast<Value>(least) && value <= static_cast<Value>(most)) return;
    status_.Update(absl::InvalidArgumentError(absl::StrCat("BrokerOptions::", mqtt::ToAbsl(name), " is ", value,
                                                           mqtt::ToAbsl(unit), "; it may be ", least, "-", most,
                                                           mqtt::ToAbsl(unit))));
  }
  void Update(absl::Status status) { status_.Update(std::move(status)); }
  absl::Status status() const { return status_; }

 private:
  absl::Status status_;
};

}  // namespace

absl::Status Check(const BrokerOptions& options) {
  constexpr long long kDay = 24 * 3600;
  Checker check;
  check.Between("shards", options.shards, std::size_t{1}, kMaximumShards);
  check.Between("maximum_connections", options.maximum_connections, 1, 10'000'000);
  check.Between("maximum_packet_size", options.maximum_packet_size, 64, 268'435'460, " bytes");
  check.Between("maximum_connect_packet_size", options.maximum_connect_packet_size, 64, 268'435'460, " bytes");
  check.Between("connect_timeout", options.connect_timeout.count(), 1LL, kDay * 1000, " ms");
  check.Between("write_timeout", options.write_timeout.count(), 1LL, kDay * 1000, " ms");
  check.Between("maximum_qos", static_cast<int>(options.maximum_qos), 0, 2);
  check.Between("receive_maximum", options.receive_maximum, 1, 65'535);
  check.Between("maximum_in_flight", options.maximum_in_flight, 1, 65'535);
  check.Between("sys_interval", static_cast<long long>(options.sys_interval.count()), 0LL, kDay, " s");
  check.Between("maximum_topic_bytes", options.maximum_topic_bytes, 1, 65'535, " bytes");
  check.Between("maximum_total_queued_bytes", options.maximum_total_queued_bytes, 64LL * 1024, 1LL << 50, " bytes");
  if (const std::string& prefix = options.response_information_prefix; !prefix.empty()) {
    if (absl::Status status = mqtt::CheckTopicName(prefix); !status.ok()) {
      check.Update(
          absl::InvalidArgumentError(absl::StrCat("BrokerOptions::response_information_prefix: ", status.message())));
    }
  }
  return check.status();
}

}  // namespace mqttrpc::broker
