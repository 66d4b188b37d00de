#include <thread>

#include <gtest/gtest.h>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>

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
  WriteText(*near_, "ping");
  WriteText(*far_, "pong");
  EXPECT_EQ(at_near_.written, 0) << "called from inside Write";
  Run();
  EXPECT_EQ(at_far_.received, "ping");
  EXPECT_EQ(at_near_.received, "pong");
  EXPECT_EQ(at_near_.written, 1);
  EXPECT_EQ(at_far_.written, 1);
}

TEST_F(MemoryTransportTest, KeepsWhatCameBeforeTheOtherEndStarted) {
  near_->Start(at_near_);
  WriteText(*near_, "early");
  Run();
  far_->Start(at_far_);
  Run();
  EXPECT_EQ(at_far_.received, "early");
}

TEST_F(MemoryTransportTest, APausedReaderHoldsBackAWriterBeyondTheBuffer) {
  Start();
  far_->PauseReading();
  const std::string large(100'000, 'x');
  WriteText(*near_, large);
  Run();
  EXPECT_EQ(at_near_.written, 0);
  EXPECT_EQ(at_far_.received, "");
  far_->ResumeReading();
  Run();
  EXPECT_EQ(at_near_.written, 1);
  EXPECT_EQ(at_far_.received, large);
}

TEST_F(MemoryTransportTest, CloseDeliversWhatWasWrittenThenEndsInOrder) {
  Start();
  WriteText(*near_, "goodbye");
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
  WriteText(*near_, "x");
  Run();
  EXPECT_EQ(at_far_.received, "x");
  EXPECT_TRUE(at_near_.closed.has_value());
  EXPECT_EQ(near_, nullptr);
}

// Each end sends 2,000 messages as fast as OnWritten() allows, on its own thread.
TEST(MemoryTransportThreadsTest, TwoThreadsExchangeAStreamInOrder) {
  struct End {
    asio::io_context io;
    StreamRecorder recorder;
    std::unique_ptr<Transport> transport;
    std::string message;
    int sent = 0;
    void Send() {
      if (sent == 2'000) return transport->Close();
      message = std::to_string(sent++) + ",";
      WriteText(*transport, message);
    }
  };
  End ends[2];
  std::tie(ends[0].transport, ends[1].transport) =
      MemoryTransportPair(ends[0].io.get_executor(), ends[1].io.get_executor());
  std::string expected;
  for (int i = 0; i < 2'000; ++i) expected += std::to_string(i) + ",";
  // One end only receives, so that its reader is there until the other closed.
  End& sender = ends[0];
  End& reader = ends[1];
  sender.recorder.on_written = [&] { sender.Send(); };
  asio::post(sender.io, [&] {
    sender.transport->Start(sender.recorder);
    sender.Send();
  });
  asio::post(reader.io, [&] { reader.transport->Start(reader.recorder); });
  auto work = asio::make_work_guard(reader.io);
  reader.recorder.on_closed = [&] { work.reset(); };
  std::thread other([&] { reader.io.run(); });
  auto sender_work = asio::make_work_guard(sender.io);
  std::thread first([&] { sender.io.run(); });
  other.join();
  sender_work.reset();
  first.join();
  EXPECT_EQ(reader.recorder.received, expected);
  EXPECT_TRUE(reader.recorder.closed->ok());
}

}  // namespace
}  // namespace mqttrpc::mqtt
