// The packets that nearly all tests of the broker send.
#pragma once

#include <string_view>

#include "packets.h"

namespace mqttrpc::test {

inline mqtt::Connect ConnectAs(std::string_view client_id) {
  mqtt::Connect connect;
  connect.client_id = client_id;
  connect.clean_start = true;
  return connect;
}

inline mqtt::Publish PublishOf(std::string_view topic_name, std::string_view payload, mqtt::PacketId packet_id = 0) {
  mqtt::Publish publish;
  publish.topic_name = topic_name;
  publish.payload = payload;
  publish.packet_id = packet_id;
  publish.qos = packet_id == 0 ? mqtt::QoS::kAtMostOnce : mqtt::QoS::kAtLeastOnce;
  return publish;
}

inline mqtt::Subscribe SubscribeTo(std::string_view topic_filter, mqtt::QoS qos = mqtt::QoS::kAtLeastOnce) {
  mqtt::Subscribe subscribe;
  subscribe.packet_id = 1;
  subscribe.entries.emplace_back();
  subscribe.entries[0].topic_filter = topic_filter;
  subscribe.entries[0].qos = qos;
  return subscribe;
}

}  // namespace mqttrpc::test
