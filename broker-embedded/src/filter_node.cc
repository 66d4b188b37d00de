#include "filter_node.h"

namespace mqttrpc::broker {

TreeNode* TreeNode::NamedChild(std::string_view level) const {
  if (children == nullptr) return nullptr;
  const auto found = children->find(level);
  return found == children->end() ? nullptr : found->get();
}

TreeNode* TreeNode::Child(std::string_view level) const {
  if (level == "+") return plus.get();
  if (level == "#") return hash.get();
  return NamedChild(level);
}

TreeNode& TreeNode::AddChild(std::string_view level) {
  std::unique_ptr<TreeNode> child = New(level, this);
  TreeNode& added = *child;
  if (level == "+") {
    plus = std::move(child);
  } else if (level == "#") {
    hash = std::move(child);
  } else {
    if (children == nullptr) children = std::make_unique<Children>();
    children->insert(std::move(child));
  }
  return added;
}

void TreeNode::RemoveChild(const TreeNode& child) {
  if (&child == plus.get()) {
    plus.reset();
  } else if (&child == hash.get()) {
    hash.reset();
  } else {
    children->erase(children->find(child.level()));
    if (children->empty()) children.reset();
  }
}

}  // namespace mqttrpc::broker
