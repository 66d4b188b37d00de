#include "tcp_transport.h"

#include <array>
#include <numeric>

#include <gtest/gtest.h>
#include <asio/buffer.hpp>
#include <asio/completion_condition.hpp>
#include <asio/io_context.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>

#include "movable_transport.h"
#include "socket_poller.h"
#include "support/manual_clock.h"
#include "support/stream_recorder.h"

namespace mqttrpc::mqtt {
namespace {

using asio::ip::tcp;
using test::StreamRecorder;
using test::WriteText;

// Who waits for the socket.
enum class Watch { kAsio, kPoller };

// More than the system's buffers hold.
std::string Large() {
  std::string text;
  text.resize(20'000'000, 'x');
  return text;
}

// One transport and, at the other end of a loopback connection, a plain socket.
class TcpTransportTest : public testing::TestWithParam<Watch> {
 protected:
  TcpTransportTest() {
    tcp::acceptor acceptor(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    peer_.connect(acceptor.local_endpoint());
    transport_ = NewTcpTransport(WatchOf(acceptor.accept()), clock_);
  }

  std::unique_ptr<SocketWatch> WatchOf(tcp::socket socket) {
    if (GetParam() == Watch::kAsio) return NewAsioSocketWatch(std::move(socket));
    socket.non_blocking(true);
    return SocketPoller::New(io_.get_executor())->Watch(socket.release());
  }

  // Whether `text` was taken at once; else it must stay until OnWritten().
  bool Write(std::string_view text) { return WriteText(*transport_, text); }

  // The kernel's loopback is real, so this waits for it; a failure ends the wait.
  template <typename Predicate>
  bool RunUntil(Predicate predicate) {
    while (!predicate()) {
      if (io_.stopped()) io_.restart();
      if (io_.run_one_for(std::chrono::seconds(10)) == 0) return false;
    }
    return true;
  }

  std::string PeerReads(std::size_t size) {
    std::string text(size, '\0');
    asio::error_code error;
    text.resize(asio::read(peer_, asio::buffer(text), error));
    return text;
  }
  asio::error_code PeerReadsError() {
    char byte;
    asio::error_code error;
    peer_.read_some(asio::buffer(&byte, 1), error);
    return error;
  }

  asio::io_context io_;
  test::ManualClock clock_{io_};
  tcp::socket peer_{io_};
  StreamRecorder recorder_;
  std::string got_;
  std::unique_ptr<Transport> transport_;
};

INSTANTIATE_TEST_SUITE_P(Each, TcpTransportTest, testing::Values(Watch::kAsio, Watch::kPoller),
                         [](const auto& watch) { return watch.param == Watch::kAsio ? "Asio" : "Poller"; });

TEST_P(TcpTransportTest, ReadsWhatThePeerSent) {
  transport_->Start(recorder_);
  asio::write(peer_, asio::buffer("hello", 5));
  ASSERT_TRUE(RunUntil([&] { return recorder_.received.size() == 5; }));
  EXPECT_EQ(recorder_.received, "hello");
}

TEST_P(TcpTransportTest, ReadsMoreThanItsScratchBufferAndItsFairShareHold) {
  std::string sent(3'000'000, '\0');
  std::iota(sent.begin(), sent.end(), '\0');
  transport_->Start(recorder_);
  asio::async_write(peer_, asio::buffer(sent), [](const asio::error_code&, std::size_t) {});
  ASSERT_TRUE(RunUntil([&] { return recorder_.received.size() == sent.size(); }));
  EXPECT_EQ(recorder_.received, sent);
}

TEST_P(TcpTransportTest, BringsNoMoreAtOnceThanTheReaderWants) {
  const std::string sent(10'000, 'x');
  recorder_.maximum_read = 512;
  transport_->Start(recorder_);
  asio::write(peer_, asio::buffer(sent));
  ASSERT_TRUE(RunUntil([&] { return recorder_.received.size() == sent.size(); }));
  EXPECT_EQ(recorder_.largest_read, 512u);
}

TEST_P(TcpTransportTest, ReadsToTheReadersOwnMemory) {
  const std::string sent(10'000, 'x');
  recorder_.own_buffer.resize(512);
  transport_->Start(recorder_);
  asio::write(peer_, asio::buffer(sent));
  ASSERT_TRUE(RunUntil([&] { return recorder_.received.size() == sent.size(); }));
  EXPECT_EQ(recorder_.received, sent);
  EXPECT_EQ(recorder_.largest_read, 512u);
  EXPECT_EQ(recorder_.read_to, recorder_.own_buffer.data());
}

// A broker learns from CONNECT which of its threads a stream belongs to.
TEST_P(TcpTransportTest, GoesOnWithAnotherEventLoopWithoutLosingABit) {
  transport_->Start(recorder_);
  asio::write(peer_, asio::buffer("before ", 7));
  ASSERT_TRUE(RunUntil([&] { return recorder_.received.size() == 7; }));
  auto& movable = dynamic_cast<MovableTransport&>(*transport_);
  movable.Leave();
  asio::write(peer_, asio::buffer("between ", 8));
  RunUntil([&] { return io_.poll() == 0; });
  EXPECT_EQ(recorder_.received, "before ");
  asio::io_context other;
  const auto poller = GetParam() == Watch::kPoller ? SocketPoller::New(other.get_executor()) : nullptr;
  ASSERT_TRUE(movable.Join(other.get_executor(), poller.get()));
  StreamRecorder there;
  transport_->Start(there);
  asio::write(peer_, asio::buffer("after", 5));
  while (there.received.size() < 13) ASSERT_GT(other.run_one_for(std::chrono::seconds(10)), 0u);
  EXPECT_EQ(there.received, "between after");
  EXPECT_TRUE(Write("answer"));
  EXPECT_EQ(PeerReads(6), "answer");
  transport_ = nullptr;  // Before its event loop.
}

TEST_P(TcpTransportTest, ClosesTheSocketIfItIsDroppedOnItsWay) {
  transport_->Start(recorder_);
  dynamic_cast<MovableTransport&>(*transport_).Leave();
  transport_ = nullptr;
  EXPECT_EQ(PeerReadsError(), asio::error::eof);
}

TEST_P(TcpTransportTest, WritesAGatherOfManyPiecesWholeAndInOrder) {
  transport_->Start(recorder_);
  std::vector<std::string> pieces;
  std::string expected;
  for (int i = 0; i < 300; ++i) expected += pieces.emplace_back(std::to_string(i) + ",");
  std::vector<std::span<const std::byte>> gather;
  gather.reserve(pieces.size());
  for (const std::string& piece : pieces) gather.push_back(std::as_bytes(std::span(piece)));
  EXPECT_TRUE(transport_->Write(gather));
  EXPECT_EQ(PeerReads(expected.size()), expected);
  io_.poll();
  EXPECT_EQ(recorder_.written, 0) << "what was taken at once is not told again";
}

TEST_P(TcpTransportTest, ContinuesAWriteThatTheKernelTookInPart) {
  transport_->Start(recorder_);
  std::string sent;
  sent.resize(20'000'000, 'x');
  ASSERT_FALSE(Write(sent)) << "20 MB fit into socket buffers";
  EXPECT_EQ(recorder_.written, 0) << "called from inside Write";
  std::string got(sent.size(), '\0');
  bool read = false;
  asio::async_read(peer_, asio::buffer(got), [&](const asio::error_code&, std::size_t) { read = true; });
  ASSERT_TRUE(RunUntil([&] { return read && recorder_.written == 1; }));
  EXPECT_EQ(got, sent);
}

TEST_P(TcpTransportTest, TellsAnOrderlyEnd) {
  transport_->Start(recorder_);
  peer_.shutdown(tcp::socket::shutdown_send);
  ASSERT_TRUE(RunUntil([&] { return recorder_.closed.has_value(); }));
  EXPECT_TRUE(recorder_.closed->ok()) << *recorder_.closed;
}

TEST_P(TcpTransportTest, TellsAResetAsUnavailable) {
  transport_->Start(recorder_);
  peer_.set_option(asio::socket_base::linger(true, 0));
  peer_.close();
  ASSERT_TRUE(RunUntil([&] { return recorder_.closed.has_value(); }));
  EXPECT_EQ(recorder_.closed->code(), absl::StatusCode::kUnavailable);
}

TEST_P(TcpTransportTest, ReadsNothingWhilePaused) {
  transport_->Start(recorder_);
  transport_->PauseReading();
  asio::write(peer_, asio::buffer("hello", 5));
  EXPECT_TRUE(Write("x"));
  EXPECT_EQ(PeerReads(1), "x");
  io_.poll();
  EXPECT_EQ(recorder_.received, "");
  transport_->ResumeReading();
  ASSERT_TRUE(RunUntil([&] { return recorder_.received == "hello"; }));
}

TEST_P(TcpTransportTest, ReadsWhatCameWhileItWasPausedByTheReadBefore) {
  recorder_.on_bytes = [&] { transport_->PauseReading(); };
  transport_->Start(recorder_);
  asio::write(peer_, asio::buffer("one", 3));
  ASSERT_TRUE(RunUntil([&] { return recorder_.received == "one"; }));
  asio::write(peer_, asio::buffer("two", 3));
  io_.poll();
  EXPECT_EQ(recorder_.received, "one");
  transport_->ResumeReading();
  ASSERT_TRUE(RunUntil([&] { return recorder_.received == "onetwo"; }));
}

// It may have to wait for long, at no cost.
TEST_P(TcpTransportTest, APeerThatHasHalfClosedAndReadsNothingKeepsNobodyBusy) {
  transport_->Start(recorder_);
  transport_->PauseReading();
  const std::string sent = Large();
  ASSERT_FALSE(Write(sent));
  peer_.shutdown(tcp::socket::shutdown_send);
  int handlers = 0;
  while (handlers < 1'000 && io_.poll_one() == 1) ++handlers;
  EXPECT_LT(handlers, 1'000);
}

TEST_P(TcpTransportTest, CloseDeliversTheLastBytesEvenOverUnreadInput) {
  transport_->Start(recorder_);
  transport_->PauseReading();
  const std::string unread(100'000, 'u');
  asio::write(peer_, asio::buffer(unread));
  ASSERT_TRUE(Write("goodbye"));
  transport_->Close();
  transport_.reset();
  io_.poll();
  EXPECT_EQ(PeerReads(7), "goodbye");
  EXPECT_EQ(PeerReadsError(), asio::error::eof);
  peer_.close();
  io_.run();  // The stream lingered, saw our end and went: nothing is left.
  EXPECT_EQ(recorder_.received, "");
  EXPECT_FALSE(recorder_.closed.has_value());
}

TEST_P(TcpTransportTest, CloseWaitsForASilentPeerNoLongerThanItsLimit) {
  transport_->Start(recorder_);
  transport_->Close();
  transport_.reset();
  clock_.Advance(kTcpLinger - std::chrono::milliseconds(1));
  EXPECT_EQ(clock_.armed(), 1u);
  clock_.Advance(std::chrono::milliseconds(1));
  EXPECT_EQ(clock_.armed(), 0u);
  io_.restart();
  io_.run();
}

TEST_P(TcpTransportTest, AnEventLoopThatEndsWhileAStreamLingersLeaksNothing) {
  transport_->Start(recorder_);
  transport_->Close();
  transport_.reset();
}

TEST_P(TcpTransportTest, DestroyingDropsTheStreamAtOnce) {
  transport_->Start(recorder_);
  const std::string sent = Large();
  ASSERT_FALSE(Write(sent));
  transport_.reset();
  io_.run();
  EXPECT_EQ(recorder_.written, 0);
  EXPECT_FALSE(recorder_.closed.has_value());
}

TEST_P(TcpTransportTest, MayBeDestroyedInOnBytes) {
  recorder_.on_bytes = [&] { transport_.reset(); };
  transport_->Start(recorder_);
  const std::string sent(1'000'000, 'x');
  asio::async_write(peer_, asio::buffer(sent), [](const asio::error_code&, std::size_t) {});
  io_.run();
  EXPECT_LE(recorder_.received.size(), 64u * 1024);
  EXPECT_FALSE(recorder_.closed.has_value());
}

TEST_P(TcpTransportTest, MayBeDestroyedInOnWritten) {
  recorder_.on_written = [&] { transport_.reset(); };
  transport_->Start(recorder_);
  const std::string sent = Large();
  ASSERT_FALSE(Write(sent));
  asio::async_read(peer_, asio::dynamic_buffer(got_), asio::transfer_exactly(sent.size()),
                   [](const asio::error_code&, std::size_t) {});
  io_.run();
  EXPECT_EQ(recorder_.written, 1);
}

TEST_P(TcpTransportTest, MayBeDestroyedInOnClosed) {
  recorder_.on_closed = [&] { transport_.reset(); };
  transport_->Start(recorder_);
  peer_.close();
  io_.run();
  EXPECT_TRUE(recorder_.closed.has_value());
}

TEST_P(TcpTransportTest, NamesItsPeer) {
  EXPECT_EQ(transport_->peer(), "127.0.0.1:" + std::to_string(peer_.local_endpoint().port()));
}

}  // namespace
}  // namespace mqttrpc::mqtt
