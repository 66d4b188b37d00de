// What is wrong with a .proto, and where.
#pragma once

#include <string>
#include <vector>

#include <google/protobuf/descriptor.h>

namespace mqttrpc::codegen {

// Where something stands in its file: field numbers and indexes in
// FileDescriptorProto, as SourceCodeInfo has them.
using SourcePath = std::vector<int>;

SourcePath PathOf(const google::protobuf::ServiceDescriptor& service);
SourcePath PathOf(const google::protobuf::MethodDescriptor& method);

class Diagnostics {
 public:
  // Reports `message` at `path`, or at the nearest thing around it that has a place.
  void Report(const google::protobuf::FileDescriptor& file, SourcePath path, const std::string& message);

  bool empty() const { return lines_.empty(); }

  // "2 errors", then a line each: "demo/greeter.proto:12:3: message".
  std::string Text() const;

 private:
  std::vector<std::string> lines_;
};

}  // namespace mqttrpc::codegen
