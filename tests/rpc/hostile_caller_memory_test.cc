// Callers that fill a server's memory: it has its limits, and all is given back.
#include <asio/awaitable.hpp>

#include "hostile_caller.h"

namespace mqttrpc {
namespace {

using test::HostileCallerTest;
using test::kCancelled;
using test::kDataLoss;
using test::kExhausted;
using test::kInternal;
using test::seconds;
using test::UserProperty;
using testing::SizeIs;

TEST_F(HostileCallerTest, MoreThanMayWaitEndsTheCallThatBringsIt) {
  ServeEve(WaitingBytes(10'000));
  DoNotRead();
  Begin("Sum", "o:16-");
  Say("m:0", std::string(4'000, 'x'));
  Say("m:1", std::string(4'000, 'x'));
  EXPECT_FALSE(Heard(""));
  ExpectOthersGoOn();
  Say("m:2", std::string(4'000, 'x'));
  ExpectBroken(kExhausted, "it takes 10000");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, OpeningFramesCountAsWaitingToo) {
  ServeEve(WaitingBytes(10'000));
  for (int i = 0; i < 2; ++i) {
    Begin("Echo", "o:16+", std::string(4'000, 'x'), {{"rpc-len", "100000"}, {"rpc-tmo", "3000"}});
    EXPECT_EQ(FramesHeard(), std::vector<std::string>{"a:65"});
  }
  Begin("Echo", "o:16+", std::string(4'000, 'x'), {{"rpc-len", "100000"}, {"rpc-tmo", "3000"}});
  ASSERT_FALSE(inbox_.empty());
  EXPECT_EQ(UserProperty(inbox_.back(), "rpc-status"), kExhausted) << Told(inbox_.back());
  EXPECT_EQ(UserProperty(inbox_.back(), "rpc-x"), "n");
  EXPECT_EQ(server_->waiting_calls(), 2u);
  world_.Advance(seconds(4));
  ExpectNothingLeftBeside();
}

// Of each kind of end, many times more than may wait at a time.
class HostileMemoryTest : public HostileCallerTest {
 protected:
  template <typename Act>
  void ManyTimes(Act act) {
    ServeEve(WaitingBytes(10'000));
    DoNotRead();
    for (int i = 0; i < 10; ++i) {
      act();
      ASSERT_NO_FATAL_FAILURE(ExpectOthersGoOn()) << i;
    }
    ExpectNothingLeftBeside();
  }
};

TEST_F(HostileMemoryTest, WhatWaitedIsGivenBackWhenItIsCancelled) {
  ManyTimes([&] {
    Begin("Sum", "o:16-");
    Say("m:0", std::string(5'000, 'x'));
    Say("c");
    ExpectBroken(kCancelled);
  });
}

TEST_F(HostileMemoryTest, WhatWaitedBehindAGapIsGivenBack) {
  ManyTimes([&] {
    Begin("Sum", "o:16-");
    Say("m:1", std::string(5'000, 'x'));
    Say("c");
    ExpectBroken(kCancelled);
  });
}

TEST_F(HostileMemoryTest, HalfARequestIsGivenBack) {
  ManyTimes([&] {
    Begin("Echo", "o:16+", std::string(5'000, 'x'), {{"rpc-len", "100000"}});
    Say("c");
    ExpectBroken(kCancelled);
  });
}

TEST_F(HostileMemoryTest, AMessageWithAWrongChecksumIsGivenBack) {
  ManyTimes([&] {
    Begin("Echo", "o:16+", std::string(2'000, 'x'), {{"rpc-len", "4000"}});
    Say("m:1", std::string(2'000, 'x'), {{"rpc-crc", "0"}});
    ExpectEnded(kDataLoss, "n");
  });
}

TEST_F(HostileMemoryTest, FragmentsBelowTheirLengthAreGivenBack) {
  ManyTimes([&] {
    Begin("Echo", "o:16+", std::string(2'000, 'x'), {{"rpc-len", "5000"}});
    Say("m:1", std::string(2'000, 'x'), {{"rpc-crc", "0"}});
    ExpectEnded(kInternal, "n");
  });
}

TEST_F(HostileMemoryTest, WhatAnEndByItselfCarriesIsGivenBack) {
  ManyTimes([&] {
    Begin("Sum", "o:16-");
    Say("e:0", std::string(5'000, 'x'));
    Say("c");
    ExpectBroken(kCancelled);
  });
}

TEST_F(HostileMemoryTest, WhatWaitedIsGivenBackWhenTheHandlerEnds) {
  ManyTimes([&] {
    streams_.sum = [this](ServerContext&, ServerReader<Item>&) -> asio::awaitable<absl::StatusOr<Total>> {
      ++streams_.begun, ++streams_.ended;
      co_return Total();
    };
    Begin("Sum", "o:16", std::string(5'000, 'x'));
    EXPECT_TRUE(Heard(""));
  });
}

TEST_F(HostileCallerTest, CallsThatWaitForTheirRequestAreWithinTheMaximum) {
  ServerOptions options;
  options.maximum_calls = 5;
  ServeEve(options);
  for (int i = 0; i < 4; ++i) Begin("Echo", "o:16+", "x", {{"rpc-len", "100"}, {"rpc-tmo", "3000"}});
  EXPECT_EQ(server_->waiting_calls(), 4u);
  Begin("Echo", "o:16+", "x", {{"rpc-len", "100"}, {"rpc-tmo", "3000"}});
  ASSERT_THAT(inbox_, SizeIs(1));
  EXPECT_EQ(UserProperty(inbox_[0], "rpc-status"), kExhausted);
  EXPECT_EQ(UserProperty(inbox_[0], "rpc-x"), "n");
  EXPECT_EQ(UserProperty(inbox_[0], "rpc-retry"), "100");
  world_.Advance(seconds(4));
  ExpectNothingLeftBeside();
}

}  // namespace
}  // namespace mqttrpc
