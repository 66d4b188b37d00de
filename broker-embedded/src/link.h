// A connection's shell: moves bytes between its transport and its protocol.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "mqttrpc/mqtt/deadline_queue.h"
#include "mqttrpc/mqtt/transport.h"
#include "server_connection.h"

namespace mqttrpc::broker {

class Link;

// Of a link among those that wait for their turn: the lowest rank is next, of equals the
// one that came first.
struct Place {
  std::uint64_t rank = 0;
  std::uint64_t ticket = 0;  // From 1 on; 0: it does not wait.
  auto operator<=>(const Place&) const = default;
};

// What a link needs from its shard. On the shard's thread.
class LinkHost {
 public:
  virtual mqtt::TimePoint Now() const = 0;
  virtual void BeforeInput() = 0;                    // Something has arrived.
  virtual bool HasTurn(const Link& link) const = 0;  // Else it waits; see OnUnfinished().
  virtual void OnAwake(Link& link) = 0;              // Flush() it at the end of the turn.
  virtual void OnPatient(Link& link) = 0;            // Wake() it soon, unless that comes about anyway.
  virtual void OnPublished(Link& link) = 0;          // It may have to be paused.
  virtual void OnUnfinished(Link& link) = 0;         // Continue() it in a later turn.
  virtual void OnMoves(Link& link) = 0;              // Take its transport to another shard; it is over here.

 protected:
  ~LinkHost() = default;
};

// Destroying it drops the stream. Its deadline queue entry is the shard's.
class Link final : public mqtt::Transport::Handler, public ServerConnection::Shell, public mqtt::DeadlineQueue::Entry {
 public:
  Link(LinkHost& host, BrokerCore& core, std::unique_ptr<mqtt::Transport> transport)
      : host_(host), transport_(std::move(transport)), connection_(core, *this, host.Now()) {}

  void Start() { transport_->Start(*this); }

  // Writes what waits. False if the link is over: destroy it. `gather` is scratch.
  bool Flush(mqtt::TimePoint now, std::vector<std::span<const std::byte>>& gather);

  // Ends the stream without waiting for the last write.
  void Close() { transport_->Close(); }

  // Handles more of what was read before.
  void Continue(mqtt::TimePoint now);

  std::unique_ptr<mqtt::Transport> TakeTransport() { return std::move(transport_); }

  void Pause();
  void Resume(mqtt::TimePoint now);

  ServerConnection& connection() { return connection_; }
  const ServerConnection& connection() const { return connection_; }

  // The shard's own notes.
  std::uint32_t index = 0;   // Among its links.
  std::uint64_t serial = 0;  // In the order they came.
  Place place;               // Among those to Continue().
  bool paused = false;
  bool held = false;                             // Not among those to Continue() although it is unfinished...
  bool was_held = false;                         // ...for so long that it is now, whatever else there is.
  bool patient = false;                          // Among those to Wake() soon.
  mqtt::TimePoint patient_since = mqtt::kNever;  // kNever: it has written since.

  // mqtt::Transport::Handler:
  void OnBytes(std::span<const std::byte> bytes) override;
  std::span<std::byte> BufferFor(std::span<std::byte> offered) override { return connection_.BufferFor(offered); }
  void OnWritten() override;
  void OnClosed(absl::Status why) override;

  // ServerConnection::Shell:
  void Wake() override;
  void WakeLater() override {
    if (!awake_) host_.OnPatient(*this);
  }
  std::string peer() const override { return transport_->peer(); }
  bool CanMove() const override;

 private:
  void AfterFrames();
  void Written();

  bool awake_ = false;
  LinkHost& host_;
  std::unique_ptr<mqtt::Transport> transport_;
  ServerConnection connection_;
};

}  // namespace mqttrpc::broker
