// From a message to one member of each share group it is for (MQTT 4.8.2).
#include <algorithm>
#include <map>
#include <utility>

#include "router.h"

namespace mqttrpc::broker {
namespace {

// Among so many members that can take a message, one is idle enough; and of many
// messages that are given away at once.
constexpr std::size_t kEnoughMembers = 64;
constexpr std::size_t kEnoughForMany = 16;

// What a shard's members of a group can take at once, as far as others need to know.
constexpr std::size_t kEnoughRoom = 256;

// Of many not every one that comes or goes is told.
bool AreAboutAsMany(const GroupState& now, const GroupState& told) {
  const std::uint32_t difference =
      now.listening > told.listening ? now.listening - told.listening : told.listening - now.listening;
  return difference == 0 || (now.listening > kEnoughMembers && difference <= told.listening / 8);
}

bool NeedsRoom(const SharedMessage& message) { return ShareGroup::NeedsRoom(message); }

}  // namespace

std::optional<std::size_t> Router::LoadOf(const Subscription& member, const MessageRef& message) {
  return static_cast<const RouteTarget&>(*member.subscriber).LoadFor(DeliveryFor(message, member));
}

// Of the members that can take the message at once, the one with the least
// unacknowledged messages; of equals, the next in turn. Null if none can. Of very many
// not all are asked; `work` grows by the number of those who are.
const Subscription* Router::Choose(ShareGroup& group, const MessageRef& message, std::size_t& work) {
  const auto& members = group.members();
  const Subscription* chosen = nullptr;
  std::size_t least = 0;
  std::size_t able = 0;
  std::size_t chosen_index = 0;
  std::size_t index = group.next();
  for (std::size_t i = 0; i < members.size() && able < kEnoughMembers;
       ++i, index = index + 1 == members.size() ? 0 : index + 1) {
    ++work;
    const auto load = LoadOf(*members[index], message);
    if (!load) continue;
    ++able;
    if (chosen != nullptr && *load >= least) continue;
    chosen = members[index];
    least = *load;
    chosen_index = index;
    if (least == 0) break;  // Nobody has less to do.
  }
  if (chosen != nullptr) {
    group.set_next(chosen_index + 1);
  } else if (NeedsRoom(*message) && !members.empty()) {
    group.Refused(*message);
  }
  return chosen;
}

// Chooses as above for many messages, one after the other. Who cannot take one is not
// asked again: so many members that can take nothing cost their number once. They have
// something unacknowledged, and get more when they have acknowledged it.
class Router::Round {
 public:
  explicit Round(const ShareGroup& group) : able_(group.members()) {
    std::rotate(able_.begin(), able_.begin() + static_cast<std::ptrdiff_t>(group.next()), able_.end());
  }

  const Subscription* Next(const MessageRef& message) {
    const Subscription* chosen = nullptr;
    std::size_t least = 0;
    for (std::size_t asked = 0; asked < std::min(able_.size(), kEnoughForMany); ++asked) {
      const auto load = LoadOfNext(message);
      if (!load) break;
      const Subscription* const member = able_[next_++];
      if (chosen != nullptr && *load >= least) continue;
      chosen = member;
      least = *load;
      if (least == 0) break;
    }
    return chosen;
  }

 private:
  // Of able_[next_], which is made one that can take the message. Empty if there is none.
  std::optional<std::size_t> LoadOfNext(const MessageRef& message) {
    while (!able_.empty()) {
      if (next_ >= able_.size()) next_ = 0;
      if (const auto load = LoadOf(*able_[next_], message)) return load;
      able_[next_] = able_.back();
      able_.pop_back();
    }
    return std::nullopt;
  }

