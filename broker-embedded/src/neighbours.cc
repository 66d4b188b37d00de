#include "neighbours.h"

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>

#include "broker_core.h"

namespace mqttrpc::broker {

Neighbours::Neighbours(BrokerCore& core, PostOffice& office, std::size_t index, std::function<void()> on_outgoing)
    : core_(core),
      office_(office),
      index_(index),
      on_outgoing_(std::move(on_outgoing)),
      outgoing_(office.shards()),
      outgoing_bytes_(office.shards()),
      groups_there_(office.shards()) {
  office_.set_counters(index_, core.counters);
  office_.box(index_).set_most_bytes(core.budget.part() / 16);
  core.router.set_outlet(this);
  core.router.subscriptions().Join(office.shards(), office.subscription_bytes());
  core.router.subscriptions().set_on_interest(
      [this](std::string_view topic_filter, bool begins) { AddForAll(News::OfInterest(topic_filter, begins)); });
}

template <typename Visit>
void Neighbours::ForEachOther(Visit visit) const {
  for (std::size_t shard = 0; shard < office_.shards(); ++shard) {
    if (shard != index_) visit(shard);
  }
}

std::size_t Neighbours::HomeOf(std::string_view client_id) const {
  return client_id.empty() ? core_.options.environment.random->Next() % office_.shards() : office_.HomeOf(client_id);
}

void Neighbours::OnOutgoing() {
  if (!std::exchange(told_of_outgoing_, true)) on_outgoing_();
}

// Who gives another shard something to do pays for it, and what a turn's work gives others
// is handled in a turn. Mail that goes on to a third shard must not wait for that one.
void Neighbours::OnWorkElsewhere(std::size_t work) {
  core_.work += work;
  core_.work_elsewhere += work;
  if (overfull_ && !handling_) core_.work = std::max(core_.work, BrokerCore::kWorkPerTurn);
}

// What it costs there is a guess, so it is never taken for less than a little.
void Neighbours::Add(std::size_t shard, ForwardedMessage message) {
  constexpr std::size_t kLeastWork = 8;
  if (closed_) return;
  OnWorkElsewhere(std::clamp(office_.box(shard).work_per_message(), kLeastWork, BrokerCore::kWorkPerTurn));
  outgoing_bytes_[shard] += message.message->block_bytes();
  core_.budget.TakeArriving(message.message->block_bytes());
  outgoing_[shard].messages.push_back(std::move(message));
  OnOutgoing();
}

void Neighbours::AddForAll(News news) {
  if (closed_) return;
  news.from = index_;
  OnWorkElsewhere(news.work() * (office_.shards() - 1));
  ForEachOther([&](std::size_t shard) { outgoing_[shard].news.push_back(news); });
  OnOutgoing();
}

void Neighbours::Send(std::size_t shard, const MessageRef& message) { Add(shard, ForwardedMessage(message)); }

void Neighbours::SendToGroup(const ShareGroup::Elsewhere& members, const MessageRef& message, GroupPast past) {
  ForwardedMessage forwarded(message);
  forwarded.group = members.group;
  forwarded.past = past;
  Add(members.shard, std::move(forwarded));
}

void Neighbours::OnGroupChanged(ShareGroup& group) {
  if (std::exchange(group.changed, true)) return;
  core_.work += group.work_to_tell;
  changed_groups_.push_back(group.id());
  OnOutgoing();
}

void Neighbours::OnGroupEnd(const ShareGroup& group) {
  if (group.told.members != 0) AddForAll(News::OfGroup(group.id(), "", GroupState()));
}

void Neighbours::OnInputHandled(std::size_t changed_before) {
  constexpr std::size_t kMany = 16;
  if (changed_groups_.size() > changed_before + kMany) TellGroups(changed_before);
}

void Neighbours::EndTurn() {
  core_.router.SendOnWhatWaitedForMemory();
  TellGroups(0);
  told_of_outgoing_ = false;
  ForEachOther([this](std::size_t shard) {
    MakeReady(outgoing_[shard]);
    Post(shard);
  });
  LookAround();
  in_turn_ = false;
}

void Neighbours::BeginTurn() {
  handled_messages_ = 0;
  LookAround();
}

// What the others keep, and what is on its way to anyone, counts here too.
void Neighbours::LookAround() {
  std::size_t kept = office_.box(index_).bytes();
  std::size_t arriving = 0;
  crowded_ = overfull_ = false;
  ForEachOther([&](std::size_t shard) {
    const Mailbox& box = office_.box(shard);
    const std::size_t used = office_.counters(shard).memory_used.value();
    const std::size_t kept_there = std::min<std::size_t>(used, office_.counters(shard).memory_kept.value());
    kept += kept_there + box.bytes();
    arriving += used - kept_there;
    crowded_ = crowded_ || box.crowded();
    overfull_ = overfull_ || box.overfull();
  });
  core_.budget.set_elsewhere(kept, arriving);
}

bool Neighbours::WaitForRoom() {
  bool waits = false;
  ForEachOther([&](std::size_t shard) { waits = office_.box(shard).WakeWhenRoomy(index_) || waits; });
  if (!waits) crowded_ = false;
  return waits;
}

// The filter goes with the first that they hear of the group.
void Neighbours::TellGroups(std::size_t first) {
  for (std::size_t i = first; i < changed_groups_.size(); ++i) {
    const ShareGroupId id = changed_groups_[i];
    ShareGroup* const group = core_.router.subscriptions().FindGroup(id);
    if (group == nullptr) continue;
    const bool known = group->told.members != 0;
    if (core_.router.UpdateTold(*group)) {
      AddForAll(News::OfGroup(id, known ? std::string_view() : group->topic_filter(), group->told));
    }
    group->changed = false;  // Whatever that has changed is told.
  }
  changed_groups_.resize(std::min(first, changed_groups_.size()));
}

// A message that nobody here needs any more goes itself, else a copy of it.
void Neighbours::MakeReady(MailBatch& batch) {
  for (ForwardedMessage& each : batch.messages) each.message = SharedMessage::ForShard(std::move(each.message));
}

void Neighbours::Post(std::size_t shard) {
  office_.box(shard).Post(outgoing_[shard]);
  core_.budget.GiveArriving(std::exchange(outgoing_bytes_[shard], 0));
}

bool Neighbours::HasRoomForAll(const SharedMessage& message) {
  if (message.payload().empty()) return true;  // It makes room.
  LookAround();
  return core_.budget.HasRoomForLasting((office_.shards() - 1) * message.block_bytes());
}

bool Neighbours::Broadcast(const MessageRef& message) {
  if (!HasRoomForAll(*message)) return false;
  ForEachOther([&](std::size_t shard) {
    Send(shard, message);
    MakeReady(outgoing_[shard]);  // With what comes before it.
  });
  bool told = false;
  {
    const std::lock_guard lock(office_.retained_order());
    told = HasRoomForAll(*message);  // For those of others that came just before, too.
    if (told) ForEachOther([&](std::size_t shard) { Post(shard); });
    office_.box(index_).Take(taken_);
  }
  if (!told && !closed_) ForEachOther([&](std::size_t shard) { outgoing_[shard].messages.pop_back(); });
  HandleNews();
  CatchUp();
  return told;
}

void Neighbours::CatchUp() {
  if (!behind()) return;
  const std::size_t before = core_.work;
  HandleMessages(kAll);
  core_.work = std::min(core_.work, before + BrokerCore::kWorkPerTurn);
}

// While mail is handled. What that makes others do is not the doing of the client whose
// turn it may be.
class Neighbours::MailScope {
 public:
  explicit MailScope(Neighbours& neighbours)
      : neighbours_(neighbours), elsewhere_before_(neighbours.core_.work_elsewhere) {
    neighbours_.handling_ = true;
  }
  ~MailScope() {
    neighbours_.handling_ = false;
    neighbours_.core_.work_elsewhere = elsewhere_before_;
  }
  MailScope(const MailScope&) = delete;
  MailScope& operator=(const MailScope&) = delete;

