// Which subscriptions a Topic Name is for (MQTT 4.7, 4.8).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/functional/any_invocable.h>
#include <absl/hash/hash.h>

#include "exact_interest.h"
#include "filter_node.h"
#include "memory_budget.h"
#include "mqttrpc/mqtt/qos.h"
#include "pointer_list.h"
#include "shard_set.h"
#include "share_group.h"
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

// One Topic Filter of one subscriber. The tree's.
struct Subscription {
  Subscription(Subscriber& subscriber_in, FilterNode& node_in, ShareGroup* group_in)
      : subscriber(&subscriber_in), group(group_in), node(&node_in) {}

  Subscriber* const subscriber;
  ShareGroup* const group;  // Null if not shared.
  SubscriptionOptions options;

 private:
  friend class SubscriptionTree;
  FilterNode* const node;
  std::uint32_t position = 0;  // Among the node's or the group's.
  std::uint32_t index = 0;     // In its subscriber's list.
};

// Derive from it to subscribe. SubscriptionTree::RemoveAll() it before it goes.
class Subscriber {
 public:
  Subscriber() = default;
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;

  std::size_t subscription_count() const { return subscriptions_.size() + shares_.size(); }
  std::size_t subscription_bytes() const { return subscription_bytes_; }  // What they take, about.
  const PointerList<Subscription>& shares() const { return shares_; }     // Its shared ones.

 protected:
  ~Subscriber() = default;

 private:
  friend class SubscriptionTree;
  PointerList<Subscription> subscriptions_;  // But for its shared ones.
  PointerList<Subscription> shares_;
  std::size_t subscription_bytes_ = 0;
};

// Receives what Match() finds; must not change the tree meanwhile.
class MatchSink {
 public:
  virtual void OnSubscription(const Subscription& subscription) = 0;
  virtual void OnShareGroup(ShareGroup& group) = 0;  // Has a member, if only on another shard.
  virtual void OnShards(ShardSet) {}                 // They have subscribers; each perhaps several times.

 protected:
  ~MatchSink() = default;
};

// Topic Filters without a wildcard stand in a hash map, so that they never walk;
// the others in a trie with a level per edge. No recursion: depth is data here.
// Expects filters and names that passed CheckTopicFilter() and CheckTopicName(),
// which cap their levels. Not thread-safe.
class SubscriptionTree {
 public:
  // What subscriptions cost is taken from `budget`, which may be null.
  explicit SubscriptionTree(MemoryBudget* budget = nullptr);
  ~SubscriptionTree();

  // True if the filter is new for this subscriber; else its options are
  // replaced (MQTT-3.8.4-3).
  bool Subscribe(Subscriber& subscriber, std::string_view topic_filter, const SubscriptionOptions& options);

  bool Has(const Subscriber& subscriber, std::string_view topic_filter) const;

  // Whether there was one. Filters are compared byte by byte (MQTT-3.10.4-1).
  bool Unsubscribe(Subscriber& subscriber, std::string_view topic_filter);

  // Constant time for each of its subscriptions; empty nodes go with them.
  void RemoveAll(Subscriber& subscriber);

  // Call `sink` once for each matching subscription or share group, without and with
  // wildcards. Allocate nothing once the scratch space has grown. The second returns how
  // many nodes it looked at; `most` or more means that it gave up, and `sink` has not
  // seen all.
  void MatchExact(std::string_view topic_name, MatchSink& sink) const;
  std::size_t MatchWildcards(std::string_view topic_name, MatchSink& sink,
                             std::size_t most = std::numeric_limits<std::size_t>::max());

  // Null if the group is gone.
  ShareGroup* FindGroup(ShareGroupId id) const;
  ShareGroup* FindGroup(std::string_view shared_filter) const;

  // Groups whose last member leaves are handed over, for what they still hold; and those
  // that a member of ours joins or leaves.
  using GroupChange = absl::AnyInvocable<void(ShareGroup&)>;
  void set_on_group_end(GroupChange on_group_end) { on_group_end_ = std::move(on_group_end); }
  void set_on_group_change(GroupChange on_group_change) { on_group_change_ = std::move(on_group_change); }

