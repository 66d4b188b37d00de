#include "subscription_tree.h"

#include <algorithm>
#include <utility>

#include "mqttrpc/mqtt/topic.h"

namespace mqttrpc::broker {

// Who has subscribed with one filter. A million exact ones are nothing out of the ordinary.
struct FilterNode {
  explicit FilterNode(std::string_view key_in, bool in_trie_in = false) : key(key_in), in_trie(in_trie_in) {}

  const std::string key;  // The whole filter; in the trie the level: "+" and "#" too.
  const bool in_trie;     // It is a TreeNode.
  absl::InlinedVector<Subscription*, 1> subscriptions;
  std::vector<std::unique_ptr<ShareGroup>> groups;

  bool unused() const { return subscriptions.empty() && groups.empty(); }
};

// One level of the trie.
struct TreeNode : FilterNode {
  TreeNode(std::string_view level, TreeNode* parent_in) : FilterNode(level, true), parent(parent_in) {}

  TreeNode* const parent;                       // Null for the root.
  TextMap<std::unique_ptr<TreeNode>> children;  // By level, wildcards apart.
  std::unique_ptr<TreeNode> plus;
  std::unique_ptr<TreeNode> hash;

  bool empty() const { return unused() && children.empty() && !plus && !hash; }
};

std::size_t SubscriptionTree::KeyHash::operator()(const std::unique_ptr<FilterNode>& node) const {
  return (*this)(node->key);
}

bool SubscriptionTree::KeyEqual::operator()(std::string_view key, const std::unique_ptr<FilterNode>& node) const {
  return key == node->key;
}

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

// Fills the hole at `position` with the last element, whose own position moves.
template <typename List, typename SetPosition>
void SwapRemove(List& list, std::size_t position, SetPosition set_position) {
  if (position + 1 != list.size()) {
    list[position] = std::move(list.back());
    set_position(*list[position], position);
  }
  list.pop_back();
}

// About what a subscription takes: its filter twice, here and with its subscriber, the
// nodes, of which each level may need one, and places in a map and a set.
std::size_t CostOf(std::string_view topic_filter) {
  const auto levels = static_cast<std::size_t>(std::count(topic_filter.begin(), topic_filter.end(), '/')) + 1;
  return sizeof(Subscription) + 2 * topic_filter.size() + 100 +
         (mqtt::HasWildcard(topic_filter) ? levels * sizeof(TreeNode) : sizeof(FilterNode));
}

}  // namespace

SubscriptionTree::SubscriptionTree(MemoryBudget* budget)
    : root_(std::make_unique<TreeNode>("", nullptr)), budget_(budget) {}

SubscriptionTree::~SubscriptionTree() = default;  // As deep as a filter has levels, at most.

std::size_t SubscriptionTree::node_count() const { return exact_.size() + trie_nodes_; }

// Unsigned arithmetic: a negative number gives back.
void SubscriptionTree::Charge(Subscriber& subscriber, std::size_t bytes) {
  subscriber.subscription_bytes_ += bytes;
  bytes_ += bytes;
  if (budget_ != nullptr) budget_->Take(bytes);
}

bool SubscriptionTree::Subscribe(Subscriber& subscriber, std::string_view topic_filter,
                                 const SubscriptionOptions& options) {
  if (auto found = subscriber.subscriptions_.find(topic_filter); found != subscriber.subscriptions_.end()) {
    found->second.options = options;  // MQTT-3.8.4-3
    return false;
  }
  Subscription& added = subscriber.subscriptions_[std::string(topic_filter)];
  added.subscriber = &subscriber;
  added.options = options;
  Insert(added, topic_filter);
  Charge(subscriber, CostOf(topic_filter));
  return true;
}

bool SubscriptionTree::Unsubscribe(Subscriber& subscriber, std::string_view topic_filter) {
  const auto found = subscriber.subscriptions_.find(topic_filter);
  if (found == subscriber.subscriptions_.end()) return false;
  Remove(found->second);
  Charge(subscriber, -CostOf(topic_filter));
  subscriber.subscriptions_.erase(found);
  return true;
}

void SubscriptionTree::RemoveAll(Subscriber& subscriber) {
  subscriber.shares_.clear();
  for (auto& [filter, subscription] : subscriber.subscriptions_) {
    Remove(subscription);
    Charge(subscriber, -CostOf(filter));
  }
  subscriber.subscriptions_.clear();
}

FilterNode& SubscriptionTree::NodeFor(std::string_view topic_filter) {
  if (!mqtt::HasWildcard(topic_filter)) {
    auto found = exact_.find(topic_filter);
    if (found == exact_.end()) found = exact_.insert(std::make_unique<FilterNode>(topic_filter)).first;
    return **found;
  }
  TreeNode* node = root_.get();
  std::string_view level;
  for (bool more = true; TakeLevel(topic_filter, more, level);) {
    std::unique_ptr<TreeNode>* child = nullptr;
    if (level == "+") {
      child = &node->plus;
    } else if (level == "#") {
      child = &node->hash;
    } else if (auto found = node->children.find(level); found != node->children.end()) {
      child = &found->second;
    } else {
      child = &node->children[std::string(level)];
    }
    if (!*child) {
      *child = std::make_unique<TreeNode>(level, node);
      ++trie_nodes_;
    }
    node = child->get();
  }
  return *node;
}