  std::vector<Subscription*> able_;
  std::size_t next_ = 0;
};

void Router::RouteTo(ShareGroup& group) {
  ++result_.work;
  if (NeedsRoom(**message_)) SendOnHeld(group);
  // Behind those that wait already, but for QoS 0, which waits for nobody.
  if (group.backlog().empty() || !NeedsRoom(**message_)) {
    ShareGroup::Elsewhere* const next = budget_.exhausted() ? nullptr : group.NextElsewhere(**message_);
    if (next != nullptr) {
      ++result_.matched;
      return SendTo(*next, *message_, GroupPast::kNew);
    }
    if (const Subscription* chosen = Choose(group, *message_, result_.work)) {
      copies_.emplace_back(static_cast<RouteTarget&>(*chosen->subscriber), DeliveryFor(*message_, *chosen));
      return Changed(group);
    }
    if (SendOn(group, *message_, GroupPast::kNew)) {
      ++result_.matched;
      return;
    }
  }
  ++result_.matched;
  if (const auto reason = Hold(group, *message_, GroupPast::kNew)) {
    ++result_.dropped;
    counters_.Dropped(*reason).Add();
  }
}

// What has come for members who could not take it any more, while others still can. Ours
// cannot: whoever of them has room again takes what waits at once.
void Router::SendOnHeld(ShareGroup& group) {
  while (!group.backlog().empty() && SendOn(group, group.backlog().front(), GroupPast::kKept)) {
    group.Take();
    Changed(group);
  }
}

// To another shard with members that can take it; false if there is none, or no memory for
// what is on its way. What was kept and is in no other place moves, and needs none. Nobody
// would tell us to try the others again.
bool Router::SendOn(ShareGroup& group, const MessageRef& message, GroupPast past) {
  ShareGroup::Elsewhere* const members = group.AnyElsewhere(*message);
  if (members == nullptr) return false;
  const bool kept = past == GroupPast::kKept;
  if (budget_.exhausted() && !(kept && message->is_unique())) {
    if (kept) wait_for_memory_.insert(group.id());
    return false;
  }
  SendTo(*members, message, past);
  return true;
}

void Router::SendOnWhatWaitedForMemory() {
  if (wait_for_memory_.empty() || budget_.exhausted()) return;
  for (const ShareGroupId id : std::exchange(wait_for_memory_, {})) SendOnHeld(*tree_.FindGroup(id));
}

void Router::SendTo(ShareGroup::Elsewhere& members, const MessageRef& message, GroupPast past) {
  if (members.state.room > 0) --members.state.room;  // Until it tells of more.
  outlet_->SendToGroup(members, message, past);
}

std::size_t Router::RouteToGroup(const MessageRef& message, ShareGroupId id, GroupPast past) {
  ShareGroup* const group = tree_.FindGroup(id);
  if (group == nullptr) {
    counters_.Dropped(DropReason::kNoReceiver).Add();
    return 1;
  }
  std::size_t work = 1;
  ++group->received;
  Changed(*group);
  if (NeedsRoom(*message)) SendOnHeld(*group);
  if (group->backlog().empty() || !NeedsRoom(*message)) {
    if (const Subscription* chosen = Choose(*group, message, work)) {
      auto& target = static_cast<RouteTarget&>(*chosen->subscriber);
      if (past == GroupPast::kKept) {
        target.DeliverHeld(DeliveryFor(message, *chosen));
      } else {
        target.Deliver(DeliveryFor(message, *chosen));
      }
      return work;
    }
    if (past == GroupPast::kNew && SendOn(*group, message, GroupPast::kRefused)) return work;
  }
  if (const auto reason = Hold(*group, message, past)) counters_.Dropped(*reason).Add();
  return work;
}

void Router::OnGroupState(ShareGroup& group, std::size_t shard, ShareGroupId group_there, const GroupState& state) {
  tree_.SetElsewhere(group, shard, group_there, state);
  SendOnHeld(group);
  tree_.CloseGroup(group);
}

// Who holds messages can take no others, nor such as are as large as one that was refused.
// Told so, the others send it no more of those that would wait, and two that hold some do
// not send them to and fro.
bool Router::UpdateTold(ShareGroup& group) {
  SendOnHeld(group);
  GroupState state;
  state.members = static_cast<std::uint32_t>(group.members().size());
  std::uint32_t looked_at = 0;
  std::size_t largest = 0;
  for (const Subscription* member : group.members()) {
    ++looked_at;
    const auto& target = static_cast<const RouteTarget&>(*member->subscriber);
    state.keeps = state.keeps || member->options.qos != mqtt::QoS::kAtMostOnce;
    if (target.Listens()) ++state.listening;
    const Outbox::Room room = target.room();
    state.room = static_cast<std::uint32_t>(std::min(kEnoughRoom, state.room + room.messages));
    largest = std::max(largest, room.largest);
    const bool enough = state.listening >= kEnoughMembers && state.room == kEnoughRoom && largest >= group.refused;
    if (state.keeps && enough) break;
  }
  group.work_to_tell = looked_at;
  if (looked_at < state.members) {  // The rest will be like these.
    state.listening = static_cast<std::uint32_t>(std::uint64_t{state.listening} * state.members / looked_at);
  }
  if (largest >= group.refused) group.refused = 0;
  if (!group.backlog().empty()) state.room = 0;
  if (group.refused > 0 && state.room > 0) state.largest = group.refused - 1;
  const GroupState& told = group.told;
  const bool used_up = state.room > 0 && group.received > 0 && group.received >= told.room / 2;
  const bool same = (state.members == 0) == (told.members == 0) && AreAboutAsMany(state, told) &&
                    state.keeps == told.keeps && (state.room == 0) == (told.room == 0) && state.largest == told.largest;
  if (same && !used_up) return false;
  group.told = state;
  group.received = 0;
  return true;
}

void Router::OnMemberChanged(const RouteTarget& target) {
  for (const Subscription* share : target.shares()) Changed(*share->group);
}

// Whether there is someone who takes more than QoS 0, which waits for nobody.
bool Router::KeepsMessages(const ShareGroup& group) {
  return std::any_of(group.members().begin(), group.members().end(),
                     [](const Subscription* member) { return member->options.qos != mqtt::QoS::kAtMostOnce; }) ||
         std::any_of(group.elsewhere().begin(), group.elsewhere().end(),
                     [](const ShareGroup::Elsewhere& each) { return each.state.keeps; });
}

// Why a message of `bytes` cannot wait behind so many others; empty: it can. `idle`: for
// somebody who takes nothing at the moment.
std::optional<DropReason> Router::NoRoom(std::size_t messages, std::size_t waiting_bytes, std::size_t bytes,
                                         bool idle) const {
  if (messages >= limits_.messages || waiting_bytes >= limits_.bytes) return DropReason::kQueueFull;
  if (idle && waiting_bytes + bytes > budget_.IdleShare()) return DropReason::kMemory;
  return std::nullopt;
}

// Keeps `message` until a member can take it, or says why not. None can at the moment.
std::optional<DropReason> Router::Hold(ShareGroup& group, const MessageRef& message, GroupPast past) {
  if (!NeedsRoom(*message) || !KeepsMessages(group)) return DropReason::kNoReceiver;
  if (past != GroupPast::kKept) {
    if (budget_.exhausted()) return DropReason::kMemory;
    const auto reason = NoRoom(group.backlog().size(), group.backlog_bytes(), ShareGroup::BytesOf(*message), true);
    if (reason) return reason;
  }
  group.Hold(message);
  Changed(group);
  return std::nullopt;
}

void Router::Drain(ShareGroup& group) {
  if (group.backlog().empty()) return;
  Changed(group);
  for (Round round(group); !group.backlog().empty();) {
    const Subscription* chosen = round.Next(group.backlog().front());
    if (chosen == nullptr && !group.members().empty()) group.Refused(*group.backlog().front());
    if (chosen == nullptr && !SendOn(group, group.backlog().front(), GroupPast::kKept)) return;
    const MessageRef message = group.Take();
    if (chosen != nullptr) static_cast<RouteTarget&>(*chosen->subscriber).DeliverHeld(DeliveryFor(message, *chosen));
  }
}

void Router::Refill(RouteTarget& target) {
  for (const Subscription* share : target.shares()) {
    ShareGroup& group = *share->group;
    Changed(group);
    while (!group.backlog().empty() && target.LoadFor(DeliveryFor(group.backlog().front(), *share))) {
      const MessageRef message = group.Take();
      target.DeliverHeld(DeliveryFor(message, *share));
    }
  }
}

void Router::Redistribute(std::vector<Delivery> deliveries) {
  std::map<ShareGroupId, std::vector<MessageRef>> by_group;
  for (Delivery& delivery : deliveries) by_group[delivery.group].push_back(std::move(delivery.message));
  for (auto& [id, messages] : by_group) {
    if (ShareGroup* group = tree_.FindGroup(id)) {
      GiveBack(*group, std::move(messages));
    } else {
      counters_.Dropped(DropReason::kNoReceiver).Add(messages.size());
    }
  }
}

// To `group`, of which one member could not finish `messages`.
void Router::GiveBack(ShareGroup& group, std::vector<MessageRef> messages) {
  const bool keeps = KeepsMessages(group);
  std::vector<MessageRef> lasting;
  Round round(group);
  for (MessageRef& message : messages) {
    if (keeps && message->qos() != mqtt::QoS::kAtMostOnce) {
      lasting.push_back(std::move(message));
    } else if (const Subscription* chosen = round.Next(message)) {
      static_cast<RouteTarget&>(*chosen->subscriber).DeliverHeld(DeliveryFor(message, *chosen));
    } else if (!SendOn(group, message, GroupPast::kKept)) {
      counters_.Dropped(DropReason::kDisconnected).Add();
    }
  }
  group.HoldFirst(std::move(lasting));
  Drain(group);
  Trim(group);
}

// Whether there is a member, here or elsewhere, that takes messages now and then.
bool Router::AnyListens(const ShareGroup& group) {
  return std::any_of(group.elsewhere().begin(), group.elsewhere().end(),
                     [](const ShareGroup::Elsewhere& each) { return each.state.listening > 0; }) ||
         std::any_of(group.members().begin(), group.members().end(), [](const Subscription* member) {
           return static_cast<const RouteTarget&>(*member->subscriber).Listens();
         });
}

// What one client held may be too much for a group that nobody listens for.
void Router::Trim(ShareGroup& group) {
  const bool idle = !AnyListens(group);
  while (!group.backlog().empty()) {
    const std::size_t last = ShareGroup::BytesOf(*group.backlog().back());
    const auto reason = NoRoom(group.backlog().size() - 1, group.backlog_bytes() - last, last, idle);
    if (!reason) return;
    group.DropLast();
    counters_.Dropped(*reason).Add();
  }
}

}  // namespace mqttrpc::broker
