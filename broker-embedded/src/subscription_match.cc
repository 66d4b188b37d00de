// From a Topic Name to the subscriptions it is for (MQTT 4.7).
#include "subscription_tree.h"

namespace mqttrpc::broker {

void SubscriptionTree::Visit(const FilterNode& node, MatchSink& sink) {
  for (const Subscription* subscription : node.subscriptions) sink.OnSubscription(*subscription);
  for (ShareGroup* group : node.groups) sink.OnShareGroup(*group);
  if (!node.in_trie) return;
  if (const ShardSet shards = static_cast<const TreeNode&>(node).shards) sink.OnShards(shards);
}

void SubscriptionTree::MatchExact(std::string_view topic_name, MatchSink& sink) const {
  const std::size_t hash = TextHash()(topic_name);  // Once for both.
  if (const auto found = exact_.find(topic_name, hash); found != exact_.end()) Visit(**found, sink);
  if (exact_elsewhere_.size() == 0) return;
  if (const ShardSet shards = exact_elsewhere_.Find(hash)) sink.OnShards(shards);
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

}  // namespace mqttrpc::broker
