// The Topic Aliases that a client uses towards us (MQTT 3.3.2.3.4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "memory_budget.h"

namespace mqttrpc::broker {

// What each stands for. Lives as long as its connection. Its memory is the budget's.
class IncomingAliases {
 public:
  explicit IncomingAliases(MemoryBudget& budget) : budget_(budget) {}
  ~IncomingAliases() { budget_.Give(bytes_); }
  IncomingAliases(const IncomingAliases&) = delete;
  IncomingAliases& operator=(const IncomingAliases&) = delete;

  // From 1 on. kQuotaExceeded if all of them together stand for too much.
  absl::Status Set(std::uint16_t alias, std::string_view topic_name);

  // Empty if it was never set.
  std::string_view Get(std::uint16_t alias) const {
    return alias > topic_names_.size() ? std::string_view() : topic_names_[alias - 1u];
  }

 private:
  MemoryBudget& budget_;
  std::vector<std::string> topic_names_;  // topic_names_[i] is what alias i + 1 stands for; grows on use.
  std::size_t bytes_ = 0;
};

}  // namespace mqttrpc::broker
