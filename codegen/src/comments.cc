#include "comments.h"

#include <algorithm>

#include <google/protobuf/descriptor.pb.h>

namespace mqttrpc::codegen {

namespace gpb = google::protobuf;

std::string CommentBlock(std::string_view text, std::string_view indent) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  std::string result;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    // A lone carriage return or form feed would be a line end to some tools.
    std::replace_if(line.begin(), line.end(), [](char c) { return c == '\r' || c == '\f' || c == '\v'; }, ' ');
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.pop_back();
    if (!line.empty() && line.back() == '\\') line += " |";  // Else the next line belongs to the comment.
    if (!line.empty() && line.front() != ' ' && line.front() != '/') line.insert(0, 1, ' ');
    result.append(indent).append("//").append(line).append("\n");
  }
  return result;
}

std::string FileComments(const gpb::FileDescriptor& file) {
  std::string result;
  const auto add = [&result](const std::string& text) {
    const std::string block = CommentBlock(text, "");
    if (!block.empty()) result += block + "\n";
  };
  for (const int field :
       {gpb::FileDescriptorProto::kSyntaxFieldNumber, gpb::FileDescriptorProto::kPackageFieldNumber}) {
    gpb::SourceLocation location;
    if (!file.GetSourceLocation({field}, &location)) continue;
    for (const std::string& detached : location.leading_detached_comments) add(detached);
    add(location.leading_comments);
  }
  return result;
}

}  // namespace mqttrpc::codegen
