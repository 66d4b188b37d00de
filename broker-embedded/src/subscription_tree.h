// Which subscriptions a Topic Name is for (MQTT 4.7, 4.8).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/inlined_vector.h>

#include "mqttrpc/mqtt/qos.h"
#include "text_map.h"

namespace mqttrpc::broker {

class Subscriber;
class SubscriptionTree;

// What was granted (MQTT 3.8.3.1).
struct SubscriptionOptions {
  SubscriptionOptions() = default;

  mqtt::QoS qos = mqtt::QoS::kAtMostOnce;
  bool no_local = false;
  bool retain_as_published = false;
  std::uint32_t identifier = 0;  // Subscription Identifier; 0: none.

  bool operator==(const SubscriptionOptions&) const = default;
};

// One Topic Filter of one subscriber. Lives in its subscriber's list; the tree
// points at it.
struct Subscription {
  Subscription() = default;

  Subscriber* subscriber = nullptr;
  SubscriptionOptions options;

 private:
  friend class SubscriptionTree;
  friend class ShareGroup;
  struct TreeNode* node = nullptr;
  class ShareGroup* group = nullptr;  // Null if not shared.
  std::size_t position = 0;           // Among the node's or the group's.
};

// Everyone who shares one `$share/{name}/{filter}` (MQTT 4.8.2).
class ShareGroup {
 public:
  ShareGroup(std::string name, std::size_t position) : name_(std::move(name)), position_(position) {}

  const std::vector<Subscription*>& members() const { return members_; }

  // Where the next round begins; less than members().size().
  std::size_t next() const { return next_ < members_.size() ? next_ : 0; }
  void set_next(std::size_t next) { next_ = next; }

 private:
  friend class SubscriptionTree;
  std::string name_;
  std::size_t position_;  // In the node's list.
  std::vector<Subscription*> members_;
  std::size_t next_ = 0;
};

// Derive from it to subscribe. SubscriptionTree::RemoveAll() it before it goes.
class Subscriber {
 public:
  Subscriber() = default;
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;

  std::size_t subscription_count() const { return subscriptions_.size(); }
  bool HasSubscription(std::string_view topic_filter) const { return subscriptions_.contains(topic_filter); }

 protected:
  ~Subscriber() = default;

 private:
  friend class SubscriptionTree;
  // By the whole Topic Filter, $share/ included. Ordered, so that a run repeats.
  std::map<std::string, Subscription, std::less<>> subscriptions_;
};

// Receives what Match() finds; must not change the tree meanwhile.
class MatchSink {
 public:
  virtual void OnSubscription(const Subscription& subscription) = 0;
  virtual void OnShareGroup(ShareGroup& group) = 0;  // Never empty.

 protected:
  ~MatchSink() = default;
};

// Topic Filters without a wildcard stand in a hash map, so that they never walk;
// the others in a trie with a level per edge. No recursion: depth is data here.
// Expects filters and names that passed CheckTopicFilter() and CheckTopicName(),
// which cap their levels. Not thread-safe.
class SubscriptionTree {
 public:
  SubscriptionTree();
  ~SubscriptionTree();

  // True if the filter is new for this subscriber; else its options are
  // replaced (MQTT-3.8.4-3).
  bool Subscribe(Subscriber& subscriber, std::string_view topic_filter, const SubscriptionOptions& options);

  // Whether there was one. Filters are compared byte by byte (MQTT-3.10.4-1).
  bool Unsubscribe(Subscriber& subscriber, std::string_view topic_filter);

  // Constant time for each of its subscriptions; empty nodes go with them.
  void RemoveAll(Subscriber& subscriber);

  // Calls `sink` once for each matching subscription or share group. Allocates
  // nothing once its scratch space has grown.
  void Match(std::string_view topic_name, MatchSink& sink);

  // Subscriptions with exactly this filter, $share/ included.
  std::size_t Count(std::string_view topic_filter) const;

  std::size_t size() const { return size_; }  // Subscriptions.
  std::size_t node_count() const;             // Exact filters and trie nodes, without the root.

 private:
  const TreeNode* FindNode(std::string_view topic_filter) const;
  TreeNode& NodeFor(std::string_view topic_filter);
  ShareGroup& GroupFor(TreeNode& node, std::string_view share_name);
  void Insert(Subscription& subscription, std::string_view topic_filter);
  void Remove(Subscription& subscription);
  void Prune(TreeNode* node);
  static void Visit(const TreeNode& node, MatchSink& sink);

  TextMap<std::unique_ptr<TreeNode>> exact_;
  std::unique_ptr<TreeNode> root_;
  std::size_t trie_nodes_ = 0;
  std::size_t size_ = 0;
  std::vector<TreeNode*> active_;  // Scratch of Match().
  std::vector<TreeNode*> next_;
};

}  // namespace mqttrpc::broker
