#include <thread>

#include <gtest/gtest.h>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include "movable_transport.h"
#include "support/stream_recorder.h"

namespace mqttrpc::mqtt {
namespace {

using test::StreamRecorder;
using test::WriteText;

class MemoryTransportTest : public testing::Test {
 protected:
  MemoryTransportTest() { std::tie(near_, far_) = MemoryTransportPair(io_.get_executor(), io_.get_executor()); }

  void Start() {
    near_->Start(at_near_);
    far_->Start(at_far_);
  }
  void Run() {
    io_.restart();
    io_.run();
  }

  asio::io_context io_;
  StreamRecorder at_near_, at_far_;
  std::unique_ptr<Transport> near_, far_;
};

TEST_F(MemoryTransportTest, CarriesBytesBothWays) {
  Start();
  EXPECT_TRUE(WriteText(*near_, "ping"));
  EXPECT_TRUE(WriteText(*far_, "pong"));
  EXPECT_EQ(at_far_.received, "") << "called from inside Write";
  Run();
  EXPECT_EQ(at_far_.received, "ping");
  EXPECT_EQ(at_near_.received, "pong");
  EXPECT_EQ(at_near_.written + at_far_.written, 0) << "what was taken at once is not told again";
}

TEST_F(MemoryTransportTest, KeepsWhatCameBeforeTheOtherEndStarted) {
  near_->Start(at_near_);
  EXPECT_TRUE(WriteText(*near_, "early"));
  Run();
  far_->Start(at_far_);
  Run();
  EXPECT_EQ(at_far_.received, "early");
}

TEST_F(MemoryTransportTest, GoesOnWithAnotherEventLoopWithoutLosingABit) {
  Start();
  EXPECT_TRUE(WriteText(*near_, "before "));
  Run();
  EXPECT_TRUE(WriteText(*near_, "between "));  // A turn for it waits already.
  auto& movable = dynamic_cast<MovableTransport&>(*far_);
  movable.Leave();
  Run();
  EXPECT_EQ(at_far_.received, "before ");
  asio::io_context other;
  ASSERT_TRUE(movable.Join(other.get_executor(), nullptr));
  StreamRecorder there;
  far_->Start(there);
  Run();
  EXPECT_EQ(there.received, "");
  EXPECT_TRUE(WriteText(*near_, "after"));
  other.run();
  EXPECT_EQ(there.received, "between after");
  far_ = nullptr;
}

TEST_F(MemoryTransportTest, APausedReaderHoldsBackAWriterBeyondTheBuffer) {
  Start();
  far_->PauseReading();
  const std::string large(100'000, 'x');
  EXPECT_FALSE(WriteText(*near_, large));
  Run();
  EXPECT_EQ(at_near_.written, 0);
  EXPECT_EQ(at_far_.received, "");
  far_->ResumeReading();
  Run();
  EXPECT_EQ(at_near_.written, 1);
  EXPECT_EQ(at_far_.received, large);
}

TEST_F(MemoryTransportTest, BringsNoMoreAtOnceThanTheReaderWants) {
  Start();
  at_far_.maximum_read = 3;
  std::string text;
  for (int i = 0; i < 1000; ++i) text += std::to_string(i);
  EXPECT_TRUE(WriteText(*near_, text));
  Run();
  EXPECT_TRUE(WriteText(*near_, "and more"));
  Run();
  EXPECT_EQ(at_far_.received, text + "and more");
  EXPECT_EQ(at_far_.largest_read, 3u);
}

TEST_F(MemoryTransportTest, ReadsToTheReadersOwnMemory) {
  Start();
  at_far_.own_buffer.resize(512);
  const std::string sent(10'000, 'x');
  EXPECT_TRUE(WriteText(*near_, sent));
  Run();
  EXPECT_EQ(at_far_.received, sent);
  EXPECT_EQ(at_far_.largest_read, 512u);
  EXPECT_EQ(at_far_.read_to, at_far_.own_buffer.data());
}

TEST_F(MemoryTransportTest, CloseDeliversWhatWasWrittenThenEndsInOrder) {
  Start();
  EXPECT_TRUE(WriteText(*near_, "goodbye"));
  near_->Close();
  near_.reset();
  Run();
  EXPECT_EQ(at_far_.received, "goodbye");
  ASSERT_TRUE(at_far_.closed.has_value());
  EXPECT_TRUE(at_far_.closed->ok());
  EXPECT_FALSE(at_near_.closed.has_value());
}

TEST_F(MemoryTransportTest, DroppingEndsTheOtherSideAsUnavailable) {
  Start();
  near_.reset();
  Run();
  ASSERT_TRUE(at_far_.closed.has_value());
  EXPECT_EQ(at_far_.closed->code(), absl::StatusCode::kUnavailable);
}

TEST_F(MemoryTransportTest, MayBeDestroyedInItsCallbacks) {
  Start();
  at_far_.on_bytes = [&] { far_.reset(); };
  at_near_.on_closed = [&] { near_.reset(); };
  EXPECT_TRUE(WriteText(*near_, "x"));
  Run();
  EXPECT_EQ(at_far_.received, "x");
  EXPECT_TRUE(at_near_.closed.has_value());
  EXPECT_EQ(near_, nullptr);
}

// 2,000 messages as fast as they are taken; each end has a thread of its own.
TEST(MemoryTransportThreadsTest, AStreamBetweenTwoThreadsArrivesInOrder) {
  struct End {
    asio::io_context io;
    asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(io);
    StreamRecorder recorder;
    std::unique_ptr<Transport> transport;
  };
  End sender, reader;
  std::tie(sender.transport, reader.transport) =
      MemoryTransportPair(sender.io.get_executor(), reader.io.get_executor());
  std::string expected, message;
  int sent = 0;
  const auto send = [&] {
    do {
      if (sent == 2'000) {
        sender.transport->Close();
        return sender.work.reset();
      }
      message = std::string(1'000, 'x') + std::to_string(sent++) + ",";
      expected += message;
    } while (WriteText(*sender.transport, message));
  };
  sender.recorder.on_written = send;
  reader.recorder.on_closed = [&] { reader.work.reset(); };
  asio::post(sender.io, [&] {
    sender.transport->Start(sender.recorder);
    send();
  });
  asio::post(reader.io, [&] { reader.transport->Start(reader.recorder); });
  std::thread sending([&] { sender.io.run(); });
  std::thread reading([&] { reader.io.run(); });
  sending.join();
  reading.join();
  EXPECT_EQ(reader.recorder.received, expected);
  EXPECT_TRUE(reader.recorder.closed->ok());
}

}  // namespace
}  // namespace mqttrpc::mqtt
