// A broker and its clients on one thread, in time that stands still.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <asio/io_context.hpp>

#include "common_packets.h"
#include "raw_client.h"
#include "support/manual_clock.h"
#include "support/seeded_random.h"
#include "support/test_shards.h"

namespace mqttrpc::test {

class BrokerTest : public ::testing::Test {
 protected:
  BrokerTest() {
    options_.environment = TestEnvironment();
    options_.shards = TestShards();
  }

  // Called at the first client; change options_ before.
  broker::Broker& broker() {
    if (broker_ == nullptr) broker_ = std::make_unique<broker::Broker>(io_.get_executor(), options_);
    return *broker_;
  }

  void Settle() { clock_.RunUntilQuiet(); }

  // A client that has said nothing yet.
  std::unique_ptr<RawClient> NewClient() {
    auto client = std::make_unique<RawClient>(broker());
    Settle();
    return client;
  }

  // A client that was accepted; its CONNACK is taken.
  std::unique_ptr<RawClient> Connected(const mqtt::Connect& connect) {
    auto client = NewClient();
    client->Send(connect);
    Settle();
    EXPECT_EQ(client->Next<mqtt::ConnAck>().reason_code, mqtt::ReasonCode::kSuccess);
    return client;
  }
  std::unique_ptr<RawClient> Connected(std::string_view client_id) { return Connected(ConnectAs(client_id)); }

  void Subscribe(RawClient& client, const mqtt::Subscribe& subscribe) {
    client.Send(subscribe);
    Settle();
    for (const mqtt::ReasonCode code : client.Next<mqtt::SubAck>().reason_codes) EXPECT_FALSE(mqtt::IsError(code));
  }
  void Subscribe(RawClient& client, std::string_view topic_filter, mqtt::QoS qos = mqtt::QoS::kAtLeastOnce) {
    Subscribe(client, SubscribeTo(topic_filter, qos));
  }

  void Send(RawClient& client, const mqtt::Packet& packet) {
    client.Send(packet);
    Settle();
  }

  // That `client` was told `code` in a DISCONNECT, and nothing after it.
  static void ExpectDisconnected(RawClient& client, mqtt::ReasonCode code) {
    EXPECT_EQ(client.Next<mqtt::Disconnect>().reason_code, code);
    EXPECT_EQ(client.waiting(), 0u);
    EXPECT_TRUE(client.closed());
  }

  // That two fresh clients can still talk to each other.
  void ExpectServing() {
    auto subscriber = Connected("witness-subscriber");
    Subscribe(*subscriber, "witness");
    auto publisher = Connected("witness-publisher");
    Send(*publisher, PublishOf("witness", "alive", 7));
    EXPECT_EQ(publisher->Next<mqtt::PubAck>().reason_code, mqtt::ReasonCode::kSuccess);
    EXPECT_EQ(subscriber->Next<mqtt::Publish>().payload, "alive");
  }

  mqtt::Environment TestEnvironment() {
    mqtt::Environment environment;
    environment.clock = &clock_;
    environment.random = &random_;
    return environment;
  }

  asio::io_context io_;
  ManualClock clock_{io_};
  SeededRandom random_;
  broker::BrokerOptions options_;

 private:
  std::unique_ptr<broker::Broker> broker_;
};

}  // namespace mqttrpc::test
