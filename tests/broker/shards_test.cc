// Several shards in one thread, which takes their turns in an order drawn from a seed:
// any interleaving that threads could have, and again if it fails.
#include "shard.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <asio/io_context.hpp>

#include "movable_transport.h"
#include "raw_client.h"
#include "support/manual_clock.h"
#include "support/seeded_random.h"

namespace mqttrpc::broker {
namespace {

using mqtt::QoS;
using mqtt::ReasonCode;
using test::RawClient;
using ::testing::ElementsAreArray;

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
  explicit Shards(std::uint64_t seed, std::size_t count = 3) : order_(seed), random_(seed) {
    BrokerOptions options;
    options.shards = count;
    options.environment.clock = &clock_;
    options.environment.random = &random_;
    for (std::size_t i = 0; i < count; ++i) {
      loops_.push_back(std::make_unique<asio::io_context>(1));
      shards_.push_back(std::make_shared<Shard>(loops_.back()->get_executor(), options));
    }
    Shard::Join(shards_, seed);
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
  // ... until `done`.
  void Until(const std::function<bool()>& done) {
    for (int i = 0; !done(); ++i) {
      ASSERT_LT(i, 100'000) << "it never happens";
      Step();
    }
  }

  std::size_t Draw(std::size_t bound) { return order_() % bound; }
  Shard& shard(std::size_t i) { return *shards_[i]; }
  std::size_t count() const { return shards_.size(); }
  std::uint64_t Sum(Counter Counters::* counter) const {
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
  std::vector<asio::io_context*> Loops() {
    std::vector<asio::io_context*> loops{&clients_};
    for (const auto& loop : loops_) loops.push_back(loop.get());
    std::shuffle(loops.begin(), loops.end(), order_);
    return loops;
  }

  std::mt19937_64 order_;
  std::size_t running_ = std::numeric_limits<std::size_t>::max();  // Whose handler we are in.
  asio::io_context clients_;
  test::ManualClock clock_{clients_};
  test::SeededRandom random_;
  std::vector<std::unique_ptr<asio::io_context>> loops_;
  std::vector<std::shared_ptr<Shard>> shards_;
};

mqtt::Connect ConnectAs(std::string_view client_id, bool clean_start = true) {
  mqtt::Connect connect;
  connect.client_id = client_id;
  connect.clean_start = clean_start;
  return connect;
}

mqtt::Subscribe SubscribeTo(std::string_view topic_filter, QoS qos = QoS::kAtLeastOnce) {
  mqtt::Subscribe subscribe;
  subscribe.packet_id = 1;
  subscribe.entries.emplace_back();
  subscribe.entries[0].topic_filter = topic_filter;
  subscribe.entries[0].qos = qos;
  return subscribe;
}

mqtt::Publish PublishOf(std::string_view topic_name, std::string_view payload, mqtt::PacketId packet_id = 0) {
  mqtt::Publish publish;
  publish.topic_name = topic_name;
  publish.payload = payload;
  publish.packet_id = packet_id;
  publish.qos = packet_id == 0 ? QoS::kAtMostOnce : QoS::kAtLeastOnce;
  return publish;
}

// Accepted; wherever its home is.
std::unique_ptr<RawClient> Connected(Shards& shards, const mqtt::Connect& connect) {
  auto client = shards.NewClient();
  client->Send(connect);
  shards.Until([&] { return client->waiting() > 0; });
  EXPECT_EQ(client->Next<mqtt::ConnAck>().reason_code, ReasonCode::kSuccess);
  return client;
}
std::unique_ptr<RawClient> Connected(Shards& shards, std::string_view client_id) {
  return Connected(shards, ConnectAs(client_id));
}

// Not a step more than until SUBACK is there.
void Subscribe(Shards& shards, RawClient& client, const mqtt::Subscribe& subscribe) {
  client.Send(subscribe);
  shards.Until([&] { return client.waiting() > 0; });
  EXPECT_FALSE(mqtt::IsError(client.Next<mqtt::SubAck>().reason_codes[0]));
}

// The payloads of all PUBLISH that have come; those of QoS 1 are acknowledged.
std::vector<std::string> Messages(RawClient& client) {
  std::vector<std::string> payloads;
  while (client.waiting() > 0) {
    const auto publish = client.Next<mqtt::Publish>();
    payloads.emplace_back(publish.payload);
    if (publish.qos == QoS::kAtMostOnce) continue;
    mqtt::PubAck ack;
    ack.packet_id = publish.packet_id;
    client.Send(ack);
  }
  return payloads;
}

TEST(ShardsTest, EveryClientIsServedWhereverItsHomeIs) {
  Shards shards(1);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 60; ++i) clients.push_back(Connected(shards, absl::StrCat("client-", i)));
  for (int i = 0; i < 30; ++i) {
    clients.push_back(shards.NewClient());
    clients.back()->Send(ConnectAs(""));
    shards.Settle();
    const auto ack = clients.back()->Next<mqtt::ConnAck>();
    EXPECT_EQ(ack.reason_code, ReasonCode::kSuccess);
    EXPECT_TRUE(ack.properties.Has(mqtt::PropertyId::kAssignedClientIdentifier));
  }
  shards.Settle();
  EXPECT_EQ(shards.Sum(&Counters::connections), 90u);
  for (std::size_t i = 0; i < shards.count(); ++i) EXPECT_GT(shards.shard(i).counters().connections.value(), 15u);
}

// What follows CONNECT in the same read, or while the stream is handed over, is not lost.
TEST(ShardsTest, WhatIsSentBehindConnectArrives) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Shards shards(seed);
    auto subscriber = Connected(shards, "subscriber");
    Subscribe(shards, *subscriber, SubscribeTo("t"));
    auto publisher = shards.NewClient();
    publisher->Send(ConnectAs(absl::StrCat("publisher-", seed)));
    publisher->Send(PublishOf("t", "1"));
    shards.Steps(static_cast<int>(shards.Draw(20)));
    publisher->Send(PublishOf("t", "2", 1));
    publisher->Send(mqtt::Disconnect());
    if (shards.Draw(2) == 0) shards.Settle();
    publisher->Drop();
    shards.Settle();
    EXPECT_EQ(Messages(*subscriber), (std::vector<std::string>{"1", "2"}));
    EXPECT_EQ(shards.Sum(&Counters::connections), 1u);
  }
}

TEST(ShardsTest, TheSameClientIdTakesOverOnItsShard) {
  Shards shards(3);
  auto first = Connected(shards, "device");
  auto second = Connected(shards, "device");
  shards.Settle();
  EXPECT_EQ(first->Next<mqtt::Disconnect>().reason_code, ReasonCode::kSessionTakenOver);
  EXPECT_TRUE(first->closed());
  EXPECT_EQ(shards.Sum(&Counters::sessions), 1u);
}

// RPC relies on it: who has SUBACK misses nothing that is sent because of that.
TEST(ShardsTest, AfterSubAckNothingIsMissedWhereverItIsPublished) {
  for (const char* filter : {"t/1", "t/+", "#", "$share/g/t/1", "$share/g/t/#"}) {
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      SCOPED_TRACE(absl::StrCat(filter, " ", seed));
      Shards shards(seed);
      std::vector<std::unique_ptr<RawClient>> publishers;
      for (int i = 0; i < 4; ++i) publishers.push_back(Connected(shards, absl::StrCat("p", i)));
      auto subscriber = Connected(shards, "subscriber");
      Subscribe(shards, *subscriber, SubscribeTo(filter));
      for (int i = 0; i < 4; ++i) publishers[i]->Send(PublishOf("t/1", absl::StrCat(i), 1));
      shards.Settle();
      for (const auto& publisher : publishers) {
        EXPECT_EQ(publisher->Next<mqtt::PubAck>().reason_code, ReasonCode::kSuccess);
      }
      EXPECT_EQ(Messages(*subscriber).size(), 4u);
    }
  }
}

