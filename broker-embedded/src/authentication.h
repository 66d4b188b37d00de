// Enhanced authentication of one connection (MQTT 4.12).
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "memory_budget.h"
#include "mqttrpc/broker/authenticator.h"

namespace mqttrpc::broker {

// Of a client whose CONNECT names a method, as long as its connection lives. The budget
// is charged with the CONNECT that waits for the exchange's end.
class Authentication {
 public:
  Authentication(MemoryBudget& budget, std::string_view method_in, std::string_view connect)
      : method(method_in), budget_(budget), connect_(connect) {
    budget_.Take(connect_.size());
  }
  ~Authentication() { budget_.Give(connect_.size()); }
  Authentication(const Authentication&) = delete;
  Authentication& operator=(const Authentication&) = delete;

  // The body of the CONNECT; no more than once.
  std::string TakeConnect() {
    budget_.Give(connect_.size());
    return std::exchange(connect_, {});
  }

  const std::string method;
  std::optional<std::string> answer;                  // For CONNACK: the last data.
  std::unique_ptr<Authenticator::Exchange> exchange;  // While one is under way.

 private:
  MemoryBudget& budget_;
  std::string connect_;
};

}  // namespace mqttrpc::broker
