#include "shard_mail.h"

#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mqttrpc::broker {
namespace {

using ::testing::ElementsAre;

MailBatch BatchOf(std::size_t from, std::initializer_list<const char*> filters) {
  MailBatch batch;
  for (const char* filter : filters) {
    batch.news.push_back(News::OfInterest(filter, true));
    batch.news.back().from = from;
  }
  return batch;
}

std::vector<std::string> FiltersOf(const MailBatch& batch) {
  std::vector<std::string> filters;
  for (const News& news : batch.news) filters.push_back(news.topic_filter);
  return filters;
}

class MailboxTest : public ::testing::Test {
 protected:
  MailboxTest() {
    box_.set_wake([this] { ++wakes_; });
  }
  MailBatch Take() {
    MailBatch mail;
    box_.Take(mail);
    return mail;
  }
  // Returns their bytes.
  std::size_t PostMessages(std::size_t count, std::size_t payload_bytes = 10) {
    mqtt::Publish publish;
    const std::string payload(payload_bytes, 'x');
    publish.payload = payload;
    MailBatch batch;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < count; ++i) {
      batch.messages.emplace_back(SharedMessage::ForShard(SharedMessage::Copy(budget_, publish, "t", {})));
      bytes += batch.messages.back().bytes();
    }
    box_.Post(batch);
    return bytes;
  }

  MemoryBudget budget_{std::size_t{1} << 30};
  Mailbox box_;
  std::atomic<int> wakes_{0};
};

TEST_F(MailboxTest, GivesOutAllInTheOrderItCame) {
  MailBatch first = BatchOf(1, {"a", "b"});
  MailBatch second = BatchOf(2, {"c"});
  box_.Post(first);
  box_.Post(second);
  EXPECT_TRUE(first.news.empty());
  EXPECT_THAT(FiltersOf(Take()), ElementsAre("a", "b", "c"));
  EXPECT_TRUE(box_.empty());
}

// Also the texts: a filter may have 64 KiB.
TEST_F(MailboxTest, CountsWhatItHoldsUntilThatIsHandled) {
  const std::string filter(1'000, 'f');
  MailBatch batch = BatchOf(1, {filter.c_str()});
  box_.Post(batch);
  EXPECT_GT(box_.bytes(), filter.size());
  const std::size_t news = box_.bytes();
  const std::size_t messages = PostMessages(3, 5'000);
  EXPECT_GT(messages, 15'000u);
  EXPECT_EQ(box_.bytes(), news + messages);
  Take();
  EXPECT_EQ(box_.bytes(), news + messages);
  box_.OnHandled(news, 1);
  box_.OnHandled(messages, 3);
  EXPECT_EQ(box_.bytes(), 0u);
}

TEST_F(MailboxTest, IsCrowdedByWorkByNumberOrByBytes) {
  box_.set_most_bytes(100'000);
  EXPECT_FALSE(box_.crowded());
  std::size_t bytes = PostMessages(501);
  EXPECT_TRUE(box_.crowded());
  box_.OnHandled(bytes, 501);
  EXPECT_FALSE(box_.crowded());

  bytes = PostMessages(1, 100'001);
  EXPECT_TRUE(box_.crowded());
  box_.OnHandled(bytes, 1);
  EXPECT_FALSE(box_.crowded());

  box_.OnWorked(1, 7'000);  // That is what a message costs, as it seems.
  PostMessages(2);
  EXPECT_FALSE(box_.crowded());
  PostMessages(1);
  EXPECT_TRUE(box_.crowded());
  EXPECT_FALSE(box_.overfull());
  PostMessages(9);
  EXPECT_TRUE(box_.overfull());
}

TEST_F(MailboxTest, SaysWhoWaitsForRoomOnceHalfIsFree) {
  EXPECT_FALSE(box_.WakeWhenRoomy(3));
  const std::size_t bytes = PostMessages(501) / 501;
  EXPECT_TRUE(box_.WakeWhenRoomy(3));
  EXPECT_TRUE(box_.WakeWhenRoomy(0));
  EXPECT_EQ(box_.OnHandled(250 * bytes, 250), 0u);
  EXPECT_FALSE(box_.crowded());
  EXPECT_TRUE(box_.WakeWhenRoomy(3)) << "half of it is still there";
  EXPECT_EQ(box_.OnHandled(bytes, 1), SetOf(0) | SetOf(3));
  EXPECT_EQ(box_.OnHandled(250 * bytes, 250), 0u);
}

// A list that was long once must not stay so.
TEST_F(MailboxTest, KeepsNoMemoryOfManyMails) {
  std::vector<int> list(100'000);
  ClearAndTrim(list);
  EXPECT_LE(list.capacity(), 4'096u);
  list.resize(100);
  ClearAndTrim(list);
  EXPECT_GE(list.capacity(), 100u);
}

// Waking costs a system call: one for all that comes until the owner looks.
TEST_F(MailboxTest, WakesItsOwnerOnceUntilItTakes) {
  MailBatch nothing;
  box_.Post(nothing);
  EXPECT_EQ(wakes_, 0);
  for (int i = 0; i < 5; ++i) {
    MailBatch batch = BatchOf(1, {"a"});
    box_.Post(batch);
  }
  EXPECT_EQ(wakes_, 1);
  Take();
  MailBatch batch = BatchOf(1, {"a"});
  box_.Post(batch);
  EXPECT_EQ(wakes_, 2);
}

TEST_F(MailboxTest, LosesNothingBetweenThreads) {
  constexpr int kBatches = 2'000;
  constexpr std::size_t kSenders = 3;
  std::vector<std::thread> senders;
  for (std::size_t from = 0; from < kSenders; ++from) {
    senders.emplace_back([this, from] {
      for (int i = 0; i < kBatches; ++i) {
        MailBatch batch = BatchOf(from, {std::to_string(i).c_str()});
        box_.Post(batch);
      }
    });
  }
  std::array<int, kSenders> next{};
  for (std::size_t taken = 0; taken < kSenders * kBatches;) {
    const MailBatch mail = Take();
    for (const News& news : mail.news) {
      ASSERT_EQ(news.topic_filter, std::to_string(next[news.from]++));
      ++taken;
    }
  }
  for (std::thread& sender : senders) sender.join();
}

TEST(PostOfficeTest, SpreadsClientsOverTheShards) {
  const PostOffice office(4, 1);
  const PostOffice other(4, 2);
  std::array<int, 4> clients{};
  int moved = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::string client_id = "device-" + std::to_string(i);
    ++clients[office.HomeOf(client_id)];
    if (office.HomeOf(client_id) != other.HomeOf(client_id)) ++moved;
  }
  for (const int count : clients) EXPECT_NEAR(count, 2'500, 250);
  EXPECT_NEAR(moved, 7'500, 250);  // Nobody can tell without the seed.
}

}  // namespace
}  // namespace mqttrpc::broker