// What lies unread when the subscription comes is read together with what is sent after SUBACK.
TEST(ShardsTest, AfterSubAckNothingIsMissedOfWhoWasAlreadySpeaking) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Shards shards(seed);
    auto publisher = Connected(shards, "p0");
    auto subscriber = Connected(shards, "subscriber");
    shards.Settle();
    subscriber->Send(SubscribeTo("t"));
    shards.Steps(static_cast<int>(shards.Draw(12)));
    publisher->Send(mqtt::PingReq());
    shards.Until([&] { return subscriber->waiting() > 0; });
    subscriber->Next<mqtt::SubAck>();
    publisher->Send(PublishOf("t", "x"));
    shards.Settle();
    EXPECT_EQ(Messages(*subscriber), std::vector<std::string>{"x"});
  }
}

// However fast the others are, and however slow the write that carries SUBACK.
TEST(ShardsTest, AfterSubAckNothingIsMissedWhileItIsStillBeingWritten) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Shards shards(seed);
    auto publisher = Connected(shards, "p0");
    std::function<void()> on_write;
    auto subscriber = shards.NewClient([&on_write] {
      if (const auto once = std::exchange(on_write, nullptr)) once();
    });
    subscriber->Send(ConnectAs("subscriber"));
    shards.Settle();
    subscriber->Next<mqtt::ConnAck>();
    on_write = [&] {
      shards.Until([&] { return subscriber->waiting() > 0; });
      subscriber->Next<mqtt::SubAck>();
      publisher->Send(PublishOf("t", "x"));
      shards.Steps(60);
    };
    subscriber->Send(SubscribeTo("t"));
    shards.Settle();
    EXPECT_EQ(Messages(*subscriber), std::vector<std::string>{"x"});
  }
}

