#include "diagnostics.h"

#include <google/protobuf/descriptor.pb.h>

namespace mqttrpc::codegen {

namespace gpb = google::protobuf;

SourcePath PathOf(const gpb::ServiceDescriptor& service) {
  return {gpb::FileDescriptorProto::kServiceFieldNumber, service.index()};
}

SourcePath PathOf(const gpb::MethodDescriptor& method) {
  SourcePath path = PathOf(*method.service());
  path.push_back(gpb::ServiceDescriptorProto::kMethodFieldNumber);
  path.push_back(method.index());
  return path;
}

void Diagnostics::Report(const gpb::FileDescriptor& file, SourcePath path, const std::string& message) {
  gpb::SourceLocation location;
  bool found = file.GetSourceLocation(path, &location);
  while (!found && !path.empty()) {
    path.pop_back();
    found = file.GetSourceLocation(path, &location);
  }
  std::string line(file.name());
  // Counted from 0 there, from 1 by people and editors.
  if (found) line += ":" + std::to_string(location.start_line + 1) + ":" + std::to_string(location.start_column + 1);
  lines_.push_back(line + ": " + message);
}

std::string Diagnostics::Text() const {
  std::string text = lines_.size() == 1 ? "1 error" : std::to_string(lines_.size()) + " errors";
  for (const std::string& line : lines_) text += "\n" + line;
  return text;
}

}  // namespace mqttrpc::codegen
