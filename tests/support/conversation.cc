#include "conversation.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <utility>

#include <absl/strings/str_cat.h>
#include <asio/io_context.hpp>

#include "judged_client.h"
#include "mqttrpc/broker/broker.h"
#include "mqttrpc/testing/manual_clock.h"
#include "mqttrpc/testing/seeded_random.h"
#include "packet_corpus.h"

namespace mqttrpc::test {

using mqtt::PacketType;
using std::chrono::milliseconds;

namespace {

// A step's first byte: who, and what. Then, for kSay, a byte of length and as many
// bytes; for kWait, the exponent.
enum class Step { kSay, kDial, kFreeze, kWait };

constexpr std::size_t kBudget = 64 * 1024;
constexpr std::uint32_t kPacket = 4 * 1024;
constexpr std::uint32_t kLongestSession = 3600;  // Seconds.

char FirstByte(std::size_t client, Step step) { return static_cast<char>(client * 4 + static_cast<std::size_t>(step)); }

broker::BrokerOptions SmallLimits() {
  broker::BrokerOptions options;
  options.maximum_connections = 8;
  options.maximum_packet_size = kPacket;
  options.maximum_connect_packet_size = kPacket;
  options.receive_maximum = 8;
  options.maximum_in_flight = 16;
  options.topic_alias_maximum = 4;
  options.outgoing_topic_alias_maximum = 4;
  options.maximum_session_expiry = kLongestSession;
  options.v3_session_expiry = kLongestSession / 2;
  options.maximum_sessions = 6;
  options.maximum_retained_messages = 16;
  options.maximum_retained_bytes = kBudget / 8;
  options.sys_interval = std::chrono::seconds(600);
  options.maximum_subscriptions = 32;
  options.maximum_queued_messages = 64;
  options.maximum_queued_bytes = kBudget / 4;
  options.maximum_total_queued_bytes = kBudget;
  return options;
}

// One conversation while it goes on.
class Talk {
 public:
  Talk() : broker_(io_.get_executor(), Options()) {}

  std::string Run(std::string_view script) {
    while (!script.empty() && problem_.empty()) {
      TakeStep(script);
      clock_.RunUntilQuiet();
      Judge();
    }
    for (std::size_t i = 0; i < clients_.size(); ++i) HangUp(i);
    CheckServing();
    CheckNothingLeft();
    return std::move(problem_);
  }

 private:
  broker::BrokerOptions Options() {
    broker::BrokerOptions options = SmallLimits();
    options.environment.clock = &clock_;
    options.environment.random = &random_;
    return options;
  }

  void TakeStep(std::string_view& script) {
    const auto next = [&] {
      const auto byte = static_cast<unsigned char>(script.empty() ? 0 : script.front());
      script.remove_prefix(script.empty() ? 0 : 1);
      return byte;
    };
    const unsigned first = next();
    const std::size_t client = first / 4 % Conversation::kClients;
    switch (static_cast<Step>(first % 4)) {
      case Step::kSay: {
        const std::size_t length = next();
        const std::string_view bytes = script.substr(0, length);
        script.remove_prefix(bytes.size());
        if (clients_[client] == nullptr) Dial(client);
        clients_[client]->Say(bytes);
        break;
      }
      case Step::kDial: Dial(client); break;
      case Step::kFreeze:
        frozen_[client] = !frozen_[client];
        if (clients_[client] != nullptr) clients_[client]->SetFrozen(frozen_[client]);
        break;
      case Step::kWait: clock_.Advance(milliseconds(1u << next() % 24)); break;
    }
  }

  std::unique_ptr<JudgedClient> NewClient() {
    auto [ours, brokers] = mqtt::MemoryTransportPair(io_.get_executor(), io_.get_executor());
    broker_.Attach(std::move(brokers));
    return std::make_unique<JudgedClient>(std::move(ours));
  }