const FilterNode* SubscriptionTree::FindNode(std::string_view topic_filter) const {
  if (!mqtt::HasWildcard(topic_filter)) {
    const auto found = exact_.find(topic_filter);
    return found == exact_.end() ? nullptr : found->get();
  }
  const TreeNode* node = root_.get();
  std::string_view level;
  for (bool more = true; node != nullptr && TakeLevel(topic_filter, more, level);) {
    if (level == "+") {
      node = node->plus.get();
    } else if (level == "#") {
      node = node->hash.get();
    } else {
      const auto child = node->children.find(level);
      node = child == node->children.end() ? nullptr : child->second.get();
    }
  }
  return node;
}

std::size_t SubscriptionTree::Count(std::string_view topic_filter) const {
  const auto shared = mqtt::ParseSharedFilter(topic_filter);
  const FilterNode* node = FindNode(shared ? shared->topic_filter : topic_filter);
  if (node == nullptr) return 0;
  if (!shared) return node->subscriptions.size();
  for (const auto& group : node->groups) {
    if (group->name_ == shared->share_name) return group->members_.size();
  }
  return 0;
}

ShareGroup& SubscriptionTree::GroupFor(FilterNode& node, std::string_view share_name) {
  const auto found = groups_by_name_.find({&node, share_name});
  if (found != groups_by_name_.end()) return *found->second;
  do {
    ++last_group_;
  } while (last_group_ == 0 || groups_.contains(last_group_));
  auto& group = node.groups.emplace_back(
      std::make_unique<ShareGroup>(std::string(share_name), last_group_, node.groups.size(), budget_));
  groups_[group->id()] = group.get();
  groups_by_name_[{&node, group->name_}] = group.get();
  return *group;
}

void SubscriptionTree::Insert(Subscription& subscription, std::string_view topic_filter) {
  ++size_;
  if (const auto shared = mqtt::ParseSharedFilter(topic_filter)) {
    FilterNode& node = NodeFor(shared->topic_filter);
    ShareGroup& group = GroupFor(node, shared->share_name);
    subscription.node = &node;
    subscription.group = &group;
    subscription.position = group.members_.size();
    group.members_.push_back(&subscription);
    subscription.share_position = subscription.subscriber->shares_.size();
    subscription.subscriber->shares_.push_back(&subscription);
    return;
  }
  FilterNode& node = NodeFor(topic_filter);
  subscription.node = &node;
  subscription.position = node.subscriptions.size();
  node.subscriptions.push_back(&subscription);
}

void SubscriptionTree::Remove(Subscription& subscription) {
  --size_;
  FilterNode& node = *subscription.node;
  const auto move_subscription = [](Subscription& moved, std::size_t to) { moved.position = to; };
  if (subscription.group == nullptr) {
    SwapRemove(node.subscriptions, subscription.position, move_subscription);
  } else {
    ShareGroup& group = *subscription.group;
    SwapRemove(group.members_, subscription.position, move_subscription);
    auto& shares = subscription.subscriber->shares_;
    if (!shares.empty()) {  // Else RemoveAll() has forgotten all.
      SwapRemove(shares, subscription.share_position,
                 [](Subscription& moved, std::size_t to) { moved.share_position = to; });
    }
    if (group.members_.empty()) {
      if (on_group_end_) on_group_end_(group);
      groups_.erase(group.id());
      groups_by_name_.erase({&node, group.name_});
      SwapRemove(node.groups, group.position_, [](ShareGroup& moved, std::size_t to) { moved.position_ = to; });
    }
  }
  Prune(&node);
}

void SubscriptionTree::Prune(FilterNode* unused) {
  if (!unused->in_trie) {
    if (unused->unused()) exact_.erase(exact_.find(std::string_view(unused->key)));
    return;
  }
  auto* node = static_cast<TreeNode*>(unused);
  while (node != root_.get() && node->empty()) {
    TreeNode* parent = node->parent;
    if (node == parent->plus.get()) {
      parent->plus.reset();
    } else if (node == parent->hash.get()) {
      parent->hash.reset();
    } else {
      parent->children.erase(parent->children.find(std::string_view(node->key)));
    }
    --trie_nodes_;
    node = parent;
  }
}

void SubscriptionTree::Visit(const FilterNode& node, MatchSink& sink) {
  for (const Subscription* subscription : node.subscriptions) sink.OnSubscription(*subscription);
  for (const auto& group : node.groups) sink.OnShareGroup(*group);
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
      if (node->children.empty()) continue;
      if (const auto child = node->children.find(level); child != node->children.end()) {
        next_.push_back(child->second.get());
      }
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
  return found == groups_.end() ? nullptr : found->second;
}

}  // namespace mqttrpc::broker
