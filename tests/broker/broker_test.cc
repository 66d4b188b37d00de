// The Broker class: listening, attaching, stopping.
#include "mqttrpc/broker/broker.h"

#include <thread>

#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>

#include "broker_fixture.h"
#include "mqttrpc/mqtt/status.h"
#include "support/stream_recorder.h"
#include "support/tcp_peer.h"

namespace mqttrpc::test {
namespace {

using broker::Broker;
using broker::BrokerOptions;
using mqtt::ReasonCode;

TEST(BrokerOptionsTest, ListenSaysWhatIsOutOfItsRange) {
  broker::BrokerOptions options;
  options.sys_interval = std::chrono::seconds(-5);
  broker::Broker broker(options);
  const absl::Status status = broker.Listen("mqtt://127.0.0.1:0").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("sys_interval is -5 s; it may be 0-86400 s"));
}

TEST(BrokerListenTest, TellsTheAddressItBound) {
  Broker broker;
  const auto url = broker.Listen("mqtt://127.0.0.1:0");
  ASSERT_TRUE(url.ok()) << url.status();
  EXPECT_EQ(url->rfind("mqtt://127.0.0.1:", 0), 0u);
  EXPECT_NE(*url, "mqtt://127.0.0.1:0");
  TcpPeer peer(*url);
  EXPECT_TRUE(peer.Connect("me"));
}

TEST(BrokerListenTest, ListensAtSeveralAddresses) {
  Broker broker;
  const auto first = broker.Listen("mqtt://127.0.0.1:0");
  const auto second = broker.Listen("mqtt://localhost:0");
  ASSERT_TRUE(first.ok() && second.ok()) << second.status();
  TcpPeer publisher(*first);
  TcpPeer subscriber(*second);
  ASSERT_TRUE(publisher.Connect("publisher") && subscriber.Connect("subscriber"));
  subscriber.Send(std::string_view("\x82\x07\x00\x01\x00\x00\x01t\x00", 9));
  EXPECT_EQ(subscriber.Receive().substr(0, 1), "\x90");
  publisher.Send(std::string_view("\x30\x06\x00\x01t\x00hi", 8));
  EXPECT_EQ(subscriber.Receive(), std::string_view("\x30\x06\x00\x01t\x00hi", 8));
}

TEST(BrokerListenTest, SaysWhatIsWrong) {
  Broker broker;
  EXPECT_EQ(broker.Listen("127.0.0.1").status().code(), absl::StatusCode::kInvalidArgument);
  const auto url = broker.Listen("mqtt://127.0.0.1:0");
  ASSERT_TRUE(url.ok());
  Broker second;
  EXPECT_EQ(second.Listen(*url).status().code(), absl::StatusCode::kUnavailable);
  second.Stop();
  EXPECT_EQ(second.Listen("mqtt://127.0.0.1:0").status().code(), absl::StatusCode::kFailedPrecondition);
}

// On threads of its own, with nothing to accept: a test's broker.
TEST(BrokerInMemoryTest, ServesThroughItsConnectorWithoutListening) {
  for (const std::size_t shards : {1u, 3u}) {
    BrokerOptions options;
    options.shards = shards;
    Broker broker(options);
    asio::io_context io;
    const auto work = asio::make_work_guard(io);  // Answers come from another thread.
    std::unique_ptr<RawClient> client;
    const auto attempt = broker.connector().Connect(mqtt::Endpoint(), io.get_executor(), [&](auto transport) {
      ASSERT_TRUE(transport.ok());
      client = std::make_unique<RawClient>(*std::move(transport));
      client->Send(mqtt::Connect());
    });
    while (client == nullptr || client->waiting() == 0) {
      ASSERT_GT(io.run_one_for(std::chrono::seconds(20)), 0u) << "no answer";
    }
    EXPECT_EQ(client->Next<mqtt::ConnAck>().reason_code, ReasonCode::kSuccess);
  }
}

TEST(BrokerStopTest, TellsTcpClientsThatItStops) {
  Broker broker;
  const auto url = broker.Listen("mqtt://127.0.0.1:0");
  ASSERT_TRUE(url.ok());
  TcpPeer peer(*url);
  ASSERT_TRUE(peer.Connect("me"));
  broker.Stop();
  EXPECT_EQ(TcpPeer::ReasonOf(peer.Receive()), ReasonCode::kServerShuttingDown);
  EXPECT_EQ(peer.Receive(), "");
  EXPECT_FALSE(TcpPeer(*url).connected());
  broker.Stop();  // Idempotent.
}

// What it costs stands in docs/benchmarks.md.
TEST(BrokerStopTest, StartsAndStopsAgainAndAgain) {
  for (int i = 0; i < 100; ++i) {
    Broker broker;
    ASSERT_TRUE(broker.Listen("mqtt://127.0.0.1:0").ok());
    broker.Stop();
  }
}

TEST(BrokerStopTest, StopsFromAnotherThreadThanItsExecutors) {
  asio::io_context io;
  auto work = asio::make_work_guard(io);
  std::thread thread([&] { io.run(); });
  {
    Broker broker(io.get_executor(), BrokerOptions());
    const auto url = broker.Listen("mqtt://127.0.0.1:0");
    ASSERT_TRUE(url.ok());
    TcpPeer peer(*url);
    ASSERT_TRUE(peer.Connect("me"));
    broker.Stop();
    EXPECT_EQ(TcpPeer::ReasonOf(peer.Receive()), ReasonCode::kServerShuttingDown);
  }
  work.reset();
  thread.join();
}

TEST(BrokerStopTest, StopsOnAnExecutorThatNeverRan) {
  asio::io_context io;
  Broker broker(io.get_executor(), BrokerOptions());
  ASSERT_TRUE(broker.Listen("mqtt://127.0.0.1:0").ok());
  broker.Stop();
  io.run();
}

TEST(BrokerStopTest, StopsOnAStrandWhoseContextHasEnded) {
  asio::io_context io;
  Broker broker(asio::make_strand(io.get_executor()), BrokerOptions());
  ASSERT_TRUE(broker.Listen("mqtt://127.0.0.1:0").ok());
  io.poll();
  io.stop();
  broker.Stop();
}

class BrokerLifeTest : public BrokerTest {};

TEST_F(BrokerLifeTest, TellsItsClientsThatItStops) {
  auto client = Connected("me");
  auto silent = NewClient();
  broker().Stop();
  Settle();
  ExpectDisconnected(*client, ReasonCode::kServerShuttingDown);
  EXPECT_EQ(silent->waiting(), 0u);  // MQTT-3.14.0-1: it was never accepted.
  EXPECT_TRUE(silent->closed());
}

TEST_F(BrokerLifeTest, StopsFromInsideAHandler) {
  auto client = Connected("me");
  asio::post(io_, [&] { broker().Stop(); });
  Settle();
  ExpectDisconnected(*client, ReasonCode::kServerShuttingDown);
}

TEST_F(BrokerLifeTest, IsDialledInMemory) {
  auto& connector = broker().connector();
  std::unique_ptr<mqtt::Transport> transport;
  const auto attempt = connector.Connect(mqtt::Endpoint("anything", 1), io_.get_executor(), [&](auto result) {
    ASSERT_TRUE(result.ok()) << result.status();
    transport = *std::move(result);
  });
  EXPECT_EQ(transport, nullptr);  // Never from inside Connect().
  Settle();
  ASSERT_NE(transport, nullptr);
  RawClient client(std::move(transport));
  Send(client, ConnectAs("me"));
  EXPECT_EQ(client.Next<mqtt::ConnAck>().reason_code, ReasonCode::kSuccess);
}

TEST_F(BrokerLifeTest, IsNotDialledAnyMoreOnceStopped) {
  broker().Stop();
  absl::Status status;
  const auto attempt = broker().connector().Connect(mqtt::Endpoint(), io_.get_executor(),
                                                    [&](auto result) { status = result.status(); });
  Settle();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
}

TEST_F(BrokerLifeTest, ForgetsADialThatWasGivenUp) {
  auto attempt = broker().connector().Connect(mqtt::Endpoint(), io_.get_executor(), [&](auto) { FAIL(); });
  attempt = nullptr;
  Settle();
}

TEST_F(BrokerLifeTest, LivesBesideOtherBrokers) {
  Broker other(io_.get_executor(), options_);
  auto here = Connected("me");
  RawClient there(other);
  Send(there, ConnectAs("me"));
  EXPECT_EQ(there.Next<mqtt::ConnAck>().reason_code, ReasonCode::kSuccess);
  Subscribe(*here, "#");
  Send(there, PublishOf("t", "x"));
  EXPECT_EQ(here->waiting(), 0u);
  EXPECT_FALSE(here->closed());
  EXPECT_EQ(other.statistics().connections, 1u);
}

TEST_F(BrokerLifeTest, Counts) {
  auto subscriber = Connected("subscriber");
  Subscribe(*subscriber, "a/+");
  auto publisher = Connected("publisher");
  Send(*publisher, PublishOf("a/b", "x"));
  Send(*publisher, PublishOf("b", "x"));
  const auto statistics = broker().statistics();
  EXPECT_EQ(statistics.connections, 2u);
  EXPECT_EQ(statistics.subscriptions, 1u);
  EXPECT_EQ(statistics.messages_received, 2u);
  EXPECT_EQ(statistics.messages_sent, 1u);
  EXPECT_EQ(statistics.messages_dropped, 0u);
  EXPECT_EQ(statistics.connections_refused, 0u);
}

// A pseudo-random crowd that comes, talks and goes in every order.
TEST_F(BrokerLifeTest, OutlivesACrowd) {
  std::vector<std::unique_ptr<RawClient>> crowd(20);
  for (int step = 0; step < 3'000; ++step) {
    auto& one = crowd[random_.Below(crowd.size())];
    const std::string name = "c" + std::to_string(random_.Below(15));  // Some collide: takeovers.
    if (one == nullptr) {
      one = std::make_unique<RawClient>(broker());
      one->Send(ConnectAs(name));
      continue;
    }
    switch (random_.Below(8)) {
      case 0: one = nullptr; break;
      case 1: one->Send(mqtt::Disconnect()); break;
      case 2: one->Send(SubscribeTo("t/" + std::to_string(random_.Below(3)))); break;
      case 3: one->Send(SubscribeTo("$share/g/t/+")); break;
      case 4: random_.Below(2) == 0 ? one->Freeze() : one->Thaw(); break;
      case 5: Settle(); break;
      default: one->Send(PublishOf("t/" + std::to_string(random_.Below(3)), std::string(random_.Below(2'000), 'x'), 1));
    }
  }
  Settle();
  crowd.clear();
  Settle();
  EXPECT_EQ(broker().statistics().connections, 0u);
  EXPECT_EQ(broker().statistics().subscriptions, 0u);
}

}  // namespace
}  // namespace mqttrpc::test
