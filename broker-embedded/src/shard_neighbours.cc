// A shard among others: its mail, and the streams that go on with another.
#include <utility>

#include <asio/post.hpp>

#include "movable_transport.h"
#include "shard.h"

namespace mqttrpc::broker {

void Shard::Join(const std::vector<std::shared_ptr<Shard>>& shards, std::uint64_t seed) {
  const auto office = std::make_shared<PostOffice>(shards.size(), seed);
  for (std::size_t i = 0; i < shards.size(); ++i) {
    Shard& shard = *shards[i];
    shard.office_ = office;
    shard.all_.assign(shards.begin(), shards.end());
    shard.FlushAfterRounds();
    shard.core_.Join(*office, i, [&shard] { shard.ScheduleFlush(); });
    // One post for a batch, whoever brings it: until it runs, more may join it.
    office->box(i).set_wake([weak = std::weak_ptr(shards[i])] {
      const auto owner = weak.lock();
      if (owner == nullptr || owner->stopped()) return;
      asio::post(owner->executor_, [owner] { owner->OnMail(); });
    });
  }
}

void Shard::OnMail() {
  if (!Enter()) return;
  core_.work = 0;
  const bool posted = std::exchange(flush_posted_, true);  // It comes now.
  ReceiveMail();
  flush_posted_ = posted;
  Flush();
}

void Shard::ReceiveMail() {
  core_.now = Now();
  core_.neighbours->Receive();
  if (core_.neighbours->behind()) PostContinue();
}

// The client of `link` belongs to another shard.
void Shard::OnMoves(Link& link) {
  const auto home = all_[*link.connection().moves_to()].lock();
  if (home == nullptr) return;
  std::string unread = link.connection().TakeUnread();
  core_.counters.bytes_received.Set(core_.counters.bytes_received.value() - unread.size());  // It is counted there.
  auto stream = link.TakeTransport();
  static_cast<mqtt::MovableTransport&>(*stream).Leave();
  asio::post(home->executor_, [home, moved = std::move(stream), bytes = std::move(unread)]() mutable {
    if (home->Enter()) home->Arrive(std::move(moved), bytes);
  });
}

void Shard::Arrive(std::unique_ptr<mqtt::Transport> transport, const std::string& unread) {
  if (!static_cast<mqtt::MovableTransport&>(*transport).Join(executor_, poller_.get())) {
    core_.Log(mqtt::LogLevel::kWarning, "event=refused peer=", transport->peer(), " reason=\"no descriptor left\"");
    return;
  }
  if (stopped()) return;
  Link& link = AddAdmitted(std::move(transport));  // By the first shard; what it counted goes on.
  link.connection().set_moved();
  link.OnBytes(mqtt::AsBytes(unread));
}

}  // namespace mqttrpc::broker
