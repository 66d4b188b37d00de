// Application Messages: what is published and what arrives (MQTT 3.3).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "mqttrpc/mqtt/properties.h"
#include "mqttrpc/mqtt/qos.h"

namespace mqttrpc::mqtt {

// A message to publish. Owns its bytes.
struct Message {
  Message() = default;  // Not an aggregate: docs/decisions/0006-coroutine-rules.md.
  Message(std::string topic_name_in, std::string payload_in, QoS qos_in = QoS::kAtLeastOnce)
      : topic_name(std::move(topic_name_in)), payload(std::move(payload_in)), qos(qos_in) {}

  std::string topic_name;  // UTF-8, no wildcards, 1-65,535 bytes.
  std::string payload;     // Any bytes.
  QoS qos = QoS::kAtLeastOnce;
  bool retain = false;
  Properties properties;
};

// A message that arrived. Borrows everything: valid until the handler that was
// given it returns. Copy it with ToMessage() to keep it.
struct MessageView {
  MessageView() = default;

  std::string_view topic_name;
  std::string_view payload;
  QoS qos = QoS::kAtMostOnce;
  bool retain = false;
  bool dup = false;
  PropertiesView properties;

  Message ToMessage() const {
    Message message{std::string(topic_name), std::string(payload), qos};
    message.retain = retain;
    message.properties = Properties(properties);
    return message;
  }
};

}  // namespace mqttrpc::mqtt