TEST(ShardsTest, AfterUnsubscribingNobodyMatches) {
  for (const char* filter : {"t/1", "t/+", "$share/g/t/1"}) {
    Shards shards(5);
    auto subscriber = Connected(shards, "subscriber");
    Subscribe(shards, *subscriber, SubscribeTo(filter));
    mqtt::Unsubscribe unsubscribe;
    unsubscribe.packet_id = 2;
    unsubscribe.topic_filters = {filter};
    subscriber->Send(unsubscribe);
    shards.Settle();
    for (int i = 0; i < 6; ++i) {
      auto publisher = Connected(shards, absl::StrCat("p", i));
      publisher->Send(PublishOf("t/1", "x", 1));
      shards.Settle();
      EXPECT_EQ(publisher->Next<mqtt::PubAck>().reason_code, ReasonCode::kNoMatchingSubscribers) << filter;
    }
  }
}

// MQTT-4.6.0-6
TEST(ShardsTest, MessagesOfOnePublisherStayInOrder) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Shards shards(seed);
    std::vector<std::unique_ptr<RawClient>> publishers, subscribers;
    for (int i = 0; i < 3; ++i) {
      publishers.push_back(Connected(shards, absl::StrCat("p", i)));
      subscribers.push_back(Connected(shards, absl::StrCat("s", i)));
      Subscribe(shards, *subscribers.back(), SubscribeTo(i == 0 ? "t/+" : "t/1"));
    }
    std::vector<int> sent(publishers.size());
    for (int i = 0; i < 60; ++i) {
      const std::size_t who = shards.Draw(publishers.size());
      const int number = sent[who]++;
      auto publish = PublishOf("t/1", "", static_cast<mqtt::PacketId>(number + 1));
      const std::string payload = absl::StrCat(who, ":", number);
      publish.payload = payload;
      publish.retain = shards.Draw(4) == 0;  // Retained ones take another way.
      publishers[who]->Send(publish);
      shards.Steps(static_cast<int>(shards.Draw(12)));
    }
    shards.Settle();
    for (const auto& subscriber : subscribers) {
      std::map<std::string, int> next;
      int count = 0;
      for (const std::string& message : Messages(*subscriber)) {
        const std::string who = message.substr(0, 1);
        ASSERT_EQ(std::stoi(message.substr(2)), next[who]++) << message;
        ++count;
      }
      EXPECT_EQ(count, 60);
    }
  }
}

// A subscription begins either before a retained message, which it then gets as it comes, or
// after it; and what it heard last is what is retained.
TEST(ShardsTest, ASubscriptionThatMeetsRetainedMessagesMissesNone) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Shards shards(seed);
    auto publisher = Connected(shards, "p0");
    auto subscriber = Connected(shards, "s1");
    constexpr int kLast = 8;
    const int subscribes_at = static_cast<int>(shards.Draw(kLast));
    for (int i = 0; i <= kLast; ++i) {
      auto publish = PublishOf("t", "", static_cast<mqtt::PacketId>(i + 1));
      const std::string payload = absl::StrCat(i);
      publish.payload = payload;
      publish.retain = true;
      publisher->Send(publish);
      if (i == subscribes_at) subscriber->Send(SubscribeTo("t"));
      shards.Steps(static_cast<int>(shards.Draw(10)));
    }
    shards.Settle();
    int last = -1;
    while (subscriber->waiting() > 0) {
      const test::RawPacket& packet = *subscriber->NextRaw();
      if (static_cast<mqtt::PacketType>(packet.frame().first_byte >> 4) == mqtt::PacketType::kSubAck) continue;
      const int number = std::stoi(std::string(packet.As<mqtt::Publish>().payload));
      // Neither again, nor one left out.
      EXPECT_TRUE(last < 0 || number == last + 1) << number << " after " << last;
      last = number;
    }
    EXPECT_EQ(last, kLast);
  }
}