  // Is told when a Topic Filter that is not shared has its first subscription here, and
  // when it has none any more.
  using InterestChange = absl::AnyInvocable<void(std::string_view topic_filter, bool begins)>;
  void set_on_interest(InterestChange on_interest) { on_interest_ = std::move(on_interest); }

  // The same of another shard: from then on, and no longer, Match tells of it.
  void AddShard(std::size_t shard, std::string_view topic_filter);
  void RemoveShard(std::size_t shard, std::string_view topic_filter);

  // The group, made if there is none: it has members on another shard. Close it when its
  // members have changed, so that it may end.
  ShareGroup& OpenGroup(std::string_view shared_filter);
  void SetElsewhere(ShareGroup& group, std::size_t shard, ShareGroupId group_there, const GroupState& state);
  void CloseGroup(ShareGroup& group);

  // Subscriptions with exactly this filter, $share/ included.
  std::size_t Count(std::string_view topic_filter) const;

  std::size_t size() const { return size_; }    // Subscriptions.
  std::size_t bytes() const { return bytes_; }  // What they take, about.

  // One of `shards`, which add what their subscriptions take, here and where they are known,
  // to `bytes_of_all`; before anything else. References outlive it.
  void Join(std::size_t shards, std::atomic<std::size_t>& bytes_of_all);
  std::size_t bytes_of_all() const { return bytes_of_all_ == nullptr ? bytes_ : bytes_of_all_->load(); }

  std::size_t node_count() const;  // Exact filters and trie nodes, without the root.

 private:
  // What makes a subscription the one that it is.
  using Identity = std::tuple<const Subscriber*, const FilterNode*, const ShareGroup*>;
  static Identity IdentityOf(const Subscription& subscription) {
    return {subscription.subscriber, subscription.node, subscription.group};
  }
  struct ByIdentity {
    using is_transparent = void;
    static Identity Of(const Identity& identity) { return identity; }
    static Identity Of(const Subscription* subscription) { return IdentityOf(*subscription); }
    template <typename Key>
    std::size_t operator()(const Key& key) const {
      return absl::HashOf(Of(key));
    }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return Of(a) == Of(b);
    }
  };

  FilterNode* FindNode(std::string_view topic_filter) const;
  FilterNode& NodeFor(std::string_view topic_filter);
  Subscription* Find(const Identity& identity) const;
  Subscription* Find(const Subscriber& subscriber, std::string_view topic_filter) const;
  static PointerList<Subscription>& ListOf(const Subscription& subscription);
  std::string FilterOf(const FilterNode& node) const;
  std::size_t CostOf(const FilterNode& node) const;
  std::size_t CostOf(const Subscription& subscription) const;
  std::size_t CostElsewhere(const ShareGroup& group, std::size_t shards) const;
  void Charge(Subscriber& subscriber, std::size_t bytes);
  void ChargeElsewhere(std::size_t bytes);
  void AddToAll(std::size_t bytes);
  std::size_t CostThere(const FilterNode& node) const;
  void Link(Subscription& subscription);
  void Unlink(Subscription& subscription);
  void Remove(Subscription& subscription);
  void Prune(FilterNode* unused);
  static void Visit(const FilterNode& node, MatchSink& sink);

  OwnedByText<ExactNode, &ExactNode::filter> exact_;
  ExactInterest exact_elsewhere_;
  std::unique_ptr<TreeNode> root_;
  std::size_t trie_nodes_ = 0;
  std::size_t size_ = 0;
  std::size_t bytes_ = 0;
  std::size_t others_ = 0;  // Shards.
  std::atomic<std::size_t>* bytes_of_all_ = nullptr;
  MemoryBudget* const budget_;
  absl::flat_hash_map<ShareGroupId, std::unique_ptr<ShareGroup>> groups_;
  absl::flat_hash_map<std::string_view, ShareGroup*, TextHash, std::equal_to<>>
      groups_by_filter_;                                               // Whole, the groups' own.
  absl::flat_hash_set<Subscription*, ByIdentity, ByIdentity> listed_;  // Those of long lists; see Find().
  ShareGroupId last_group_ = 0;
  GroupChange on_group_end_;
  GroupChange on_group_change_;
  InterestChange on_interest_;
  std::vector<TreeNode*> active_;  // Scratch of MatchWildcards().
  std::vector<TreeNode*> next_;
};

}  // namespace mqttrpc::broker
