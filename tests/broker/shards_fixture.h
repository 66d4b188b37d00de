// Several shards in one thread, which takes their turns in an order drawn from a seed:
// any interleaving that threads could have, and again if it fails.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <asio/io_context.hpp>

#include "common_packets.h"
#include "movable_transport.h"
#include "raw_client.h"
#include "shard.h"
#include "support/manual_clock.h"
#include "support/seeded_random.h"

namespace mqttrpc::test {

constexpr int kSeeds = 300;

// A stream to the broker whose end there tells when it was written to, from inside the write.
class ToldOfWrites final : public mqtt::MovableTransport {
 public:
  ToldOfWrites(std::unique_ptr<mqtt::Transport> stream, std::function<void()> on_write)
      : stream_(std::move(stream)), on_write_(std::move(on_write)) {}

  void Start(Handler& handler) override { stream_->Start(handler); }
  bool Write(std::span<const std::span<const std::byte>> gather) override {
    const bool taken = stream_->Write(gather);
    on_write_();
    return taken;
  }
  void PauseReading() override { stream_->PauseReading(); }
  void ResumeReading() override { stream_->ResumeReading(); }
  void Close() override { stream_->Close(); }
  void Leave() override { movable().Leave(); }
  bool Join(const asio::any_io_executor& executor, mqtt::SocketPoller* poller) override {
    return movable().Join(executor, poller);
  }
  std::string peer() const override { return stream_->peer(); }

 private:
  mqtt::MovableTransport& movable() { return static_cast<mqtt::MovableTransport&>(*stream_); }

  const std::unique_ptr<mqtt::Transport> stream_;
  const std::function<void()> on_write_;
};

// A broker whose shards have an event loop each, and clients with another one.
class Shards {
 public:
  explicit Shards(std::uint64_t seed, std::size_t count = 3, broker::BrokerOptions options = {})
      : seed_(seed), order_(seed), random_(seed) {
    options.shards = count;
    options.environment.clock = &clock_;
    options.environment.random = &random_;
    for (std::size_t i = 0; i < count; ++i) {
      loops_.push_back(std::make_unique<asio::io_context>(1));
      shards_.push_back(std::make_shared<broker::Shard>(loops_.back()->get_executor(), options));
    }
    broker::Shard::Join(shards_, seed);
  }
  ~Shards() {
    for (const auto& shard : shards_) shard->StopNow();
  }

  std::unique_ptr<RawClient> NewClient() {
    auto [ours, brokers] = mqtt::MemoryTransportPair(clients_.get_executor(), shards_[0]->executor());
    shards_[0]->Attach(std::move(brokers));
    return std::make_unique<RawClient>(std::move(ours));
  }
  std::unique_ptr<RawClient> NewClient(std::function<void()> on_write) {
    auto [ours, brokers] = mqtt::MemoryTransportPair(clients_.get_executor(), shards_[0]->executor());
    shards_[0]->Attach(std::make_unique<ToldOfWrites>(std::move(brokers), std::move(on_write)));
    return std::make_unique<RawClient>(std::move(ours));
  }

  // One handler of one event loop; from inside a handler, of another one.
  void Step() {
    const std::size_t picked = order_() % (loops_.size() + 1);
    if (picked == running_) return;
    const std::size_t outer = std::exchange(running_, picked);
    asio::io_context& loop = picked == loops_.size() ? clients_ : *loops_[picked];
    loop.restart();
    loop.poll_one();
    running_ = outer;
  }
  void Steps(int count) {
    for (int i = 0; i < count; ++i) Step();
  }