TEST(ShardsTest, AllShardsRetainTheSame) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Shards shards(seed);
    std::vector<std::unique_ptr<RawClient>> publishers;
    for (int i = 0; i < 4; ++i) publishers.push_back(Connected(shards, absl::StrCat("p", i)));
    for (int i = 0; i < 40; ++i) {
      auto publish = PublishOf("", "");
      const std::string topic = absl::StrCat("r/", shards.Draw(3));
      const std::string payload = shards.Draw(3) == 0 ? "" : absl::StrCat(i);
      publish.topic_name = topic;
      publish.payload = payload;
      publish.retain = true;
      publishers[shards.Draw(publishers.size())]->Send(publish);
      shards.Steps(static_cast<int>(shards.Draw(5)));
    }
    shards.Settle();
    std::set<std::vector<std::string>> seen;
    for (int i = 0; i < 9; ++i) {
      auto reader = Connected(shards, absl::StrCat("reader", i));
      reader->Send(SubscribeTo("r/#"));
      shards.Settle();
      reader->Next<mqtt::SubAck>();
      std::vector<std::string> retained;
      while (reader->waiting() > 0) {
        const auto publish = reader->Next<mqtt::Publish>();
        retained.push_back(absl::StrCat(mqtt::ToAbsl(publish.topic_name), "=", mqtt::ToAbsl(publish.payload)));
      }
      std::sort(retained.begin(), retained.end());
      seen.insert(retained);
    }
    EXPECT_EQ(seen.size(), 1u);
  }
}

TEST(ShardsTest, AfterPubAckARetainedMessageIsThereForEveryone) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Shards shards(seed);
    auto reader = Connected(shards, "s1");
    auto publisher = Connected(shards, "p0");
    auto publish = PublishOf("r", "value", 1);
    publish.retain = true;
    publisher->Send(publish);
    shards.Until([&] { return publisher->waiting() > 0; });
    reader->Send(SubscribeTo("r"));
    shards.Settle();
    reader->Next<mqtt::SubAck>();
    EXPECT_EQ(Messages(*reader), std::vector<std::string>{"value"});
  }
}

// MQTT 4.8.2
TEST(ShardsTest, EachMessageOfAShareGroupGoesToOneMember) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Shards shards(seed);
    std::vector<std::unique_ptr<RawClient>> members;
    for (int i = 0; i < 6; ++i) {
      members.push_back(Connected(shards, absl::StrCat("m", i)));
      Subscribe(shards, *members.back(), SubscribeTo("$share/g/t"));
    }
    auto publisher = Connected(shards, "publisher");
    std::vector<std::string> expected, got;
    for (int i = 0; i < 120; ++i) {
      expected.push_back(absl::StrCat(i));
      publisher->Send(PublishOf("t", expected.back(), static_cast<mqtt::PacketId>(i + 1)));
      shards.Steps(static_cast<int>(shards.Draw(8)));
    }
    shards.Settle();
    for (const auto& member : members) {
      const auto messages = Messages(*member);
      EXPECT_GE(messages.size(), 5u);  // About 20 for each.
      got.insert(got.end(), messages.begin(), messages.end());
    }
    std::sort(expected.begin(), expected.end());
    std::sort(got.begin(), got.end());
    EXPECT_THAT(got, ElementsAreArray(expected));
  }
}

