// The event loop that a broker's own threads run.
#include "event_loop.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <asio/dispatch.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

namespace mqttrpc::mqtt {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

// Reads what comes, as a stream does.
class Reader final : public SocketWatch::Target, public std::enable_shared_from_this<Reader> {
 public:
  Reader(SocketPoller& poller, std::function<void(Reader&, std::string)> on_read) : on_read_(std::move(on_read)) {
    std::array<int, 2> ends{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    socket_ = poller.Watch(ends[0]);
    peer_ = ends[1];
  }
  ~Reader() { close(peer_); }

  void Start() { socket_->AwaitReadable(shared_from_this()); }
  int descriptor() const { return socket_->descriptor(); }
  void Close() { socket_->Close(); }
  void PeerWrites(const std::string& text) const {
    EXPECT_EQ(write(peer_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

  void OnReadable() override {
    std::array<char, 64> bytes{};
    const ssize_t got = read(socket_->descriptor(), bytes.data(), bytes.size());
    socket_->OnDrained();
    socket_->AwaitReadable(shared_from_this());
    if (got > 0) on_read_(*this, std::string(bytes.data(), static_cast<std::size_t>(got)));
  }
  void OnWritable() override {}

 private:
  std::function<void(Reader&, std::string)> on_read_;
  std::unique_ptr<SocketWatch> socket_;
  int peer_ = -1;
};

class EventLoopTest : public ::testing::Test {
 protected:
  ~EventLoopTest() override { Join(); }

  // `loop_` in a thread of its own.
  void Begin() {
    thread_ = std::thread([this] { loop_.Run(); });
  }
  void Join() {
    loop_.Stop();
    if (thread_.joinable()) thread_.join();
  }

  EventLoop loop_;
  std::thread thread_;
};

TEST_F(EventLoopTest, RunsWhatAThreadPostsInOrder) {
  Begin();
  std::vector<int> ran;
  std::promise<void> all;
  for (int i = 0; i < 1000; ++i) asio::post(loop_.executor(), [&ran, i] { ran.push_back(i); });
  asio::post(loop_.executor(), [&all] { all.set_value(); });
  all.get_future().wait();
  ASSERT_EQ(ran.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(ran[static_cast<std::size_t>(i)], i);
}

TEST_F(EventLoopTest, WakesForEachFunctionThatComesAlone) {
  Begin();
  for (int i = 0; i < 1000; ++i) {
    std::promise<void> ran;
    asio::post(loop_.executor(), [&ran] { ran.set_value(); });
    ran.get_future().wait();
  }
}

TEST_F(EventLoopTest, DispatchesAtOnceOnlyFromInside) {
  std::string ran;
  asio::dispatch(loop_.executor(), [&] {
    asio::post(loop_.executor(), [&] {
      ran += "c";
      loop_.Stop();
    });
    asio::dispatch(asio::any_io_executor(loop_.executor()), [&] { ran += "a"; });
    ran += "b";
  });
  EXPECT_EQ(ran, "");
  loop_.Run();
  EXPECT_EQ(ran, "abc");
}

TEST_F(EventLoopTest, FiresTimersWhenTheyAreDueAndNotBefore) {
  std::vector<std::pair<char, TimePoint>> fired;
  const TimePoint now = SystemClock().Now();
  const auto first = SystemClock().NewTimer(loop_.executor());
  const auto second = SystemClock().NewTimer(loop_.executor());
  const auto never = SystemClock().NewTimer(loop_.executor());
  auto gone = SystemClock().NewTimer(loop_.executor());
  second->Arm(now + milliseconds(6), [&] {
    fired.emplace_back('2', SystemClock().Now());
    loop_.Stop();
  });
  first->Arm(now + hours(1), [&] { fired.emplace_back('x', now); });
  first->Arm(now + milliseconds(2), [&] { fired.emplace_back('1', SystemClock().Now()); });
  never->Arm(now, [&] { fired.emplace_back('n', now); });
  never->Disarm();
  gone->Arm(now, [&] { fired.emplace_back('g', now); });
  gone = nullptr;
  loop_.Run();
  ASSERT_EQ(fired.size(), 2u);
  EXPECT_EQ(fired[0].first, '1');
  EXPECT_GE(fired[0].second, now + milliseconds(2));
  EXPECT_EQ(fired[1].first, '2');
  EXPECT_GE(fired[1].second, now + milliseconds(6));
}

TEST_F(EventLoopTest, ATimerMayArmItselfAgainOrEndItselfWhileItFires) {
  int fired = 0;
  auto timer = SystemClock().NewTimer(loop_.executor());
  std::function<void()> fire = [&] {
    if (++fired < 3) return timer->Arm(SystemClock().Now(), fire);
    timer = nullptr;
    loop_.Stop();
  };
  timer->Arm(SystemClock().Now(), fire);
  loop_.Run();
  EXPECT_EQ(fired, 3);
}

TEST_F(EventLoopTest, ServesSocketsFromTheirFirstByteOn) {
  std::string got;
  const auto reader = std::make_shared<Reader>(*loop_.poller(), [&](Reader& its, const std::string& text) {
    got += text;
    if (got == "before,after") loop_.Stop();
    if (got == "before,") its.PeerWrites("after");
  });
  reader->PeerWrites("before,");
  reader->Start();
  loop_.Run();
  EXPECT_EQ(got, "before,after");
}

// As a child process has one that was forked while the socket was open.
TEST_F(EventLoopTest, ACopyOfAClosedSocketTroublesNobody) {
  auto closed = std::make_shared<Reader>(*loop_.poller(), [](Reader&, const std::string&) { FAIL(); });
  closed->Start();
  const int copy = dup(closed->descriptor());
  closed->Close();
  closed->PeerWrites("x");
  const std::weak_ptr<Reader> gone = closed;
  closed = nullptr;  // Its events would lead to it.
  EXPECT_TRUE(gone.expired());
  const auto reader = std::make_shared<Reader>(*loop_.poller(), [&](Reader&, const std::string&) { loop_.Stop(); });
  reader->Start();
  reader->PeerWrites("x");
  loop_.Run();
  close(copy);
}

// Nobody who always has something to do keeps the others from their turn.
TEST_F(EventLoopTest, FunctionsAndTimersThatComeAgainAtOnceStarveNoSocket) {
  std::function<void()> again = [&] { asio::post(loop_.executor(), [&] { again(); }); };
  again();
  const auto timer = SystemClock().NewTimer(loop_.executor());
  std::function<void()> tick = [&] { timer->Arm(SystemClock().Now(), [&] { tick(); }); };
  tick();
  int reads = 0;
  const auto reader = std::make_shared<Reader>(*loop_.poller(), [&](Reader& its, const std::string&) {
    if (++reads == 100) return loop_.Stop();
    its.PeerWrites("x");
  });
  reader->PeerWrites("x");
  reader->Start();
  loop_.Run();
  EXPECT_EQ(reads, 100);
}

// What a turn has caused goes out in the same turn, whatever caused it.
TEST_F(EventLoopTest, EndsARoundAfterFunctionsAndAfterEvents) {
  std::string log;
  loop_.poller()->set_on_round([&] {
    if (log.empty() || log.back() == '|') return;
    log += "|";
  });
  const auto reader = std::make_shared<Reader>(*loop_.poller(), [&](Reader&, const std::string&) {
    EXPECT_TRUE(loop_.poller()->in_round());
    log += "e";
    loop_.Stop();
  });
  asio::post(loop_.executor(), [&] {
    EXPECT_TRUE(loop_.poller()->in_round());
    log += "f";
    reader->PeerWrites("x");
  });
  reader->Start();
  loop_.Run();
  EXPECT_EQ(log, "f|e|");
}

TEST_F(EventLoopTest, WhatHasNotRunIsDestroyedWithIt) {
  const auto alive = std::make_shared<int>();
  {
    EventLoop loop;
    asio::post(loop.executor(), [alive] { FAIL(); });
    asio::post(loop.executor(), [executor = loop.executor(), held = std::make_shared<int>()] { FAIL(); });
    loop.Stop();
    loop.Run();
    EXPECT_EQ(alive.use_count(), 2);
  }
  EXPECT_EQ(alive.use_count(), 1);
}

// Of whoever brings a transport of its own.
TEST_F(EventLoopTest, AsiosOwnObjectsWorkOnIt) {
  Begin();
  asio::steady_timer timer(loop_.executor(), milliseconds(1));
  std::promise<std::thread::id> fired;
  timer.async_wait([&fired](const asio::error_code&) { fired.set_value(std::this_thread::get_id()); });
  EXPECT_EQ(fired.get_future().get(), thread_.get_id());
  Join();
}

}  // namespace
}  // namespace mqttrpc::mqtt
