// A broker of several shards is one broker.
#include "shards_fixture.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

namespace mqttrpc::test {
namespace {

using mqtt::ReasonCode;

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
  EXPECT_EQ(shards.Sum(&broker::Counters::connections), 90u);
  for (std::size_t i = 0; i < shards.count(); ++i) EXPECT_GT(shards.shard(i).counters().connections.value(), 15u);
}

// What follows CONNECT in the same read, or while the stream is handed over, is not lost.
TEST(ShardsTest, WhatIsSentBehindConnectArrives) {
  InManyOrders([](Shards& shards) {
    auto subscriber = Connected(shards, "subscriber");
    Subscribe(shards, *subscriber, SubscribeTo("t"));
    auto publisher = shards.NewClient();
    publisher->Send(ConnectAs(absl::StrCat("publisher-", shards.seed())));
    publisher->Send(PublishOf("t", "1"));
    shards.Steps(static_cast<int>(shards.Draw(20)));
    publisher->Send(PublishOf("t", "2", 1));
    publisher->Send(mqtt::Disconnect());
    if (shards.Draw(2) == 0) shards.Settle();
    publisher->Drop();
    shards.Settle();
    EXPECT_EQ(Messages(*subscriber), (std::vector<std::string>{"1", "2"}));
    EXPECT_EQ(shards.Sum(&broker::Counters::connections), 1u);
  });
}

TEST(ShardsTest, TheSameClientIdTakesOverOnItsShard) {
  Shards shards(3);
  auto first = Connected(shards, "device");
  auto second = Connected(shards, "device");
  shards.Settle();
  EXPECT_EQ(first->Next<mqtt::Disconnect>().reason_code, ReasonCode::kSessionTakenOver);
  EXPECT_TRUE(first->closed());
  EXPECT_EQ(shards.Sum(&broker::Counters::sessions), 1u);
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
  InManyOrders([](Shards& shards) {
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
  });
}

// However fast the others are, and however slow the write that carries SUBACK.
TEST(ShardsTest, AfterSubAckNothingIsMissedWhileItIsStillBeingWritten) {
  InManyOrders([](Shards& shards) {
    auto publisher = Connected(shards, "p0");
    const auto on_write = std::make_shared<std::function<void()>>();  // The broker's end outlives us.
    auto subscriber = shards.NewClient([on_write] {
      if (const auto once = std::exchange(*on_write, nullptr)) once();
    });
    subscriber->Send(ConnectAs("subscriber"));
    shards.Settle();
    subscriber->Next<mqtt::ConnAck>();
    *on_write = [&] {
      shards.Until([&] { return subscriber->waiting() > 0; });
      subscriber->Next<mqtt::SubAck>();
      publisher->Send(PublishOf("t", "x"));
      shards.Steps(60);
    };
    subscriber->Send(SubscribeTo("t"));
    shards.Settle();
    EXPECT_EQ(Messages(*subscriber), std::vector<std::string>{"x"});
  });
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
  InManyOrders([](Shards& shards) {
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
  });
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
}  // namespace mqttrpc::test
