// The broker's own figures, as messages under $SYS.
#pragma once

#include <string_view>

#include <absl/functional/function_ref.h>

#include "mqttrpc/mqtt/clock.h"
#include "shared_message.h"

namespace mqttrpc::broker {

struct BrokerCore;

// Topic names as Mosquitto has them, as far as we count the same. Nothing is stored:
// a subscriber gets the values of the moment as retained messages, then again every
// `sys_interval`, which costs nothing while nobody listens.
class SysTopics {
 public:
  explicit SysTopics(BrokerCore& core) : core_(core) {}
  SysTopics(const SysTopics&) = delete;
  SysTopics& operator=(const SysTopics&) = delete;

  // Calls `visit` for each value whose topic matches. If there is one, the values
  // are sent out from now on.
  // Returns how many values it looked at.
  std::size_t Match(std::string_view topic_filter, mqtt::TimePoint now,
                    absl::FunctionRef<void(const MessageRef&)> visit);

  // Somebody wants to hear of them from now on, if that is what `topic_filter` says.
  void OnSubscribed(std::string_view topic_filter);

  mqtt::TimePoint next_deadline() const { return next_; }
  void OnDeadline(mqtt::TimePoint now);

 private:
  void ForEach(absl::FunctionRef<void(std::string_view topic_name, std::string_view value)> visit) const;
  MessageRef MessageOf(std::string_view topic_name, std::string_view value, mqtt::TimePoint now) const;

  BrokerCore& core_;
  mqtt::TimePoint next_ = mqtt::kNever;  // kNever: nobody listens.
};

}  // namespace mqttrpc::broker
