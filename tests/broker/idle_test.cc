// What a client costs that is there and does nothing, and that one which does something
// allocates nothing for it: counted by the replaced operator new.
#include <malloc.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <asio/post.hpp>

#include "broker_fixture.h"

namespace {

struct Heap {
  std::size_t allocations = 0;
  std::size_t bytes = 0;
};
thread_local Heap heap;

std::size_t BytesOf(void* block) {
  constexpr std::size_t kHeader = 8;  // Of malloc's, for each block.
  return block == nullptr ? 0 : malloc_usable_size(block) + kHeader;
}

}  // namespace

void* operator new(std::size_t size) {
  void* const block = std::malloc(size == 0 ? 1 : size);
  if (block == nullptr) std::abort();
  ++heap.allocations;
  heap.bytes += BytesOf(block);
  return block;
}
void operator delete(void* block) noexcept {
  heap.bytes -= BytesOf(block);
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept { operator delete(block); }

namespace mqttrpc::test {
namespace {

using mqtt::QoS;

// A stream that takes everything, and costs nothing.
class Plug final : public mqtt::Transport {
 public:
  static void* operator new(std::size_t size) { return std::malloc(size); }
  static void operator delete(void* block) { std::free(block); }

  void Start(Handler& handler) override { handler_ = &handler; }
  bool Write(std::span<const std::span<const std::byte>>) override { return true; }
  void PauseReading() override {}
  void ResumeReading() override {}
  void Close() override {}
  std::string peer() const override { return "plug"; }

  void Say(std::string_view bytes) { handler_->OnBytes(mqtt::AsBytes(bytes)); }

 private:
  Handler* handler_ = nullptr;
};

std::string BytesOf(const mqtt::Packet& packet) {
  std::string bytes;
  EXPECT_TRUE(mqtt::EncodePacket(packet, mqtt::Sender::kClient, bytes).ok());
  return bytes;
}

class BrokerIdleTest : public BrokerTest {
 protected:
  // A client with one subscription, to a topic of its own.
  void AddClient(const std::string& topic_filter) {
    auto plug = std::make_unique<Plug>();
    plugs_.push_back(plug.get());
    broker().Attach(std::move(plug));
    Settle();
    Tell(plugs_.size() - 1, ConnectAs("client-" + std::to_string(plugs_.size())));
    Tell(plugs_.size() - 1, SubscribeTo(topic_filter, QoS::kExactlyOnce));
  }

  // Counts what it makes the broker allocate.
  void Tell(std::size_t client, const mqtt::Packet& packet) {
    const std::string bytes = BytesOf(packet);
    std::size_t before = 0;
    asio::post(io_, [&] {  // As the event loop would: there Asio uses memory of handlers before again.
      before = heap.allocations;
      plugs_[client]->Say(bytes);
    });
    Settle();
    allocations_ += heap.allocations - before;
    ++turns_;
  }

  // All of a flow that `publisher` begins and whose only message is for `subscriber`.
  void Exchange(std::size_t publisher, std::size_t subscriber, std::string_view topic_name, QoS qos,
                mqtt::PacketId sent, mqtt::PacketId received) {
    mqtt::Publish publish = PublishOf(topic_name, "payload", qos == QoS::kAtMostOnce ? 0 : sent);
    publish.qos = qos;
    Tell(publisher, publish);
    if (qos == QoS::kAtMostOnce) return;
    if (qos == QoS::kAtLeastOnce) {
      mqtt::PubAck ack;
      ack.packet_id = received;
      return Tell(subscriber, ack);
    }
    mqtt::PubRel release;
    release.packet_id = sent;
    Tell(publisher, release);
    mqtt::PubRec taken;
    taken.packet_id = received;
    Tell(subscriber, taken);
    mqtt::PubComp complete;
    complete.packet_id = received;
    Tell(subscriber, complete);
  }

  std::vector<Plug*> plugs_;
  std::size_t allocations_ = 0;  // Of the broker, in so many turns.
  std::size_t turns_ = 0;
};

TEST_F(BrokerIdleTest, AClientWithASubscriptionTakesAtMostSixHundredBytesOfHeap) {
  constexpr std::size_t kClients = 2'000;
  plugs_.reserve(2 * kClients);
  AddClient("first");
  const std::size_t before = heap.bytes;
  for (std::size_t i = 0; i < kClients; ++i) AddClient("idle/" + std::to_string(i));
  EXPECT_EQ(broker().statistics().connections, kClients + 1);
  // A TCP stream comes on top of it.
  EXPECT_LE((heap.bytes - before) / kClients, 600u);
}

TEST_F(BrokerIdleTest, AClientThatWasBusyTakesNoMoreThanBefore) {
  constexpr std::size_t kClients = 200;
  plugs_.reserve(2 * kClients);
  for (std::size_t i = 0; i < kClients; ++i) AddClient("idle/" + std::to_string(i));
  std::size_t before = 0;
  for (std::size_t i = 0; i < kClients; ++i) {
    if (i == 1) before = heap.bytes;  // What is lent to one after the other is there now.
    const std::string topic_name = "idle/" + std::to_string(i);
    for (mqtt::PacketId id = 1; id < 20; ++id) Exchange(i, i, topic_name, QoS::kExactlyOnce, id, id);
  }
  EXPECT_LE(heap.bytes, before);
}

class BrokerBusyTest : public BrokerIdleTest, public ::testing::WithParamInterface<int> {};

// Between two messages both clients are idle.
TEST_P(BrokerBusyTest, AMessageThatComesAloneAllocatesOnlyItself) {
  AddClient("none");
  AddClient("t");
  constexpr mqtt::PacketId kMessages = 100;
  const auto exchange = [&](mqtt::PacketId first) {
    allocations_ = turns_ = 0;
    for (mqtt::PacketId id = first; id < first + kMessages; ++id) {
      Exchange(0, 1, "t", static_cast<QoS>(GetParam()), id, id);
    }
  };
  exchange(1);
  exchange(1 + kMessages);
  // The message, once for all it is for; and each turn Asio's handler for its end.
  EXPECT_LE(allocations_, kMessages + turns_);
}

INSTANTIATE_TEST_SUITE_P(QoS, BrokerBusyTest, ::testing::Values(0, 1, 2));

}  // namespace
}  // namespace mqttrpc::test
