// Start and Disconnect again and again: nothing may grow.
#include <atomic>
#include <cstdlib>
#include <new>
#include <string>

#include "client_fixture.h"

// AddressSanitizer counts for itself, and wants to keep its own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MQTTRPC_OWN_ALLOCATOR 1
#endif

namespace {
std::atomic<long> live_blocks{0};
}  // namespace

#ifndef MQTTRPC_OWN_ALLOCATOR
void* operator new(std::size_t size) {
  ++live_blocks;
  if (void* block = std::malloc(size == 0 ? 1 : size)) return block;
  std::abort();
}
void operator delete(void* block) noexcept {
  if (block != nullptr) --live_blocks;
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept { operator delete(block); }
#endif

namespace mqttrpc::mqtt {
namespace {

class ClientReuseTest : public ClientTest {
 protected:
  // A whole life: connect, subscribe, publish with each QoS, receive, disconnect.
  void LiveOnce() {
    std::optional<CodeOr> subscribed, once, exactly;
    std::optional<absl::Status> disconnected;
    client_->Start();
    AcceptConnect();
    SendConnAck(false);
    while (peer_->Names().starts_with("SUBSCRIBE")) AnswerSubscribe();
    client_->Subscribe(Subscription("a"), [this](const MessageView&) { ++received_; }, Into(subscribed));
    Run();
    AnswerSubscribe();
    client_->Publish(Message("t", "x"), Into(once));
    client_->Publish(Message("t", "y", QoS::kExactlyOnce), Into(exactly));
    Run();
    Ack(peer_->Expect<Publish>().packet_id);
    const PacketId id = peer_->Expect<Publish>().packet_id;
    Respond<PubRec>(id);
    peer_->Expect<PubRel>();
    Respond<PubComp>(id);
    SendMessage("a", "x", 1);
    SendMessage("a", "x", 2, QoS::kExactlyOnce);
    client_->Publish(Message("t", "never answered"), [](const CodeOr&) {});
    client_->Disconnect(Into(disconnected));
    Run();
    EXPECT_THAT(*exactly, IsOk());
    EXPECT_THAT(*disconnected, IsOk());
    peer_ = nullptr;
    states_.clear();
  }
  int received_ = 0;
};

TEST_F(ClientReuseTest, TenThousandLivesLeaveNothingBehind) {
  constexpr int kLives = 10'000;
  options_.environment.log = &NoLog();
  MakeClient();
  for (int i = 0; i < 100; ++i) LiveOnce();
  const long before = live_blocks;
  for (int i = 100; i < kLives; ++i) LiveOnce();
  EXPECT_LT(live_blocks - before, 50);
  EXPECT_EQ(received_, 2 * kLives);
  const ClientStatistics statistics = client_->statistics();
  EXPECT_EQ(statistics.connections, static_cast<std::uint64_t>(kLives));
  EXPECT_EQ(statistics.queued_messages, 0u);
  EXPECT_EQ(statistics.unacknowledged, 0u);
  EXPECT_LE(statistics.in_flight, 1u);
}

}  // namespace
}  // namespace mqttrpc::mqtt