  // Everything that can happen, in any order.
  void Settle() {
    for (bool more = true; more;) {
      Steps(50);
      more = false;
      for (asio::io_context* loop : Loops()) {
        loop->restart();
        more = loop->poll_one() > 0 || more;
      }
    }
  }
  // The same in turn, for what must come to rest without more input.
  void Rest() {
    for (int round = 0; ServeAll(); ++round) ASSERT_LT(round, 3'000) << "it never rests";
  }
  // ... until `done`.
  void Until(const std::function<bool()>& done) {
    for (int i = 0; !done(); ++i) {
      ASSERT_LT(i, 100'000) << "it never happens";
      Step();
    }
  }

  // One shard does all it can; the clients read, and write, all they can. Whether it was
  // anything.
  bool Serve(std::size_t shard) {
    loops_[shard]->restart();
    return loops_[shard]->poll() > 0;
  }
  bool ServeClients() {
    clients_.restart();
    return clients_.poll() > 0;
  }

  ManualClock& clock() { return clock_; }
  std::uint64_t seed() const { return seed_; }
  std::size_t Draw(std::size_t bound) { return order_() % bound; }
  broker::Shard& shard(std::size_t i) { return *shards_[i]; }
  std::size_t count() const { return shards_.size(); }
  std::uint64_t Sum(broker::Counter broker::Counters::* counter) const {
    std::uint64_t sum = 0;
    for (const auto& shard : shards_) sum += (shard->counters().*counter).value();
    return sum;
  }
  std::uint64_t dropped() const {
    std::uint64_t sum = 0;
    for (const auto& shard : shards_) sum += shard->counters().messages_dropped();
    return sum;
  }

 private:
  bool ServeAll() {
    bool any = ServeClients();
    for (std::size_t i = 0; i < count(); ++i) any = Serve(i) || any;
    return any;
  }
  std::vector<asio::io_context*> Loops() {
    std::vector<asio::io_context*> loops{&clients_};
    for (const auto& loop : loops_) loops.push_back(loop.get());
    std::shuffle(loops.begin(), loops.end(), order_);
    return loops;
  }

  const std::uint64_t seed_;
  std::mt19937_64 order_;
  std::size_t running_ = std::numeric_limits<std::size_t>::max();  // Whose handler we are in.
  asio::io_context clients_;
  ManualClock clock_{clients_};
  SeededRandom random_;
  std::vector<std::unique_ptr<asio::io_context>> loops_;
  std::vector<std::shared_ptr<broker::Shard>> shards_;
};

// Runs `body` with a new broker and another order each time.
inline void InManyOrders(const std::function<void(Shards&)>& body, std::size_t count = 3) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Shards shards(seed, count);
    body(shards);
  }
}

// Accepted; wherever its home is.
inline std::unique_ptr<RawClient> Connected(Shards& shards, const mqtt::Connect& connect) {
  auto client = shards.NewClient();
  client->Send(connect);
  shards.Until([&] { return client->waiting() > 0; });
  EXPECT_EQ(client->Next<mqtt::ConnAck>().reason_code, mqtt::ReasonCode::kSuccess);
  return client;
}
inline std::unique_ptr<RawClient> Connected(Shards& shards, std::string_view client_id) {
  return Connected(shards, ConnectAs(client_id));
}

// The same with an id that begins so, whose home is that shard.
inline std::unique_ptr<RawClient> ConnectedAt(Shards& shards, std::size_t shard, const std::string& id_begin) {
  const auto connections = [&] { return shards.shard(shard).counters().connections.value(); };
  for (int i = 0;; ++i) {
    const std::uint64_t before = connections();
    auto client = Connected(shards, id_begin + "-" + std::to_string(shard) + "-" + std::to_string(i));
    if (connections() > before) return client;
    client->Drop();
    shards.Settle();
  }
}

// Not a step more than until SUBACK is there.
inline void Subscribe(Shards& shards, RawClient& client, const mqtt::Subscribe& subscribe) {
  client.Send(subscribe);
  shards.Until([&] { return client.waiting() > 0; });
  EXPECT_FALSE(mqtt::IsError(client.Next<mqtt::SubAck>().reason_codes[0]));
}

// The payloads of all PUBLISH that have come; those of QoS 1 are acknowledged.
inline std::vector<std::string> Messages(RawClient& client) {
  std::vector<std::string> payloads;
  while (client.waiting() > 0) {
    const auto publish = client.Next<mqtt::Publish>();
    payloads.emplace_back(publish.payload);
    if (publish.qos == mqtt::QoS::kAtMostOnce) continue;
    mqtt::PubAck ack;
    ack.packet_id = publish.packet_id;
    client.Send(ack);
  }
  return payloads;
}

}  // namespace mqttrpc::test
