// asio::use_future: a false positive of GCC 12, which sees it from here.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <future>
#include <string>
#include <thread>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/use_future.hpp>

#include "client_fixture.h"

namespace mqttrpc::mqtt {
namespace {

const auto kIsCancelled = StatusIs(absl::StatusCode::kCancelled);

// --- The client's own end -----------------------------------------------------------

using ClientEndTest = ClientTest;

TEST_F(ClientEndTest, DestroyingEndsWhatIsPendingWithCancelledAndNeverInside) {
  StartConnected();
  std::optional<CodeOr> in_flight, queued, subscribed;
  client_->Publish(Message("t", "x"), Into(in_flight));
  Run();
  client_->Publish(Message("t", "x"), Into(queued));
  client_->Subscribe(Subscription("a"), [](const MessageView&) {}, Into(subscribed));
  client_.reset();
  EXPECT_FALSE(in_flight.has_value());
  Run();
  EXPECT_THAT(*in_flight, kIsCancelled);
  EXPECT_THAT(*queued, kIsCancelled);
  EXPECT_THAT(*subscribed, kIsCancelled);
  EXPECT_THAT(*peer_->closed(), StatusIs(absl::StatusCode::kUnavailable)) << "without a DISCONNECT";
  EXPECT_EQ(clock_.armed(), 0u);
  EXPECT_EQ(StateNames(), "stopped connecting connected");
}

TEST_F(ClientEndTest, DestroyingInAMessageHandlerIsSafe) {
  StartConnected();
  std::optional<CodeOr> pending;
  client_->Publish(Message("t", "x"), Into(pending));
  SubscribeTo("a", [this](const MessageView& message) {
    client_.reset();
    messages_.push_back(std::string(message.payload));
  });
  SendMessage("a", "1", 1, 1);
  SendMessage("a", "2", 2, 1);
  EXPECT_THAT(messages_, testing::ElementsAre("1"));
  EXPECT_THAT(*pending, kIsCancelled);
}

TEST_F(ClientEndTest, DestroyingInACompletionOrAWatcherIsSafe) {
  StartConnected();
  client_->Publish(Message("t", "x", QoS::kAtMostOnce), [this](const CodeOr&) { client_.reset(); });
  Run();
  EXPECT_EQ(client_, nullptr);
  MakeClient();
  const auto watch = client_->WatchState([this](const ConnectionState& state) {
    if (state.kind == ConnectionState::Kind::kConnecting) client_.reset();
  });
  client_->Start();
  Run();
  EXPECT_EQ(client_, nullptr);
}

TEST_F(ClientEndTest, DisconnectingInAMessageHandlerSendsNothingBehindDisconnect) {
  StartConnected();
  SubscribeTo("a", [this](const MessageView&) { client_->Disconnect([](const absl::Status&) {}); });
  SendMessage("a", "1", 1, 1);
  EXPECT_EQ(peer_->Names(), "DISCONNECT");  // MQTT-3.14.4-1
}

TEST_F(ClientEndTest, AnEventLoopThatNeverRunsAgainLeaksNothing) {
  StartConnected();
  client_->Publish(Message("t", "x"), [](const CodeOr&) {});
}

// --- Completion tokens ----------------------------------------------------------------

using ClientTokenTest = ClientTest;

asio::awaitable<void> PublishTwice(Client& client, std::vector<CodeOr>& results) {
  for (int i = 0; i < 2; ++i) {
    Message message("t", std::to_string(i));
    results.push_back(co_await client.Publish(std::move(message)));
  }
}

TEST_F(ClientTokenTest, OperationsCanBeAwaited) {
  StartConnected();
  std::vector<CodeOr> results;
  asio::co_spawn(client_->executor(), PublishTwice(*client_, results), asio::detached);
  Run();
  Ack(peer_->Expect<Publish>().packet_id);
  Ack(peer_->Expect<Publish>().packet_id, ReasonCode::kNoMatchingSubscribers);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_THAT(results[1], IsOkAndHolds(ReasonCode::kNoMatchingSubscribers));
}

TEST_F(ClientTokenTest, ACoroutinesCancellationReachesTheOperation) {
  StartConnected();
  std::vector<CodeOr> results;
  asio::cancellation_signal signal;
  asio::co_spawn(client_->executor(), PublishTwice(*client_, results),
                 asio::bind_cancellation_slot(signal.slot(), asio::detached));
  Run();
  signal.emit(asio::cancellation_type::terminal);
  Run();
  ASSERT_GE(results.size(), 1u);
  EXPECT_THAT(results[0], kIsCancelled);
}

// A client with a thread of its own, and a peer that acknowledges everything.
class ClientThreadTest : public testing::Test {
 protected:
  ClientThreadTest() {
    ClientOptions options;
    options.connector = &connector_;
    client_.emplace(io_.get_executor(), options);
    thread_ = std::thread([this] { io_.run(); });
  }
  ~ClientThreadTest() override {
    client_.reset();
    asio::post(io_, [this] { peer_.reset(); });
    work_.reset();
    thread_.join();
  }

