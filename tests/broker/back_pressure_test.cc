// What happens when someone does not read.
#include <memory>
#include <string>
#include <vector>

#include "crowd_fixture.h"

namespace mqttrpc::test {
namespace {

using mqtt::ReasonCode;
using std::chrono::milliseconds;
using std::chrono::seconds;

class BrokerBackPressureTest : public CrowdedBrokerTest {};

TEST_F(BrokerBackPressureTest, BoundsAFrozenSubscriberAndServesTheOthers) {
  options_.maximum_queued_bytes = 100'000;
  auto frozen = Connected("frozen");
  auto quick = Connected("quick");
  Subscribe(*frozen, "t");
  Subscribe(*quick, "t");
  auto publisher = Connected("publisher");
  frozen->Freeze();
  for (int i = 0; i < 1000; ++i) Send(*publisher, PublishOf("t", PayloadOf(i)));
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(NumberIn(quick->Next<mqtt::Publish>()), i);
  EXPECT_GT(broker().statistics().messages_dropped, 700u);

  frozen->Thaw();
  Settle();
  const auto got = frozen->waiting();
  EXPECT_GT(got, 90u);  // Its queue, and what was on the way.
  for (std::size_t i = 0; i < got; ++i) {
    ASSERT_EQ(NumberIn(frozen->Next<mqtt::Publish>()), static_cast<int>(i));  // The newest were dropped.
  }
  Send(*publisher, PublishOf("t", PayloadOf(5)));
  EXPECT_EQ(NumberIn(frozen->Next<mqtt::Publish>()), 5);
}

TEST_F(BrokerBackPressureTest, BoundsTheMessagesThatWaitForAcknowledgements) {
  options_.maximum_queued_messages = 10;
  auto subscriber = Connected("subscriber");
  mqtt::Connect connect = ConnectAs("subscriber");
  mqtt::Properties one;
  one.Set(mqtt::property::kReceiveMaximum, std::uint16_t{1});
  connect.properties = one;
  subscriber = Connected(connect);
  Subscribe(*subscriber, "t");
  auto publisher = Connected("publisher");
  for (int i = 0; i < 15; ++i) Send(*publisher, PublishOf("t", "x", 1));
  // One is under way, ten wait; the publisher of the others learns that nobody took them.
  for (int i = 0; i < 11; ++i) EXPECT_EQ(publisher->Next<mqtt::PubAck>().reason_code, ReasonCode::kSuccess);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(publisher->Next<mqtt::PubAck>().reason_code, ReasonCode::kQuotaExceeded);
}

TEST_F(BrokerBackPressureTest, StopsReadingFromPublishersWhileTheQueuesAreFull) {
  options_.maximum_total_queued_bytes = 1'000'000;
  Crowd crowd(*this);
  auto publisher = Connected(ConnectWithKeepAlive("publisher", 1));
  crowd.Freeze();
  crowd.Flood(*publisher, 5'000);
  const auto read = broker().statistics().messages_received;
  EXPECT_LT(read, 2'500u);  // What the memory holds and the streams.
  EXPECT_EQ(broker().statistics().messages_dropped, 0u);
  ExpectServing();  // Only who publishes has to wait.

  crowd.Thaw();
  EXPECT_EQ(crowd.waiting(), 5'000u);
  EXPECT_EQ(broker().statistics().messages_dropped, 0u);
  EXPECT_FALSE(publisher->closed());
}

// Otherwise one that both publishes and subscribes could wait for itself.
TEST_F(BrokerBackPressureTest, ListensToAPausedPublisherAgainAfterAWhile) {
  options_.maximum_total_queued_bytes = 1'000'000;
  Crowd crowd(*this);
  auto publisher = Connected(ConnectWithKeepAlive("publisher", 1));
  crowd.Freeze();
  crowd.Flood(*publisher, 5'000);
  const auto before = broker().statistics().messages_received;
  clock_.Advance(milliseconds(101));
  EXPECT_GT(broker().statistics().messages_received, before);
  for (int i = 0; i < 200 && broker().statistics().messages_received < 5'000u; ++i) {  // Slowly.
    clock_.Advance(seconds(1));
    ASSERT_LE(broker().statistics().memory_used, options_.maximum_total_queued_bytes);
  }
  EXPECT_EQ(broker().statistics().messages_received, 5'000u);
  EXPECT_FALSE(publisher->closed());
}

TEST_F(BrokerBackPressureTest, CountsUnderSysWhatItDropsAndWhy) {
  options_.maximum_queued_messages = 10;
  auto frozen = Connected("frozen");
  Subscribe(*frozen, "t");
  auto publisher = Connected("publisher");
  frozen->Freeze();
  Flood(*publisher, 1000);
  Settle();
  auto watcher = Connected("watcher");
  Subscribe(*watcher, "$SYS/broker/messages/dropped/queue_full");
  EXPECT_GT(NumberIn(watcher->Next<mqtt::Publish>()), 100);
}

TEST_F(BrokerBackPressureTest, SendsTheWillsOfAllWhoFallSilentTogether) {
  constexpr int kSilent = 40;
  constexpr int kWatchers = 1000;
  options_.maximum_queued_messages = 100;
  std::vector<std::unique_ptr<RawClient>> watchers;
  for (int i = 0; i < kWatchers; ++i) {
    watchers.push_back(Connected("watcher-" + std::to_string(i)));
    Subscribe(*watchers.back(), "gone");
  }
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < kSilent; ++i) {
    const std::string client_id = "silent-" + std::to_string(i);
    mqtt::Connect connect = ConnectAs(client_id);
    connect.keep_alive = 1;
    connect.will.emplace().topic_name = "gone";
    silent.push_back(Connected(connect));
  }
  clock_.Advance(seconds(2));
  for (const auto& watcher : watchers) EXPECT_EQ(watcher->waiting(), static_cast<std::size_t>(kSilent));
  EXPECT_EQ(broker().statistics().messages_dropped, 0u);
}

// Its pings alone would keep it for ever, and its queue with it.
TEST_F(BrokerBackPressureTest, EndsAClientThatTakesNothingForTooLong) {
  mqtt::Connect connect = ConnectAs("frozen");
  connect.keep_alive = 0;
  auto frozen = Connected(connect);
  Subscribe(*frozen, "t");
  auto slow = Connected("slow");
  Subscribe(*slow, "t");
  auto publisher = Connected("publisher");
  frozen->Freeze();
  slow->Freeze();
  for (int i = 0; i < 500; ++i) Send(*publisher, PublishOf("t", PayloadOf(i)));
  EXPECT_EQ(broker().statistics().connections, 3u);
  clock_.Advance(seconds(20));
  slow->Thaw();
  Settle();
  clock_.Advance(seconds(11));
  EXPECT_EQ(broker().statistics().connections, 2u);
}

TEST_F(BrokerBackPressureTest, DoesNotReadFromAClientThatReadsNoAnswers) {
  constexpr int kPings = 300'000;
  auto client = Connected("me");
  client->Freeze();
  std::string pings;
  for (int i = 0; i < kPings; ++i) pings += std::string_view("\xC0\x00", 2);
  client->SendBytes(pings);
  Settle();
  EXPECT_LT(broker().statistics().memory_used, 400'000u);
  client->Thaw();
  Settle();
  EXPECT_EQ(client->waiting(), static_cast<std::size_t>(kPings));  // None is lost.
  EXPECT_FALSE(client->closed());
}

TEST_F(BrokerBackPressureTest, EndsAClientThatReadsNoAnswersForTooLong) {
  auto client = Connected("me");
  client->Freeze();
  std::string pings;
  for (int i = 0; i < 300'000; ++i) pings += std::string_view("\xC0\x00", 2);
  client->SendBytes(pings);
  clock_.Advance(options_.write_timeout + seconds(1));
  EXPECT_EQ(broker().statistics().connections, 0u);
}

// A message takes as many writes as it is large, each with a time of its own.
TEST_F(BrokerBackPressureTest, KeepsAClientThatReadsALargeMessageSlowly) {
  auto slow = Connected("slow");
  Subscribe(*slow, "t");
  auto publisher = Connected("publisher");
  Send(*publisher, PublishOf("t", std::string(4'000'000, 'x')));
  slow->Freeze();
  for (int i = 0; i < 30 && slow->waiting() == 0; ++i) {
    clock_.Advance(options_.write_timeout - seconds(1));
    slow->Thaw();
    io_.restart();
    io_.poll_one();
    slow->Freeze();
  }
  slow->Thaw();
  Settle();
  EXPECT_FALSE(slow->closed());
  EXPECT_EQ(slow->Next<mqtt::Publish>().payload.size(), 4'000'000u);
}

TEST_F(BrokerBackPressureTest, MakesRoomForNewClientsAmongSilentStreams) {
  options_.maximum_connections = 8;
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 200; ++i) silent.push_back(NewClient());
  ExpectServing();
  EXPECT_FALSE(silent.back()->closed());
  EXPECT_TRUE(silent.front()->closed());
}

TEST_F(BrokerBackPressureTest, DoesNotWaitForeverToSayGoodbye) {
  auto client = Connected("me");
  auto publisher = Connected("publisher");
  Subscribe(*client, "t");
  client->Freeze();
  Flood(*publisher, 200);
  Settle();
  client->SendBytes(std::string_view("\x00\x00", 2));
  Settle();
  EXPECT_EQ(broker().statistics().connections, 1u);
  clock_.Advance(seconds(6));
  client->Thaw();
  Settle();
  EXPECT_TRUE(client->closed());
}

// Passes everything on, and counts the writes.

class CountingTransport final : public mqtt::Transport {
 public:
  CountingTransport(std::unique_ptr<mqtt::Transport> below, std::shared_ptr<int> writes)
      : below_(std::move(below)), writes_(std::move(writes)) {}
  void Start(Handler& handler) override { below_->Start(handler); }
  bool Write(std::span<const std::span<const std::byte>> gather) override {
    ++*writes_;
    return below_->Write(gather);
  }
  void PauseReading() override { below_->PauseReading(); }
  void ResumeReading() override { below_->ResumeReading(); }
  void Close() override { below_->Close(); }
  std::string peer() const override { return below_->peer(); }

 private:
  const std::unique_ptr<mqtt::Transport> below_;
  const std::shared_ptr<int> writes_;
};

TEST_F(BrokerBackPressureTest, WritesOncePerTurn) {
  const auto writes = std::make_shared<int>(0);
  auto [ours, brokers] = mqtt::MemoryTransportPair(io_.get_executor(), io_.get_executor());
  broker().Attach(std::make_unique<CountingTransport>(std::move(brokers), writes));
  auto client = std::make_unique<RawClient>(std::move(ours));
  Send(*client, ConnectAs("me"));
  client->Next<mqtt::ConnAck>();
  Subscribe(*client, "t");
  *writes = 0;
  std::string burst;
  for (mqtt::PacketId id = 1; id <= 50; ++id) {
    ASSERT_TRUE(mqtt::EncodePublish(PublishOf("t", PayloadOf(id), id), mqtt::Sender::kClient, burst).ok());
  }
  client->SendBytes(burst.substr(0, 20 * (kPayloadBytes + 9)));
  Settle();
  EXPECT_EQ(client->waiting(), 40u);  // Twenty acknowledgements, twenty messages.
  EXPECT_EQ(*writes, 1);
}

}  // namespace
}  // namespace mqttrpc::test
