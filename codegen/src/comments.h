// Comments carried over from the .proto.
#pragma once

#include <string>
#include <string_view>

#include <google/protobuf/descriptor.h>

namespace mqttrpc::codegen {

// `text` as `//` lines, each behind `indent` and with its newline; empty for
// empty text. Any text is safe: no line can end the comment or continue it.
std::string CommentBlock(std::string_view text, std::string_view indent);

// What stands before and behind the thing, ready to print.
template <typename Descriptor>
std::string CommentOf(const Descriptor& descriptor, std::string_view indent) {
  google::protobuf::SourceLocation location;
  if (!descriptor.GetSourceLocation(&location)) return "";
  return CommentBlock(location.leading_comments, indent) + CommentBlock(location.trailing_comments, indent);
}

// Comments that stand before the thing, by themselves: a section's heading, say.
// Each block ends with an empty line.
template <typename Descriptor>
std::string DetachedCommentsOf(const Descriptor& descriptor, std::string_view indent) {
  google::protobuf::SourceLocation location;
  if (!descriptor.GetSourceLocation(&location)) return "";
  std::string result;
  for (const std::string& detached : location.leading_detached_comments) {
    result += CommentBlock(detached, indent) + "\n";
  }
  return result;
}

// The file's own comments (its licence, what it is for): all that stands before
// `syntax` and `package`, in blocks that end with an empty line.
std::string FileComments(const google::protobuf::FileDescriptor& file);

}  // namespace mqttrpc::codegen
