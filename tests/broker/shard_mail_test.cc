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
  for (const char* filter : filters) batch.mails.emplace_back(from, InterestMail(filter, true));
  batch.bytes = filters.size();
  return batch;
}

std::vector<std::string> FiltersOf(const std::vector<Mail>& mails) {
  std::vector<std::string> filters;
  for (const Mail& mail : mails) filters.push_back(std::get<InterestMail>(mail.what).topic_filter);
  return filters;
}

class MailboxTest : public ::testing::Test {
 protected:
  MailboxTest() {
    box_.set_wake([this] { ++wakes_; });
  }
  std::vector<Mail> Take() {
    std::vector<Mail> mails;
    box_.Take(mails);
    return mails;
  }

  Mailbox box_;
  std::atomic<int> wakes_{0};
};

TEST_F(MailboxTest, GivesOutAllInTheOrderItCame) {
  MailBatch first = BatchOf(1, {"a", "b"});
  MailBatch second = BatchOf(2, {"c"});
  box_.Post(first);
  box_.Post(second);
  EXPECT_TRUE(first.mails.empty());
  EXPECT_EQ(box_.bytes(), 3u);
  EXPECT_THAT(FiltersOf(Take()), ElementsAre("a", "b", "c"));
  EXPECT_TRUE(box_.empty());
  EXPECT_EQ(box_.bytes(), 0u);
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
        MailBatch batch;
        batch.mails.emplace_back(from, InterestMail(std::to_string(i), true));
        box_.Post(batch);
      }
    });
  }
  std::array<int, kSenders> next{};
  for (std::size_t taken = 0; taken < kSenders * kBatches;) {
    for (const Mail& mail : Take()) {
      ASSERT_EQ(std::get<InterestMail>(mail.what).topic_filter, std::to_string(next[mail.from]++));
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
