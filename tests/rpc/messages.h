// MQTT messages as tests look at them.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mqttrpc/mqtt/message.h"

namespace mqttrpc::test {

// Borrows from `message`.
inline mqtt::MessageView View(const mqtt::Message& message) {
  mqtt::MessageView view;
  view.topic_name = message.topic_name;
  view.payload = message.payload;
  view.qos = message.qos;
  view.retain = message.retain;
  view.properties = message.properties.view();
  return view;
}

using UserProperties = std::vector<std::pair<std::string, std::string>>;

inline UserProperties UserPropertiesOf(const mqtt::Message& message) {
  UserProperties all;
  message.properties.view().ForEachUserProperty(
      [&all](mqtt::UserPropertyView each) { all.emplace_back(each.name, each.value); });
  return all;
}

// "" if there is none.
inline std::string UserProperty(const mqtt::Message& message, std::string_view name) {
  return std::string(message.properties.UserProperty(name).value_or(""));
}

inline void AddUserProperty(mqtt::Message& message, std::string_view name, std::string_view value) {
  message.properties.Add(mqtt::property::kUserProperty, {name, value});
}

}  // namespace mqttrpc::test
