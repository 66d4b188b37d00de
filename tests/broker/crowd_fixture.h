// A broker with more to hold than it has memory for.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker_fixture.h"

namespace mqttrpc::test {

constexpr std::size_t kPayloadBytes = 1000;

class CrowdedBrokerTest : public BrokerTest {
 protected:
  // Numbered messages of about kPayloadBytes bytes.
  static std::string PayloadOf(int i) {
    std::string payload = std::to_string(i) + ":";
    payload.resize(kPayloadBytes, '.');
    return payload;
  }
  static int NumberIn(const mqtt::Publish& publish) { return std::stoi(std::string(publish.payload)); }

  void Flood(RawClient& publisher, int messages) {
    for (int i = 0; i < messages; ++i) publisher.Send(PublishOf("t", PayloadOf(i)));
  }

  static mqtt::Connect ConnectWithKeepAlive(std::string_view client_id, std::uint16_t keep_alive) {
    mqtt::Connect connect = ConnectAs(client_id);
    connect.keep_alive = keep_alive;
    return connect;
  }

  // Twenty subscribers, each to a topic of its own: enough to fill the memory, of which
  // one alone gets only a share.
  class Crowd {
   public:
    explicit Crowd(CrowdedBrokerTest& test) : test_(test) {
      for (int i = 0; i < 20; ++i) {
        members_.push_back(test.Connected("member" + std::to_string(i)));
        test.Subscribe(*members_.back(), TopicOf(i));
      }
    }
    void Freeze() {
      for (const auto& member : members_) member->Freeze();
    }
    void Thaw() {
      for (const auto& member : members_) member->Thaw();
      test_.Settle();
    }
    void Flood(RawClient& publisher, int messages) {
      for (int i = 0; i < messages; ++i) publisher.Send(PublishOf(TopicOf(i % 20), PayloadOf(i)));
      test_.Settle();
    }
    std::size_t waiting() const {
      std::size_t sum = 0;
      for (const auto& member : members_) sum += member->waiting();
      return sum;
    }

   private:
    static std::string TopicOf(int i) { return "crowd/" + std::to_string(i); }

    CrowdedBrokerTest& test_;
    std::vector<std::unique_ptr<RawClient>> members_;
  };

  // With messages for the crowd, until not even a session has room. Each publisher is read
  // from once before it is paused.
  std::vector<std::unique_ptr<RawClient>> FillMemory(Crowd& crowd) {
    constexpr std::size_t kSession = 1'000;
    std::vector<std::unique_ptr<RawClient>> publishers;
    for (int i = 0; i < 300 && broker().statistics().memory_used < options_.maximum_total_queued_bytes; ++i) {
      const std::string client_id = "other" + std::to_string(i);
      auto publisher = NewClient();
      publisher->Send(ConnectAs(client_id));
      Settle();
      if (publisher->Next<mqtt::ConnAck>().reason_code != mqtt::ReasonCode::kSuccess) break;
      crowd.Flood(*publisher, 60);
      publishers.push_back(std::move(publisher));
    }
    EXPECT_GE(broker().statistics().memory_used + kSession, options_.maximum_total_queued_bytes);
    return publishers;
  }
};

}  // namespace mqttrpc::test
