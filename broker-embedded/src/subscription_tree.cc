#include "subscription_tree.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "mqttrpc/mqtt/topic.h"

namespace mqttrpc::broker {

namespace {

// A subscriber's list of so many is looked through from end to end.
constexpr std::size_t kShortList = 16;

// About what a subscription or a node takes besides itself: places in sets and lists, and
// what allocating it costs.
constexpr std::size_t kOverhead = 40;

}  // namespace

SubscriptionTree::SubscriptionTree(MemoryBudget* budget)
    : exact_elsewhere_(budget), root_(TreeNode::New("", nullptr)), budget_(budget) {}

SubscriptionTree::~SubscriptionTree() = default;  // As deep as a filter has levels, at most.

std::size_t SubscriptionTree::node_count() const { return exact_.size() + trie_nodes_; }

std::string SubscriptionTree::FilterOf(const FilterNode& node) const {
  if (!node.in_trie) return std::string(static_cast<const ExactNode&>(node).filter());
  std::vector<std::string_view> levels;
  const auto* level = static_cast<const TreeNode*>(&node);
  for (; level != root_.get(); level = level->parent) levels.push_back(level->level());
  std::string filter(levels.back());
  for (auto each = std::next(levels.rbegin()); each != levels.rend(); ++each) (filter += '/') += *each;
  return filter;
}

// Of the trie each level may be a node of its own.
std::size_t SubscriptionTree::CostOf(const FilterNode& node) const {
  if (!node.in_trie) return sizeof(ExactNode) + kOverhead + static_cast<const ExactNode&>(node).filter().size();
  std::size_t cost = 0;
  const auto* level = static_cast<const TreeNode*>(&node);
  for (; level != root_.get(); level = level->parent) cost += sizeof(TreeNode) + kOverhead + level->level().size();
  return cost;
}

std::size_t SubscriptionTree::CostOf(const Subscription& subscription) const {
  std::size_t cost = sizeof(Subscription) + kOverhead + CostOf(*subscription.node);
  if (subscription.group != nullptr) cost += subscription.group->topic_filter().size();
  return cost;
}

// What it takes to know of members on so many shards, as if there were no others. Each is a
// place in a list and in a map.
std::size_t SubscriptionTree::CostElsewhere(const ShareGroup& group, std::size_t shards) const {
  if (shards == 0) return 0;
  return sizeof(ShareGroup) + 2 * kOverhead + group.topic_filter().size() + CostOf(*group.node_) +
         shards * (sizeof(ShareGroup::Elsewhere) + kOverhead);
}

// Unsigned arithmetic: a negative number gives back.
void SubscriptionTree::Charge(Subscriber& subscriber, std::size_t bytes) {
  subscriber.subscription_bytes_ += bytes;
  bytes_ += bytes;
  AddToAll(bytes);
  if (budget_ != nullptr) budget_->Take(bytes);
}

void SubscriptionTree::ChargeElsewhere(std::size_t bytes) {
  if (budget_ != nullptr) budget_->Take(bytes);
}

void SubscriptionTree::Join(std::size_t shards, std::atomic<std::size_t>& bytes_of_all) {
  others_ = shards - 1;
  bytes_of_all_ = &bytes_of_all;
}

void SubscriptionTree::AddToAll(std::size_t bytes) {
  if (bytes_of_all_ != nullptr) *bytes_of_all_ += bytes;
}

// What each other shard needs to know that somebody here has subscribed.
std::size_t SubscriptionTree::CostThere(const FilterNode& node) const {
  return node.in_trie ? CostOf(node) : ExactInterest::kCostOfEntry;
}

bool SubscriptionTree::Subscribe(Subscriber& subscriber, std::string_view topic_filter,
                                 const SubscriptionOptions& options) {
  ShareGroup* const group = mqtt::ParseSharedFilter(topic_filter) ? &OpenGroup(topic_filter) : nullptr;
  FilterNode& node = group != nullptr ? *group->node_ : NodeFor(topic_filter);
  if (Subscription* const found = Find(Identity(&subscriber, &node, group))) {
    found->options = options;  // MQTT-3.8.4-3
    return false;
  }
  auto* const added = new Subscription(subscriber, node, group);
  added->options = options;
  Link(*added);
  Charge(subscriber, CostOf(*added));
  return true;
}

bool SubscriptionTree::Has(const Subscriber& subscriber, std::string_view topic_filter) const {
  return Find(subscriber, topic_filter) != nullptr;
}

bool SubscriptionTree::Unsubscribe(Subscriber& subscriber, std::string_view topic_filter) {
  Subscription* const found = Find(subscriber, topic_filter);
  if (found == nullptr) return false;
  Unlink(*found);
  Remove(*found);
  return true;
}

void SubscriptionTree::RemoveAll(Subscriber& subscriber) {
  for (PointerList<Subscription>* list : {&subscriber.shares_, &subscriber.subscriptions_}) {
    while (!list->empty()) {
      Subscription& last = *(*list)[list->size() - 1];
      Unlink(last);
      Remove(last);
    }
  }
}

PointerList<Subscription>& SubscriptionTree::ListOf(const Subscription& subscription) {
  Subscriber& subscriber = *subscription.subscriber;
  return subscription.group == nullptr ? subscriber.subscriptions_ : subscriber.shares_;
}

// Nearly all subscribers have few: only those of the others are in a set besides.
Subscription* SubscriptionTree::Find(const Identity& identity) const {
  const auto& [subscriber, node, group] = identity;
  const auto& list = group == nullptr ? subscriber->subscriptions_ : subscriber->shares_;
  if (list.size() > kShortList) {
    const auto found = listed_.find(identity);
    return found == listed_.end() ? nullptr : *found;
  }
  const auto found =
      std::find_if(list.begin(), list.end(), [&](const Subscription* each) { return IdentityOf(*each) == identity; });
  return found == list.end() ? nullptr : *found;
}

Subscription* SubscriptionTree::Find(const Subscriber& subscriber, std::string_view topic_filter) const {
  if (!mqtt::ParseSharedFilter(topic_filter)) {
    const FilterNode* const node = FindNode(topic_filter);
    return node == nullptr ? nullptr : Find(Identity(&subscriber, node, nullptr));
  }
  const ShareGroup* const group = FindGroup(topic_filter);
  return group == nullptr ? nullptr : Find(Identity(&subscriber, group->node_, group));
}

// Into its subscriber's list, and its node's or group's.
void SubscriptionTree::Link(Subscription& subscription) {
  ++size_;
  PointerList<Subscription>& list = ListOf(subscription);
  subscription.index = static_cast<std::uint32_t>(list.size());
  list.push_back(&subscription);
  if (list.size() == kShortList + 1) {
    listed_.insert(list.begin(), list.end());
  } else if (list.size() > kShortList) {
    listed_.insert(&subscription);
  }
  const auto link = [&](auto& others) {
    subscription.position = static_cast<std::uint32_t>(others.size());
    others.push_back(&subscription);
  };
  if (subscription.group != nullptr) {
    link(subscription.group->members_);
    if (subscription.group->members_.size() == 1) AddToAll(others_ * CostElsewhere(*subscription.group, 1));
    if (on_group_change_) on_group_change_(*subscription.group);
    return;
  }
  FilterNode& node = *subscription.node;
  link(node.subscriptions);
  if (node.subscriptions.size() > 1) return;
  AddToAll(others_ * CostThere(node));
  if (on_interest_) on_interest_(FilterOf(node), true);
}

// Out of its subscriber's list.
void SubscriptionTree::Unlink(Subscription& subscription) {
  PointerList<Subscription>& list = ListOf(subscription);
  if (list.size() == kShortList + 1) {
    for (Subscription* each : list) listed_.erase(each);
  } else if (list.size() > kShortList) {
    listed_.erase(&subscription);
  }
  list.Remove(subscription.index,
              [](Subscription& moved, std::size_t to) { moved.index = static_cast<std::uint32_t>(to); });
}

// Ends one that is in no subscriber's list any more.
void SubscriptionTree::Remove(Subscription& subscription) {
  const std::unique_ptr<Subscription> owner(&subscription);
  --size_;
  Charge(*subscription.subscriber, -CostOf(subscription));
  const auto moved = [](Subscription& each, std::size_t to) { each.position = static_cast<std::uint32_t>(to); };
  if (subscription.group != nullptr) {
    ShareGroup& group = *subscription.group;
    auto& members = group.members_;
    std::swap(members[subscription.position], members.back());
    moved(*members[subscription.position], subscription.position);
    members.pop_back();
    if (members.empty()) AddToAll(-(others_ * CostElsewhere(group, 1)));
    if (on_group_change_) on_group_change_(group);
    return CloseGroup(group);
  }
  FilterNode& node = *subscription.node;
  node.subscriptions.Remove(subscription.position, moved);
  if (node.subscriptions.empty()) {
    AddToAll(-(others_ * CostThere(node)));
    if (on_interest_) on_interest_(FilterOf(node), false);
  }
  Prune(&node);
}

FilterNode& SubscriptionTree::NodeFor(std::string_view topic_filter) {
  if (!mqtt::HasWildcard(topic_filter)) {
    auto found = exact_.find(topic_filter);
    if (found == exact_.end()) found = exact_.insert(ExactNode::New(topic_filter)).first;
    return **found;
  }
  TreeNode* node = root_.get();
  std::string_view level;
  for (bool more = true; TakeLevel(topic_filter, more, level);) {
    TreeNode* child = node->Child(level);
    if (child == nullptr) {
      child = &node->AddChild(level);
      ++trie_nodes_;
    }
    node = child;
  }
  return *node;
}

FilterNode* SubscriptionTree::FindNode(std::string_view topic_filter) const {
  if (!mqtt::HasWildcard(topic_filter)) {
    const auto found = exact_.find(topic_filter);
    return found == exact_.end() ? nullptr : found->get();
  }
  TreeNode* node = root_.get();
  std::string_view level;
  for (bool more = true; node != nullptr && TakeLevel(topic_filter, more, level);) node = node->Child(level);
  return node;
}

std::size_t SubscriptionTree::Count(std::string_view topic_filter) const {
  if (mqtt::ParseSharedFilter(topic_filter)) {
    const ShareGroup* const group = FindGroup(topic_filter);
    return group == nullptr ? 0 : group->members_.size();
  }
  const FilterNode* const node = FindNode(topic_filter);
  return node == nullptr ? 0 : node->subscriptions.size();
}

ShareGroup* SubscriptionTree::FindGroup(std::string_view shared_filter) const {
  const auto found = groups_by_filter_.find(shared_filter);
  return found == groups_by_filter_.end() ? nullptr : found->second;
}

ShareGroup& SubscriptionTree::OpenGroup(std::string_view shared_filter) {
  if (ShareGroup* const found = FindGroup(shared_filter)) return *found;
  FilterNode& node = NodeFor(mqtt::ParseSharedFilter(shared_filter)->topic_filter);
  do {
    ++last_group_;
  } while (last_group_ == 0 || groups_.contains(last_group_));
  auto& group = groups_[last_group_];
  group = std::make_unique<ShareGroup>(shared_filter, last_group_, node.groups.size(), budget_);
  group->node_ = &node;
  node.groups.push_back(group.get());
  groups_by_filter_[group->topic_filter()] = group.get();
  return *group;
}

void SubscriptionTree::SetElsewhere(ShareGroup& group, std::size_t shard, ShareGroupId group_there,
                                    const GroupState& state) {
  const std::size_t before = CostElsewhere(group, group.elsewhere().size());
  group.SetElsewhere(shard, group_there, state);
  ChargeElsewhere(CostElsewhere(group, group.elsewhere().size()) - before);
}

void SubscriptionTree::CloseGroup(ShareGroup& group) {
  if (!group.members_.empty() || !group.elsewhere_.empty()) return;
  if (on_group_end_) on_group_end_(group);
  FilterNode& node = *group.node_;
  groups_by_filter_.erase(group.topic_filter());
  node.groups.Remove(group.position_, [](ShareGroup& moved, std::size_t to) { moved.position_ = to; });
  groups_.erase(group.id());
  Prune(&node);
}

void SubscriptionTree::AddShard(std::size_t shard, std::string_view topic_filter) {
  if (!mqtt::HasWildcard(topic_filter)) return exact_elsewhere_.Add(shard, TextHash()(topic_filter));
  auto& node = static_cast<TreeNode&>(NodeFor(topic_filter));
  if (node.shards == 0) ChargeElsewhere(CostOf(node));
  node.shards |= SetOf(shard);
}

void SubscriptionTree::RemoveShard(std::size_t shard, std::string_view topic_filter) {
  if (!mqtt::HasWildcard(topic_filter)) return exact_elsewhere_.Remove(shard, TextHash()(topic_filter));
  auto& node = static_cast<TreeNode&>(NodeFor(topic_filter));
  const ShardSet before = std::exchange(node.shards, node.shards & ~SetOf(shard));
  if (before != 0 && node.shards == 0) ChargeElsewhere(-CostOf(node));
  Prune(&node);
}

void SubscriptionTree::Prune(FilterNode* unused) {
  if (!unused->in_trie) {
    if (unused->unused()) exact_.erase(exact_.find(static_cast<ExactNode*>(unused)->filter()));
    return;
  }
  auto* node = static_cast<TreeNode*>(unused);
  while (node != root_.get() && node->empty()) {
    TreeNode* parent = node->parent;
    parent->RemoveChild(*node);
    --trie_nodes_;
    node = parent;
  }
}

ShareGroup* SubscriptionTree::FindGroup(ShareGroupId id) const {
  const auto found = groups_.find(id);
  return found == groups_.end() ? nullptr : found->second.get();
}

}  // namespace mqttrpc::broker
