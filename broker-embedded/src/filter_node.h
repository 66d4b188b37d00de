// Where the subscriptions with one Topic Filter hang.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "pointer_list.h"
#include "shard_set.h"
#include "share_group.h"
#include "text_map.h"

namespace mqttrpc::broker {

struct Subscription;

// Who has subscribed with one filter. A million of them are nothing out of the ordinary,
// so the text stands behind the node, in the same block of memory.
struct FilterNode {
  bool unused() const { return subscriptions.empty() && groups.empty(); }

  PointerList<Subscription> subscriptions;
  PointerList<ShareGroup> groups;
  const bool in_trie;  // It is a TreeNode, else an ExactNode.

 protected:
  FilterNode(bool in_trie_in, std::size_t text_bytes)
      : in_trie(in_trie_in), text_bytes_(static_cast<std::uint32_t>(text_bytes)) {}
  ~FilterNode() = default;

  const std::uint32_t text_bytes_;
};

// Adds the text behind it to a node.
template <typename Node>
class WithText {
 public:
  // One that is made of `text` and `arguments`.
  template <typename... Arguments>
  static std::unique_ptr<Node> New(std::string_view text, Arguments&&... arguments) {
    void* const memory = ::operator new(sizeof(Node) + text.size());
    auto* const node = new (memory) Node(text.size(), std::forward<Arguments>(arguments)...);
    std::memcpy(reinterpret_cast<char*>(node + 1), text.data(), text.size());
    return std::unique_ptr<Node>(node);
  }
  static void operator delete(void* memory) { ::operator delete(memory); }  // Its size is not sizeof(Node).

 private:
  friend Node;
  WithText() = default;
};

// A filter without wildcards.
struct ExactNode final : FilterNode, WithText<ExactNode> {
  explicit ExactNode(std::size_t text_bytes) : FilterNode(false, text_bytes) {}

  std::string_view filter() const { return {reinterpret_cast<const char*>(this + 1), text_bytes_}; }
};

// One level of the trie.
struct TreeNode final : FilterNode, WithText<TreeNode> {
  TreeNode(std::size_t text_bytes, TreeNode* parent_in) : FilterNode(true, text_bytes), parent(parent_in) {}

  std::string_view level() const { return {reinterpret_cast<const char*>(this + 1), text_bytes_}; }

  // Null if there is none.
  TreeNode* Child(std::string_view level) const;
  TreeNode* NamedChild(std::string_view level) const;  // Without the wildcards.

  TreeNode& AddChild(std::string_view level);
  void RemoveChild(const TreeNode& child);

  bool empty() const { return unused() && shards == 0 && children == nullptr && !plus && !hash; }

  using Children = OwnedByText<TreeNode, &TreeNode::level>;

  TreeNode* const parent;              // Null for the root.
  std::unique_ptr<Children> children;  // By level, wildcards apart. Null: none.
  std::unique_ptr<TreeNode> plus;
  std::unique_ptr<TreeNode> hash;
  ShardSet shards = 0;  // That have subscriptions with this filter too.
};

// Cuts the first level off `rest`; false once there is none left.
inline bool TakeLevel(std::string_view& rest, bool& more, std::string_view& level) {
  if (!more) return false;
  const std::size_t slash = rest.find('/');
  more = slash != std::string_view::npos;
  level = rest.substr(0, slash);
  rest.remove_prefix(more ? slash + 1 : rest.size());
  return true;
}

}  // namespace mqttrpc::broker
