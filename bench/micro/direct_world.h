// A broker with direct clients on one io_context.
#pragma once

#include <deque>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include <asio/io_context.hpp>

#include "micro/direct_client.h"
#include "mqttrpc/broker/broker.h"

namespace bench {

class DirectWorld {
 public:
  asio::io_context& io() { return io_; }
  mqttrpc::broker::Broker& broker() { return broker_; }

  // Connected.
  DirectClient& NewClient(std::string_view client_id) {
    DirectClient& client = clients_.emplace_back(broker_, client_id);
    client.Attach();
    Run();
    client.Connect();
    Run();
    if (!client.connected()) throw std::runtime_error("the broker refused a client");
    return client;
  }

  // Connected and subscribed.
  DirectClient& NewSubscriber(std::string_view client_id, const std::string& topic_filter, std::uint8_t qos) {
    DirectClient& client = NewClient(client_id);
    std::string packet;
    AppendSubscribe(packet, 1, std::span(&topic_filter, 1), qos);
    client.Send(packet);
    Run();
    if (!client.subscribed()) throw std::runtime_error("the broker refused a subscription");
    return client;
  }

 private:
  void Run() {
    io_.restart();
    io_.poll();
  }

  asio::io_context io_{1};
  mqttrpc::broker::Broker broker_{io_.get_executor(), mqttrpc::broker::BrokerOptions()};
  std::deque<DirectClient> clients_;
};

}  // namespace bench
