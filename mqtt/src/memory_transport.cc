#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>

#include <asio/any_io_executor.hpp>

#include "chained_executor.h"
#include "movable_transport.h"

namespace mqttrpc::mqtt {
namespace {

// What a Write() may leave unread at the other end and still count as written,
// as a socket's send buffer would.
constexpr std::size_t kBufferBytes = std::size_t{64} * 1024;

// Both ends and what is under way between them. An end's handler is called by
// OnChained() alone, on that end's executor; the lock guards the rest and is never
// held while a handler runs.
class Pipe final : public std::enable_shared_from_this<Pipe>, private ChainedExecutor::Target {
 public:
  Pipe(const asio::any_io_executor& first, const asio::any_io_executor& second) : ends_{End(first), End(second)} {}

  void Start(int side, Transport::Handler& handler) {
    const std::lock_guard lock(mutex_);
    ends_[side].handler = &handler;
    WakeLocked(side);
  }

  bool Write(int side, std::span<const std::span<const std::byte>> gather) {
    const std::lock_guard lock(mutex_);
    End& other = Other(side);
    if (other.state == State::kOpen) {
      for (const auto& piece : gather) {
        other.inbox.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      }
    }
    WakeLocked(1 - side);
    ends_[side].writing = true;
    if (!WrittenLocked(side)) return false;
    ends_[side].writing = false;
    return true;
  }

  void SetPaused(int side, bool paused) {
    const std::lock_guard lock(mutex_);
    ends_[side].paused = paused;
    WakeLocked(side);
  }

  void Close(int side) { Leave(side, State::kClosed); }
  void Drop(int side) { Leave(side, State::kDropped); }

  void BeginMove(int side) {
    const std::lock_guard lock(mutex_);
    End& end = ends_[side];
    end.handler = nullptr;
    end.paused = false;
    end.awake = false;
    ++end.moves;
  }
  void EndMove(int side, const asio::any_io_executor& executor) {
    const std::lock_guard lock(mutex_);
    ends_[side].executor.emplace(executor);
  }

 private:
  enum class State { kOpen, kClosed, kDropped };

  struct End {
    explicit End(const asio::any_io_executor& on) : executor(on) {}

    std::optional<ChainedExecutor> executor;  // Empty once it has left: its event loop may end before us.
    Transport::Handler* handler = nullptr;    // Null: not started, or no callback may follow.
    State state = State::kOpen;
    bool paused = false;
    bool writing = false;  // A Write() waits for its OnWritten().
    bool awake = false;    // A turn is posted.
    int moves = 0;         // To another executor: a turn from before one is void.
    std::string inbox;     // Written by the other end.
    std::string reading;   // What was in it before; keeps its memory for the next time. Not guarded.
    std::size_t read = 0;  // How much of `reading` was read.

    std::size_t unread() const { return inbox.size() + reading.size() - read; }
  };

  End& Other(int side) { return ends_[1 - side]; }

  void Leave(int side, State state) {
    const std::lock_guard lock(mutex_);
    End& end = ends_[side];
    if (end.state != State::kOpen) return;
    end.state = state;
    end.handler = nullptr;
    end.executor.reset();
    end.inbox.clear();
    WakeLocked(1 - side);
  }

  bool WrittenLocked(int side) {
    return ends_[side].writing && Other(side).state == State::kOpen && Other(side).unread() <= kBufferBytes;
  }
  bool ReadableLocked(int side) { return !ends_[side].paused && ends_[side].unread() > 0; }
  bool OverLocked(int side) { return ends_[side].unread() == 0 && Other(side).state != State::kOpen; }

  // Posts a turn for `side` if it has something to be told.
  void WakeLocked(int side) {
    End& end = ends_[side];
    if (end.awake || end.handler == nullptr) return;
    if (!WrittenLocked(side) && !ReadableLocked(side) && !OverLocked(side)) return;
    end.awake = true;
    end.executor->Post(std::shared_ptr<ChainedExecutor::Target>(shared_from_this(), this), 2 * end.moves + side);
  }

  // A turn: tells one thing, and comes again for the next.
  void OnChained(int what) override {
    const int side = what % 2;
    End& end = ends_[side];
    std::unique_lock lock(mutex_);
    if (what / 2 != end.moves) return;
    end.awake = false;
    Transport::Handler* const handler = end.handler;
    if (handler == nullptr) return;
    if (WrittenLocked(side)) {
      end.writing = false;
      WakeLocked(side);
      lock.unlock();
      handler->OnWritten();
    } else if (ReadableLocked(side)) {
      if (end.read == end.reading.size()) {
        end.reading.clear();
        end.read = 0;
        std::swap(end.reading, end.inbox);
      }
      const auto offered = std::as_writable_bytes(std::span(end.reading).subspan(end.read));
      lock.unlock();
      std::span<std::byte> into = handler->BufferFor(offered);
      into = into.first(std::min(into.size(), offered.size()));
      if (into.data() != offered.data()) std::memcpy(into.data(), offered.data(), into.size());
      lock.lock();
      end.read += into.size();
      WakeLocked(1 - side);
      WakeLocked(side);
      lock.unlock();
      handler->OnBytes(into);
    } else if (OverLocked(side)) {
      end.handler = nullptr;
      const bool in_order = Other(side).state == State::kClosed;
      lock.unlock();
      handler->OnClosed(in_order ? absl::OkStatus() : absl::UnavailableError("memory: the peer dropped the stream"));
    }
  }

  std::mutex mutex_;
  std::array<End, 2> ends_;
};

class MemoryTransport final : public MovableTransport {
 public:
  MemoryTransport(std::shared_ptr<Pipe> pipe, int side) : pipe_(std::move(pipe)), side_(side) {}
  ~MemoryTransport() override { pipe_->Drop(side_); }

  void Start(Handler& handler) override { pipe_->Start(side_, handler); }
  bool Write(std::span<const std::span<const std::byte>> gather) override { return pipe_->Write(side_, gather); }
  void PauseReading() override { pipe_->SetPaused(side_, true); }
  void ResumeReading() override { pipe_->SetPaused(side_, false); }
  void Close() override { pipe_->Close(side_); }
  void Leave() override { pipe_->BeginMove(side_); }
  bool Join(const asio::any_io_executor& executor, SocketPoller*) override {
    pipe_->EndMove(side_, executor);
    return true;
  }
  std::string peer() const override { return "memory"; }

 private:
  const std::shared_ptr<Pipe> pipe_;
  const int side_;
};

}  // namespace

std::pair<std::unique_ptr<Transport>, std::unique_ptr<Transport>> MemoryTransportPair(asio::any_io_executor first,
                                                                                      asio::any_io_executor second) {
  auto pipe = std::make_shared<Pipe>(first, second);
  return {std::make_unique<MemoryTransport>(pipe, 0), std::make_unique<MemoryTransport>(pipe, 1)};
}

}  // namespace mqttrpc::mqtt
