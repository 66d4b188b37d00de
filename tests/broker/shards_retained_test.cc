// Retained messages of a broker of several shards.
#include "shards_fixture.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

namespace mqttrpc::test {
namespace {

// A subscription begins either before a retained message, which it then gets as it comes, or
// after it; and what it heard last is what is retained.
TEST(ShardsRetainedTest, ASubscriptionThatMeetsRetainedMessagesMissesNone) {
  InManyOrders([](Shards& shards) {
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
      const RawPacket& packet = *subscriber->NextRaw();
      if (static_cast<mqtt::PacketType>(packet.frame().first_byte >> 4) == mqtt::PacketType::kSubAck) continue;
      const int number = std::stoi(std::string(packet.As<mqtt::Publish>().payload));
      // Neither again, nor one left out.
      EXPECT_TRUE(last < 0 || number == last + 1) << number << " after " << last;
      last = number;
    }
    EXPECT_EQ(last, kLast);
  });
}

TEST(ShardsRetainedTest, AllShardsRetainTheSame) {
  InManyOrders([](Shards& shards) {
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
  });
}

TEST(ShardsRetainedTest, AfterPubAckARetainedMessageIsThereForEveryone) {
  InManyOrders([](Shards& shards) {
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
  });
}

}  // namespace
}  // namespace mqttrpc::test
