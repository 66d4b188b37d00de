#include "neighbours.h"

#include <mutex>
#include <string>
#include <variant>

#include "broker_core.h"

namespace mqttrpc::broker {

Neighbours::Neighbours(BrokerCore& core, PostOffice& office, std::size_t index, std::function<void()> on_outgoing)
    : core_(core), office_(office), index_(index), on_outgoing_(std::move(on_outgoing)), outgoing_(office.shards()) {
  office_.set_counters(index_, core.counters);
  core.router.set_outlet(this);
  core.router.subscriptions().set_on_interest([this](std::string_view topic_filter, bool begins) {
    AddForAll(InterestMail(std::string(topic_filter), begins));
  });
}

template <typename Visit>
void Neighbours::ForEachOther(Visit visit) const {
  for (std::size_t shard = 0; shard < office_.shards(); ++shard) {
    if (shard != index_) visit(shard);
  }
}

template <typename What>
void Neighbours::Add(std::size_t shard, What what) {
  if (closed_) return;
  outgoing_[shard].mails.emplace_back(index_, std::move(what));
  if (!std::exchange(told_of_outgoing_, true)) on_outgoing_();
}

template <typename What>
void Neighbours::AddForAll(const What& what) {
  ForEachOther([&](std::size_t shard) { Add(shard, what); });
}

void Neighbours::Send(std::size_t shard, const MessageRef& message) { Add(shard, MessageMail(message)); }

void Neighbours::SendToGroup(std::size_t shard, const MessageRef& message, const ShareGroup& group) {
  Add(shard, GroupMessageMail(message, group.topic_filter()));
}

void Neighbours::OnGroupChanged(ShareGroup& group) {
  if (std::exchange(group.changed, true)) return;
  changed_groups_.push_back(group.id());
  if (!std::exchange(told_of_outgoing_, true)) on_outgoing_();
}

void Neighbours::OnGroupEnd(const ShareGroup& group) {
  if (group.told.members != 0) AddForAll(GroupStateMail(group.topic_filter(), GroupState()));
}

void Neighbours::EndTurn() {
  TellGroups();
  Post();
  LookAtMemory();
  in_turn_ = false;
}

// What the others keep, and what is on its way to anyone, counts here too.
void Neighbours::LookAtMemory() {
  std::size_t elsewhere = office_.box(index_).bytes();
  ForEachOther([&](std::size_t shard) {
    elsewhere += office_.counters(shard).memory_kept.value() + office_.box(shard).bytes();
  });
  core_.budget.set_elsewhere(elsewhere);
}

void Neighbours::TellGroups() {
  for (const ShareGroupId id : changed_groups_) {
    ShareGroup* const group = core_.router.subscriptions().FindGroup(id);
    if (group == nullptr) continue;
    group->changed = false;
    core_.work += group->members().size();
    if (core_.router.UpdateTold(*group)) AddForAll(GroupStateMail(group->topic_filter(), group->told));
  }
  changed_groups_.clear();
}

void Neighbours::Post() {
  told_of_outgoing_ = false;
  ForEachOther([this](std::size_t shard) { PostTo(shard); });
}

// A message that nobody here needs any more goes itself, else a copy of it.
void Neighbours::PostTo(std::size_t shard) {
  MailBatch& batch = outgoing_[shard];
  for (Mail& mail : batch.mails) {
    MessageRef* const message = mail.message();
    if (message == nullptr) continue;
    *message = SharedMessage::ForShard(std::move(*message));
    batch.bytes += (*message)->block_bytes();
  }
  office_.box(shard).Post(batch);
}

void Neighbours::Broadcast(const MessageRef& message) {
  std::vector<Mail> before = std::move(taken_);
  {
    const std::lock_guard lock(office_.retained_order());
    ForEachOther([&](std::size_t shard) {
      Send(shard, message);
      PostTo(shard);  // With what comes before it.
    });
    office_.box(index_).Take(before);
  }
  Handle(before);
  taken_ = std::move(before);
}

void Neighbours::TakeMail() {
  std::vector<Mail> mails = std::move(taken_);
  office_.box(index_).Take(mails);
  Handle(mails);
  taken_ = std::move(mails);
}

void Neighbours::Handle(std::vector<Mail>& mails) {
  for (Mail& mail : mails) {
    std::visit([&](auto& what) { Handle(mail.from, what); }, mail.what);
  }
  mails.clear();
}

void Neighbours::Handle(std::size_t, MessageMail& mail) {
  SharedMessage::Charge(mail.message, core_.budget);
  core_.TakeForwarded(mail.message);
}

void Neighbours::Handle(std::size_t, GroupMessageMail& mail) {
  SharedMessage::Charge(mail.message, core_.budget);
  core_.work += core_.router.RouteToGroup(mail.message, mail.topic_filter);
}

void Neighbours::Handle(std::size_t from, InterestMail& mail) {
  ++core_.work;
  if (mail.begins) {
    core_.router.subscriptions().AddShard(from, mail.topic_filter);
  } else {
    core_.router.subscriptions().RemoveShard(from, mail.topic_filter);
  }
}

void Neighbours::Handle(std::size_t from, GroupStateMail& mail) {
  ++core_.work;
  core_.router.OnGroupState(from, mail.topic_filter, mail.state);
}

std::uint64_t Neighbours::Sum(absl::FunctionRef<std::uint64_t(const Counters&)> figure) const {
  std::uint64_t sum = 0;
  ForEachOther([&](std::size_t shard) { sum += figure(office_.counters(shard)); });
  return sum;
}

}  // namespace mqttrpc::broker