// MQTT-4.8.2-5: while there is a member anywhere, nothing waits for one that is gone.
TEST(ShardsTest, WhatADeadMemberHadGoesToOthersOnAnyShard) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Shards shards(seed);
    std::vector<std::unique_ptr<RawClient>> members;
    for (int i = 0; i < 5; ++i) {
      const std::string client_id = absl::StrCat("m", i);
      auto connect = ConnectAs(client_id);
      mqtt::Properties properties;
      properties.Set(mqtt::property::kReceiveMaximum, std::uint16_t{3});
      properties.Set(mqtt::property::kSessionExpiryInterval, std::uint32_t{i % 2 == 0 ? 0u : 3600u});
      connect.properties = properties;
      members.push_back(Connected(shards, connect));
      Subscribe(shards, *members.back(), SubscribeTo("$share/g/t"));
    }
    auto publisher = Connected(shards, "publisher");
    std::set<std::string> expected, got;
    for (int i = 0; i < 40; ++i) {
      const std::string payload = absl::StrCat(i);
      expected.insert(payload);
      publisher->Send(PublishOf("t", payload, static_cast<mqtt::PacketId>(i + 1)));
      shards.Steps(static_cast<int>(shards.Draw(10)));
      // All but the last die, some with unacknowledged messages; what these had seen counts not.
      if (i % 9 == 8) members[static_cast<std::size_t>(i / 9)]->Drop();
    }
    for (int round = 0; round < 60; ++round) {
      shards.Settle();
      for (const std::string& message : Messages(*members.back())) got.insert(message);
    }
    EXPECT_THAT(got, ElementsAreArray(expected));
    EXPECT_EQ(shards.dropped(), 0u);
  }
}

TEST(ShardsTest, WhatWaitsForAShareGroupGoesToWhoeverComesFirst) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Shards shards(seed);
    auto connect = ConnectAs("away");
    mqtt::Properties properties;
    properties.Set(mqtt::property::kSessionExpiryInterval, std::uint32_t{3600});
    connect.properties = properties;
    auto away = Connected(shards, connect);
    Subscribe(shards, *away, SubscribeTo("$share/g/t"));
    away->Drop();
    auto publisher = Connected(shards, "publisher");
    for (int i = 0; i < 10; ++i) {
      publisher->Send(PublishOf("t", absl::StrCat(i), static_cast<mqtt::PacketId>(i + 1)));
      shards.Steps(static_cast<int>(shards.Draw(30)));
    }
    auto other = Connected(shards, absl::StrCat("other-", seed));
    Subscribe(shards, *other, SubscribeTo("$share/g/t"));
    shards.Settle();
    EXPECT_EQ(Messages(*other).size(), 10u);
  }
}

TEST(ShardsTest, AWillIsForSubscribersOfAllShards) {
  Shards shards(9);
  std::vector<std::unique_ptr<RawClient>> subscribers;
  for (int i = 0; i < 6; ++i) {
    subscribers.push_back(Connected(shards, absl::StrCat("s", i)));
    Subscribe(shards, *subscribers.back(), SubscribeTo("will"));
  }
  auto connect = ConnectAs("mortal");
  connect.will.emplace();
  connect.will->topic_name = "will";
  connect.will->payload = "gone";
  auto mortal = Connected(shards, connect);
  mortal->Drop();
  shards.Settle();
  for (const auto& subscriber : subscribers) EXPECT_EQ(Messages(*subscriber), std::vector<std::string>{"gone"});
}

// MQTT-3.3.2-5 and what is left of the interval, as without shards.
TEST(ShardsTest, AMessageCrossesWithItsProperties) {
  Shards shards(2);
  auto publisher = Connected(shards, "p0");
  std::vector<std::unique_ptr<RawClient>> subscribers;
  for (int i = 0; i < 6; ++i) {
    subscribers.push_back(Connected(shards, absl::StrCat("s", i)));
    Subscribe(shards, *subscribers.back(), SubscribeTo("t"));
  }
  mqtt::Properties properties;
  properties.Set(mqtt::property::kMessageExpiryInterval, std::uint32_t{60});
  properties.Set(mqtt::property::kResponseTopic, "answer");
  properties.Set(mqtt::property::kCorrelationData, "42");
  const std::string payload(2'000, 'x');
  auto publish = PublishOf("t", payload);
  publish.properties = properties;
  publisher->Send(publish);
  shards.Settle();
  for (const auto& subscriber : subscribers) {
    const auto got = subscriber->Next<mqtt::Publish>();
    EXPECT_EQ(got.payload, payload);
    EXPECT_EQ(got.properties.Get(mqtt::property::kMessageExpiryInterval), 60u);
    EXPECT_EQ(got.properties.Get(mqtt::property::kResponseTopic), "answer");
    EXPECT_EQ(got.properties.Get(mqtt::property::kCorrelationData), "42");
  }
}

}  // namespace
}  // namespace mqttrpc::broker