  std::size_t work_elsewhere() const { return neighbours_.core_.work_elsewhere - elsewhere_before_; }  // So far.

 private:
  Neighbours& neighbours_;
  const std::size_t elsewhere_before_;
};

void Neighbours::TakeMail() {
  auto& messages = taken_.messages;
  if (next_message_ > messages.size() / 2) {  // Moves each message once, on average, while we are behind.
    messages.erase(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(std::exchange(next_message_, 0)));
  }
  office_.box(index_).Take(taken_);
  HandleNews();
}

void Neighbours::HandleNews() {
  const MailScope scope(*this);
  std::size_t bytes = 0;
  for (const News& news : taken_.news) {
    Handle(news);
    bytes += news.bytes();
    core_.work += news.work();
  }
  const std::size_t handled = taken_.news.size();
  ClearAndTrim(taken_.news);
  OnHandled(bytes, handled);
}

void Neighbours::HandleMessages(Most most) {
  constexpr std::size_t kLeast = 16;  // Of a turn, however much else there is to do.
  const auto goes_on = [&] {
    return most == kAll || core_.work < BrokerCore::kWorkPerTurn || handled_messages_ < kLeast;
  };
  const std::size_t work = core_.work;
  const MailScope scope(*this);
  const std::size_t first = next_message_;
  std::size_t bytes = 0;
  for (; behind() && goes_on(); ++handled_messages_) {
    const ForwardedMessage message = std::move(taken_.messages[next_message_++]);
    bytes += message.bytes();
    Handle(message);
  }
  const std::size_t handled = next_message_ - first;
  if (!behind()) {
    ClearAndTrim(taken_.messages);
    next_message_ = 0;
  }
  if (handled > 0) office_.box(index_).OnWorked(handled, core_.work - work - scope.work_elsewhere());
  OnHandled(bytes, handled);
}

// From now on it counts as ours, whoever asks.
void Neighbours::OnHandled(std::size_t bytes, std::size_t mails) {
  if (mails == 0) return;
  core_.counters.memory_used.Set(core_.budget.used());
  core_.counters.memory_kept.Set(core_.budget.kept_here());
  core_.budget.OnCameHere(bytes);
  const ShardSet wait = office_.box(index_).OnHandled(bytes, mails);
  ForEachShard(wait, [this](std::size_t shard) { office_.box(shard).Wake(); });
}

void Neighbours::Handle(const ForwardedMessage& message) {
  SharedMessage::Charge(message.message, core_.budget);
  if (message.group == 0) {
    core_.TakeForwarded(message.message);
  } else {
    core_.work += core_.router.RouteToGroup(message.message, message.group, message.past);
  }
}

void Neighbours::Handle(const News& news) {
  SubscriptionTree& subscriptions = core_.router.subscriptions();
  if (news.group == 0) {
    if (news.begins) return subscriptions.AddShard(news.from, news.topic_filter);
    return subscriptions.RemoveShard(news.from, news.topic_filter);
  }
  auto& groups = groups_there_[news.from];
  if (!news.topic_filter.empty()) groups[news.group] = subscriptions.OpenGroup(news.topic_filter).id();
  const auto found = groups.find(news.group);
  if (found == groups.end()) return;
  ShareGroup& group = *subscriptions.FindGroup(found->second);  // As long as we know of its members there.
  core_.router.OnGroupState(group, news.from, news.group, news.state);
  if (news.state.members == 0) groups.erase(news.group);
}

std::uint64_t Neighbours::Sum(absl::FunctionRef<std::uint64_t(const Counters&)> figure) const {
  std::uint64_t sum = 0;
  ForEachOther([&](std::size_t shard) { sum += figure(office_.counters(shard)); });
  return sum;
}

}  // namespace mqttrpc::broker