  void Dial(std::size_t client) {
    HangUp(client);
    clients_[client] = NewClient();
    frozen_[client] = false;
  }

  void HangUp(std::size_t client) {
    clients_[client] = nullptr;
    clock_.RunUntilQuiet();
  }

  void Judge() {
    for (const auto& client : clients_) {
      if (client != nullptr && problem_.empty()) problem_ = client->problem();
    }
    // A message is taken whole or not at all, and answers are never refused.
    const std::uint64_t used = broker_.statistics().memory_used;
    if (used > kBudget + Conversation::kClients * 2 * kPacket) Complain(absl::StrCat(used, " bytes in use"));
  }

  void CheckServing() {
    const auto subscriber = NewClient();
    const auto publisher = NewClient();
    subscriber->Say(ConnectOf("witness-subscriber-71c1"));
    publisher->Say(ConnectOf("witness-publisher-0e9b"));
    clock_.RunUntilQuiet();
    subscriber->Say(Bytes(mqtt::Subscribe{1, {}, {{"witness/4d55", mqtt::QoS::kAtLeastOnce}}}));
    clock_.RunUntilQuiet();
    mqtt::Publish publish;
    publish.topic_name = "witness/4d55";
    publish.payload = "alive: 83c25d";
    publish.qos = mqtt::QoS::kAtLeastOnce;
    publish.packet_id = 7;
    publisher->Say(Bytes(publish));
    clock_.RunUntilQuiet();
    if (!subscriber->HasHeard(publish.payload)) Complain("others are not served any more");
    if (!publisher->HasHeard(PacketType::kPubAck)) Complain("others are not answered any more");
  }

  // Whatever the clients did: when all is over, all that was held is given back.
  void CheckNothingLeft() {
    clock_.Advance(std::chrono::seconds(2 * kLongestSession));
    const broker::BrokerStatistics now = broker_.statistics();
    if (now.connections != 0) Complain(absl::StrCat(now.connections, " connections left"));
    if (now.sessions != 0) Complain(absl::StrCat(now.sessions, " sessions left"));
    if (now.subscriptions != 0) Complain(absl::StrCat(now.subscriptions, " subscriptions left"));
    if (now.retained_messages == 0 && now.memory_used != 0) Complain(absl::StrCat(now.memory_used, " bytes left"));
  }

  static std::string Bytes(const mqtt::Packet& packet) {
    std::string bytes;
    if (!mqtt::EncodePacket(packet, mqtt::Sender::kClient, bytes).ok()) bytes.clear();
    return bytes;
  }

  static std::string ConnectOf(std::string_view client_id) {
    mqtt::Connect connect;
    connect.client_id = client_id;
    connect.clean_start = true;
    return Bytes(connect);
  }

  void Complain(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
  }

  asio::io_context io_;
  testing::ManualClock clock_{io_};
  testing::SeededRandom random_;
  broker::Broker broker_;
  std::array<std::unique_ptr<JudgedClient>, Conversation::kClients> clients_;
  std::array<bool, Conversation::kClients> frozen_{};
  std::string problem_;
};

}  // namespace

Conversation& Conversation::Dial(std::size_t client) {
  bytes_ += FirstByte(client, Step::kDial);
  return *this;
}

Conversation& Conversation::Say(std::size_t client, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, 255);
    bytes_ += FirstByte(client, Step::kSay);
    bytes_ += static_cast<char>(piece.size());
    bytes_ += piece;
    bytes.remove_prefix(piece.size());
  }
  return *this;
}

Conversation& Conversation::Freeze(std::size_t client) {
  bytes_ += FirstByte(client, Step::kFreeze);
  return *this;
}

Conversation& Conversation::Wait(unsigned exponent) {
  bytes_ += FirstByte(0, Step::kWait);
  bytes_ += static_cast<char>(exponent);
  return *this;
}

std::string JudgeConversation(std::string_view conversation) { return Talk().Run(conversation); }

}  // namespace mqttrpc::test
