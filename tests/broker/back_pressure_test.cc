// What happens when someone does not read.
#include <memory>
#include <string>
#include <vector>

#include "broker_fixture.h"

namespace mqttrpc::test {
namespace {

using mqtt::QoS;
using mqtt::ReasonCode;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kPayload = 1000;

class BrokerBackPressureTest : public BrokerTest {
 protected:
  // Numbered messages of about kPayload bytes.
  static std::string PayloadOf(int i) {
    std::string payload = std::to_string(i) + ":";
    payload.resize(kPayload, '.');
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
    explicit Crowd(BrokerBackPressureTest& test) : test_(test) {
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

    BrokerBackPressureTest& test_;
    std::vector<std::unique_ptr<RawClient>> members_;
  };

  // With messages for the crowd. Each publisher is read from once before it is paused.
  std::vector<std::unique_ptr<RawClient>> FillMemory(Crowd& crowd) {
    std::vector<std::unique_ptr<RawClient>> publishers;
    for (int i = 0; i < 300 && broker().statistics().memory_used < options_.maximum_total_queued_bytes; ++i) {
      publishers.push_back(Connected("other" + std::to_string(i)));
      crowd.Flood(*publishers.back(), 60);
    }
    EXPECT_GE(broker().statistics().memory_used, options_.maximum_total_queued_bytes);
    return publishers;
  }
};

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

// Whoever waits for publishers would wait for these clients.
TEST_F(BrokerBackPressureTest, LetsNobodyHoldMoreThanAShareOfWhatIsLeft) {
  options_.maximum_total_queued_bytes = 8'000'000;
  constexpr int kSlow = 10;
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < kSlow; ++i) {
    const std::string client_id = "slow" + std::to_string(i);
    mqtt::Connect connect = ConnectAs(client_id);
    mqtt::Properties one;
    one.Set(mqtt::property::kReceiveMaximum, std::uint16_t{1});
    connect.properties = one;
    slow.push_back(Connected(connect));
    Subscribe(*slow.back(), "t/" + std::to_string(i));
  }
  auto publisher = Connected("publisher");
  for (int i = 0; i < 20'000; ++i) {
    RawClient& reader = *slow[static_cast<std::size_t>(i % kSlow)];
    Send(*publisher, PublishOf("t/" + std::to_string(i % kSlow), PayloadOf(i), 1));
    publisher->NextRaw();
    if (i / kSlow % 100 != 0 || reader.waiting() == 0) continue;
    mqtt::PubAck ack;  // It does take something.
    ack.packet_id = reader.Next<mqtt::Publish>().packet_id;
    Send(reader, ack);
    clock_.Advance(milliseconds(50));
  }
  EXPECT_LT(broker().statistics().memory_used, options_.maximum_total_queued_bytes / 4 * 3);
  EXPECT_GT(broker().statistics().memory_used, options_.maximum_total_queued_bytes / 3);  // Room that is there is used.
  EXPECT_GT(broker().statistics().messages_dropped, 10'000u);
}

// A single message that is never acknowledged is as much as many.
TEST_F(BrokerBackPressureTest, TakesNoLargeMessageForASlowClientWhenWhatLastsIsFull) {
  options_.maximum_total_queued_bytes = 4'000'000;
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 20; ++i) {
    const std::string client_id = "slow" + std::to_string(i);
    slow.push_back(Connected(client_id));
    Subscribe(*slow.back(), client_id);
    Send(*slow.back(), PublishOf(client_id, std::string(300'000, 'x'), 1));
  }
  EXPECT_LT(broker().statistics().memory_used, options_.maximum_total_queued_bytes / 4 * 3);
  EXPECT_GT(broker().statistics().messages_dropped, 0u);
  ExpectServing();
}

TEST_F(BrokerBackPressureTest, SendsRetainedMessagesWhenThereIsMemoryAgain) {
  options_.maximum_total_queued_bytes = 500'000;
  auto publisher = Connected("publisher");
  for (int i = 0; i < 5; ++i) {
    const std::string topic_name = "r/" + std::to_string(i);
    mqtt::Publish publish = PublishOf(topic_name, "kept");
    publish.retain = true;
    Send(*publisher, publish);
  }
  auto subscriber = Connected("subscriber");
  Crowd crowd(*this);
  crowd.Freeze();
  std::vector<std::unique_ptr<RawClient>> others = FillMemory(crowd);
  Subscribe(*subscriber, "r/#");
  EXPECT_EQ(subscriber->waiting(), 0u);
  crowd.Thaw();
  clock_.Advance(milliseconds(1001));
  EXPECT_EQ(subscriber->waiting(), 5u);
}

// Those who are away may fill only a part of the memory, however many they are: the
// others are served without a pause.
TEST_F(BrokerBackPressureTest, KeepsRoomForTheLiveWhateverWaitsForTheAbsent) {
  options_.maximum_total_queued_bytes = 4'000'000;
  mqtt::Properties properties;
  properties.Set(mqtt::property::kSessionExpiryInterval, std::uint32_t{3600});
  for (int i = 0; i < 50; ++i) {
    const std::string client_id = "absent " + std::to_string(i);
    mqtt::Connect connect = ConnectAs(client_id);
    connect.properties = properties;
    auto absent = Connected(connect);
    // Each has a message of its own besides: what all share costs once.
    Subscribe(*absent, "t/" + std::to_string(i));
    absent->Drop();
    Settle();
  }
  auto live = Connected("live");
  Subscribe(*live, "t/+", QoS::kAtMostOnce);
  auto publisher = Connected("publisher");
  constexpr int kOffered = 40'000;  // Ten times the memory.
  for (int i = 0; i < kOffered; ++i) {
    Send(*publisher, PublishOf("t/" + std::to_string(i % 50), PayloadOf(i), 1));
    publisher->NextRaw();
    ASSERT_EQ(NumberIn(live->Next<mqtt::Publish>()), i);
    ASSERT_LE(broker().statistics().memory_used, options_.maximum_total_queued_bytes);
  }
  EXPECT_GT(broker().statistics().messages_dropped, kOffered / 2u);
  EXPECT_GT(broker().statistics().memory_used, 2'000'000u);  // Room that is there is used.
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

TEST_F(BrokerBackPressureTest, GivesUpTheLargestPacketWhileTooManyAreHalfWay) {
  options_.maximum_total_queued_bytes = 1024 * 1024;
  std::string packet;
  ASSERT_TRUE(mqtt::EncodePacket(PublishOf("t", std::string(100'000, 'x')), mqtt::Sender::kClient, packet).ok());
  std::vector<std::unique_ptr<RawClient>> halves;
  for (int i = 0; i < 5; ++i) {
    halves.push_back(Connected("half-" + std::to_string(i)));
    halves.back()->SendBytes(packet.substr(0, packet.size() - 10 + i));  // The last is the largest.
    Settle();
  }
  int given_up = 0;
  for (const auto& half : halves) given_up += half->closed() ? 1 : 0;
  EXPECT_GT(given_up, 0);
  EXPECT_LT(given_up, 4);
  EXPECT_LT(broker().statistics().memory_used, options_.maximum_total_queued_bytes / 2);
  ExpectServing();  // Whose packets are small.
  auto moderate = Connected("moderate");
  std::string smaller;
  ASSERT_TRUE(mqtt::EncodePacket(PublishOf("t", std::string(50'000, 'x')), mqtt::Sender::kClient, smaller).ok());
  for (const std::size_t from : {std::size_t{0}, smaller.size() - 1}) {
    moderate->SendBytes(smaller.substr(from, from == 0 ? smaller.size() - 1 : 1));
    Settle();
  }
  EXPECT_FALSE(moderate->closed());
  halves.clear();
  moderate = nullptr;
  Settle();
  clock_.Advance(seconds(10));
  EXPECT_EQ(broker().statistics().memory_used, 0u);
}

TEST_F(BrokerBackPressureTest, BoundsWhatShareGroupsGetBackFromTheirMembers) {
  options_.maximum_total_queued_bytes = 4'000'000;
  mqtt::Properties lasting;
  lasting.Set(mqtt::property::kSessionExpiryInterval, 3600u);
  std::vector<std::unique_ptr<RawClient>> members;
  constexpr int kMembers = 45;
  for (int i = 0; i < kMembers; ++i) {
    const std::string client_id = "member" + std::to_string(i);
    mqtt::Connect connect = ConnectAs(client_id);
    connect.properties = lasting;
    members.push_back(Connected(connect));
    Subscribe(*members.back(), "$share/g/t/" + std::to_string(i), QoS::kAtLeastOnce);
    members.back()->Freeze();
  }
  auto publisher = Connected("publisher");
  for (int i = 0; i < 2'900; ++i) {
    Send(*publisher, PublishOf("t/" + std::to_string(i % kMembers), PayloadOf(i), static_cast<mqtt::PacketId>(i + 1)));
  }
  EXPECT_GT(broker().statistics().memory_used, options_.maximum_total_queued_bytes / 8 * 5);
  for (auto& member : members) member->Drop();
  Settle();
  EXPECT_LE(broker().statistics().memory_used, options_.maximum_total_queued_bytes / 8 * 5 + kPayload);
  EXPECT_GT(broker().statistics().messages_dropped, 0u);
  ExpectServing();
}

TEST_F(BrokerBackPressureTest, CountsThePlacesOfOneMessageInManyShareGroups) {
  constexpr std::size_t kGroups = 500;
  constexpr std::size_t kMessages = 200;
  mqtt::Properties one;
  one.Set(mqtt::property::kReceiveMaximum, std::uint16_t{1});
  mqtt::Connect connect = ConnectAs("member");
  connect.properties = one;
  auto member = Connected(connect);
  for (std::size_t i = 0; i < kGroups; ++i) {
    Subscribe(*member, "$share/" + std::to_string(i) + "/t", QoS::kAtLeastOnce);
  }
  const std::uint64_t before = broker().statistics().memory_used;
  auto publisher = Connected("publisher");
  for (std::size_t i = 0; i < kMessages; ++i) Send(*publisher, PublishOf("t", "", static_cast<mqtt::PacketId>(i + 1)));
  EXPECT_GT(broker().statistics().memory_used - before, (kGroups - 1) * (kMessages - 1) * sizeof(void*));
  member->Drop();
  publisher->Drop();
  Settle();
  clock_.Advance(seconds(10));
  EXPECT_EQ(broker().statistics().memory_used, 0u);
}

TEST_F(BrokerBackPressureTest, LeavesEveryoneAFewSubscriptions) {
  options_.maximum_total_queued_bytes = 1024 * 1024;
  auto greedy = Connected("greedy");
  auto modest = Connected("modest");
  ReasonCode code = ReasonCode::kSuccess;
  for (int i = 0; i < 10'000 && !mqtt::IsError(code); ++i) {
    greedy->Send(SubscribeTo(std::to_string(i) + "/a/b/c"));
    Settle();
    code = greedy->Next<mqtt::SubAck>().reason_codes.front();
  }
  EXPECT_EQ(code, ReasonCode::kQuotaExceeded);
  Subscribe(*modest, "rpc1/r/modest/#");
  Send(*greedy, PublishOf("rpc1/r/modest/1", "x"));
  EXPECT_EQ(modest->Next<mqtt::Publish>().payload, "x");
}

// What the broker holds already costs nothing when it goes to a member.
TEST_F(BrokerBackPressureTest, LosesNothingOfAShareGroupWhenItsMemoryIsGone) {
  constexpr int kJobs = 50;
  options_.maximum_total_queued_bytes = 500'000;
  mqtt::Properties one;
  one.Set(mqtt::property::kReceiveMaximum, std::uint16_t{1});
  mqtt::Connect connect = ConnectAs("member");
  connect.properties = one;
  auto member = Connected(connect);
  Subscribe(*member, "$share/g/jobs", QoS::kAtLeastOnce);
  auto publisher = Connected("publisher");
  for (int i = 0; i < kJobs; ++i) Send(*publisher, PublishOf("jobs", PayloadOf(i), static_cast<mqtt::PacketId>(i + 1)));

  Crowd crowd(*this);
  crowd.Freeze();
  std::vector<std::unique_ptr<RawClient>> others = FillMemory(crowd);

  for (int i = 0; i < kJobs; ++i) {
    ASSERT_GT(member->waiting(), 0u) << i;
    const auto job = member->Next<mqtt::Publish>();
    EXPECT_EQ(NumberIn(job), i);
    mqtt::PubAck ack;
    ack.packet_id = job.packet_id;
    Send(*member, ack);
  }
}

TEST_F(BrokerBackPressureTest, RefusesLargeSessionsBeforeTheyTakeAllMemory) {
  options_.maximum_total_queued_bytes = 1024 * 1024;
  mqtt::Properties lasting;
  lasting.Set(mqtt::property::kSessionExpiryInterval, 3600u);
  const std::string will_payload(20'000, 'x');
  ReasonCode code = ReasonCode::kSuccess;
  for (int i = 0; i < 100 && code == ReasonCode::kSuccess; ++i) {
    const std::string client_id = std::string(10'000, 'c') + std::to_string(i);
    mqtt::Connect connect = ConnectAs(client_id);
    connect.properties = lasting;
    connect.will.emplace().topic_name = "t";
    connect.will->payload = will_payload;
    auto client = NewClient();
    client->Send(connect);
    Settle();
    code = client->Next<mqtt::ConnAck>().reason_code;
  }
  EXPECT_EQ(code, ReasonCode::kQuotaExceeded);
  EXPECT_LT(broker().statistics().memory_used, options_.maximum_total_queued_bytes);
  ExpectServing();
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

// A client that reads, and acknowledges nothing, and goes: for what it left others
// would have no room.
TEST_F(BrokerBackPressureTest, KeepsRoomForTheLiveWhateverIsNeverAcknowledged) {
  options_.maximum_total_queued_bytes = 4'000'000;
  mqtt::Properties lasting;
  lasting.Set(mqtt::property::kSessionExpiryInterval, 3600u);
  auto publisher = Connected("publisher");
  for (int i = 0; i < 20; ++i) {
    const std::string client_id = "mute-" + std::to_string(i);
    mqtt::Connect connect = ConnectAs(client_id);
    connect.properties = lasting;
    auto mute = Connected(connect);
    Subscribe(*mute, "t");
    for (int k = 0; k < 50; ++k) Send(*publisher, PublishOf("t", PayloadOf(k) + std::string(10'000, '.'), 1));
    mute->Drop();
    Settle();
  }
  EXPECT_LT(broker().statistics().memory_used, options_.maximum_total_queued_bytes / 4 * 3);
  EXPECT_GT(broker().statistics().messages_dropped, 0u);
  ExpectServing();
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
  void Write(std::span<const std::span<const std::byte>> gather) override {
    ++*writes_;
    below_->Write(gather);
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
  client->SendBytes(burst.substr(0, 20 * (kPayload + 9)));
  Settle();
  EXPECT_EQ(client->waiting(), 40u);  // Twenty acknowledgements, twenty messages.
  EXPECT_EQ(*writes, 1);
}

}  // namespace
}  // namespace mqttrpc::test
