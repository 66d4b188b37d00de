#include "subscription_tree.h"

#include <algorithm>
#include <utility>

#include "mqttrpc/mqtt/topic.h"

namespace mqttrpc::broker {

namespace {

// Cuts the first level off `rest`; false once there is none left.
bool TakeLevel(std::string_view& rest, bool& more, std::string_view& level) {
  if (!more) return false;
  const std::size_t slash = rest.find('/');
  more = slash != std::string_view::npos;
  level = rest.substr(0, slash);
  rest.remove_prefix(more ? slash + 1 : rest.size());
  return true;
}

// A subscriber's list of so many is looked through from end to end.
constexpr std::size_t kShortList = 16;

// About what a subscription or a node takes besides itself: places in sets and lists, and
// what allocating it costs.
constexpr std::size_t kOverhead = 40;

}  // namespace

SubscriptionTree::SubscriptionTree(MemoryBudget* budget) : root_(TreeNode::New("", nullptr)), budget_(budget) {}

SubscriptionTree::~SubscriptionTree() = default;  // As deep as a filter has levels, at most.

std::size_t SubscriptionTree::node_count() const { return exact_.size() + trie_nodes_; }

// Of the trie each level may be a node of its own.
std::size_t SubscriptionTree::CostOf(const Subscription& subscription) const {
  std::size_t cost = sizeof(Subscription) + kOverhead;
  if (subscription.group != nullptr) cost += subscription.group->name_.size();
  if (!subscription.node->in_trie) {
    return cost + sizeof(ExactNode) + kOverhead + static_cast<const ExactNode*>(subscription.node)->filter().size();
  }
  const auto* node = static_cast<const TreeNode*>(subscription.node);
  for (; node != root_.get(); node = node->parent) cost += sizeof(TreeNode) + kOverhead + node->level().size();
  return cost;
}

// Unsigned arithmetic: a negative number gives back.
void SubscriptionTree::Charge(Subscriber& subscriber, std::size_t bytes) {
  subscriber.subscription_bytes_ += bytes;
  bytes_ += bytes;
  if (budget_ != nullptr) budget_->Take(bytes);
}

bool SubscriptionTree::Subscribe(Subscriber& subscriber, std::string_view topic_filter,
                                 const SubscriptionOptions& options) {
  const auto shared = mqtt::ParseSharedFilter(topic_filter);
  FilterNode& node = NodeFor(shared ? shared->topic_filter : topic_filter);
  ShareGroup* const group = shared ? &GroupFor(node, shared->share_name) : nullptr;
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
  const auto shared = mqtt::ParseSharedFilter(topic_filter);
  const FilterNode* const node = FindNode(shared ? shared->topic_filter : topic_filter);
  if (node == nullptr) return nullptr;
  const ShareGroup* const group = shared ? FindGroup(*node, shared->share_name) : nullptr;
  if (shared && group == nullptr) return nullptr;
  return Find(Identity(&subscriber, node, group));
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
  if (subscription.group == nullptr) {
    link(subscription.node->subscriptions);
  } else {
    link(subscription.group->members_);
  }
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
  if (subscription.group == nullptr) {
    subscription.node->subscriptions.Remove(subscription.position, moved);
  } else {
    auto& members = subscription.group->members_;
    std::swap(members[subscription.position], members.back());
    moved(*members[subscription.position], subscription.position);
    members.pop_back();
    if (members.empty()) End(*subscription.group, *subscription.node);
  }
  Prune(subscription.node);
}

void SubscriptionTree::End(ShareGroup& group, FilterNode& node) {
  if (on_group_end_) on_group_end_(group);
  groups_by_name_.erase({&node, group.name_});
  node.groups.Remove(group.position_, [](ShareGroup& moved, std::size_t to) { moved.position_ = to; });
  groups_.erase(group.id());
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
  const auto shared = mqtt::ParseSharedFilter(topic_filter);
  const FilterNode* node = FindNode(shared ? shared->topic_filter : topic_filter);
  if (node == nullptr) return 0;
  if (!shared) return node->subscriptions.size();
  const ShareGroup* const group = FindGroup(*node, shared->share_name);
  return group == nullptr ? 0 : group->members_.size();
}

ShareGroup* SubscriptionTree::FindGroup(const FilterNode& node, std::string_view share_name) const {
  const auto found = groups_by_name_.find({&node, share_name});
  return found == groups_by_name_.end() ? nullptr : found->second;
}

ShareGroup& SubscriptionTree::GroupFor(FilterNode& node, std::string_view share_name) {
  if (ShareGroup* const found = FindGroup(node, share_name)) return *found;
  do {
    ++last_group_;
  } while (last_group_ == 0 || groups_.contains(last_group_));
  auto& group = groups_[last_group_];
  group = std::make_unique<ShareGroup>(std::string(share_name), last_group_, node.groups.size(), budget_);
  node.groups.push_back(group.get());
  groups_by_name_[{&node, group->name_}] = group.get();
  return *group;
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

void SubscriptionTree::Visit(const FilterNode& node, MatchSink& sink) {
  for (const Subscription* subscription : node.subscriptions) sink.OnSubscription(*subscription);
  for (ShareGroup* group : node.groups) sink.OnShareGroup(*group);
}

void SubscriptionTree::MatchExact(std::string_view topic_name, MatchSink& sink) const {
  if (const auto found = exact_.find(topic_name); found != exact_.end()) Visit(**found, sink);
}

std::size_t SubscriptionTree::MatchWildcards(std::string_view topic_name, MatchSink& sink, std::size_t most) {
  if (trie_nodes_ == 0) return 0;
  // All trie nodes that the levels so far lead to, level by level.
  active_.assign(1, root_.get());
  bool wildcards_apply = !topic_name.starts_with('$');  // MQTT-4.7.2-1
  std::string_view level;
  std::size_t visited = 0;
  for (bool more = true; !active_.empty() && TakeLevel(topic_name, more, level);) {
    next_.clear();
    visited += active_.size();
    if (visited >= most) return visited;
    for (TreeNode* node : active_) {
      if (wildcards_apply && node->hash) Visit(*node->hash, sink);
      if (wildcards_apply && node->plus) next_.push_back(node->plus.get());
      if (TreeNode* const child = node->NamedChild(level)) next_.push_back(child);
    }
    active_.swap(next_);
    wildcards_apply = true;
  }
  visited += active_.size();
  if (visited >= most) return visited;
  for (TreeNode* node : active_) {
    Visit(*node, sink);
    if (node->hash) Visit(*node->hash, sink);  // "a/#" is for "a" too (4.7.1.2).
  }
  return visited;
}

ShareGroup* SubscriptionTree::FindGroup(ShareGroupId id) const {
  const auto found = groups_.find(id);
  return found == groups_.end() ? nullptr : found->second.get();
}

}  // namespace mqttrpc::broker