  // Plays the broker: accepts and answers for as long as the test runs.
  void Serve() {
    if (peer_ == nullptr) peer_ = connector_.Accept();
    if (peer_ != nullptr) {
      while (!peer_->Names().empty()) Answer();
    }
    if (!served_) asio::post(io_, [this] { Serve(); });
  }
  void Answer() {
    const std::string name = peer_->Names();
    if (name.starts_with("CONNECT")) {
      peer_->Expect<Connect>();
      peer_->Send(ConnAck());
    } else if (name.starts_with("PUBLISH")) {
      PubAck ack;
      ack.packet_id = peer_->Expect<Publish>().packet_id;
      peer_->Send(ack);
    } else if (name.starts_with("SUBSCRIBE")) {
      SubAck ack;
      ack.packet_id = peer_->Expect<Subscribe>().packet_id;
      ack.reason_codes = {ReasonCode::kGrantedQoS1};
      peer_->Send(ack);
      for (PacketId id = 1; id <= 3; ++id) {
        Publish publish;
        publish.topic_name = "a";
        publish.qos = QoS::kAtLeastOnce;
        publish.packet_id = id;
        peer_->Send(publish);
      }
    } else if (name.starts_with("PUBACK")) {
      const PacketId id = peer_->Expect<PubAck>().packet_id;
      EXPECT_EQ(id, ++acknowledged_);
      if (id == 3) all_acknowledged_.set_value();
    } else {
      peer_->Expect<Disconnect>();
    }
  }

  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
  ScriptedConnector connector_{io_.get_executor()};
  std::unique_ptr<ScriptedPeer> peer_;
  std::atomic<bool> served_{false};
  PacketId acknowledged_ = 0;
  std::promise<void> all_acknowledged_;
  std::optional<Client> client_;
  std::thread thread_;
};

TEST_F(ClientThreadTest, BlockingCallsFuturesAndCallbacksFromSeveralThreads) {
  asio::post(io_, [this] { Serve(); });
  client_->Start();
  EXPECT_THAT(client_->UntilConnected(kBlocking), IsOk());
  EXPECT_EQ(client_->state().kind, ConnectionState::Kind::kConnected);
  const auto publish_many = [this] {
    std::future<CodeOr> future = client_->Publish(Message("t", "f"), asio::use_future);
    for (int i = 0; i < 50; ++i) EXPECT_THAT(client_->Publish(Message("t", "x"), kBlocking), IsOk());
    EXPECT_THAT(future.get(), IsOk());
  };
  std::thread other(publish_many);
  publish_many();
  other.join();
  EXPECT_THAT(client_->Disconnect(kBlocking), IsOk());
  served_ = true;
}

// MQTT-4.6.0-2
TEST_F(ClientThreadTest, AnyThreadMayAcknowledgeAndTheOrderStays) {
  asio::post(io_, [this] { Serve(); });
  client_->Start();
  std::vector<Acknowledgement> held;
  std::promise<void> all_here;
  const auto hold = [&](const MessageView&, Acknowledgement handle) {
    held.push_back(std::move(handle));
    if (held.size() == 3) all_here.set_value();
  };
  EXPECT_THAT(client_->Subscribe(Subscription("a"), hold, kBlocking), IsOk());
  all_here.get_future().wait();
  for (const std::size_t index : {2u, 0u, 1u}) {
    std::thread([&] { EXPECT_THAT(held[index].Acknowledge(), IsOk()); }).join();
  }
  all_acknowledged_.get_future().wait();
  EXPECT_GT(client_->statistics().bytes_sent, 0u);
  served_ = true;
}

TEST_F(ClientThreadTest, DestroyingFromAnotherThreadCancelsAndDoesNotWait) {
  std::future<CodeOr> pending = client_->Publish(Message("t", "x"), asio::use_future);
  client_.reset();
  EXPECT_THAT(pending.get(), kIsCancelled);
}

}  // namespace
}  // namespace mqttrpc::mqtt
