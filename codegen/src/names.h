// Every naming decision: what the things of a .proto are called in C++.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/descriptor.h>

namespace mqttrpc::codegen {

namespace gpb = google::protobuf;

struct MethodNames {
  std::string plain;      // Of the stub's function and of the handler that answers at once.
  std::string coroutine;  // Of the handler that may wait.
};

struct ServiceNames {
  std::string stub;
  std::string service;
  std::string mock;
  std::vector<MethodNames> methods;
};

// The names of one file. They depend on that file and what it imports alone, so
// that a file always generates the same code.
class Names {
 public:
  explicit Names(const gpb::FileDescriptor& file);

  // "acme::lamp::v1"; empty without a package.
  const std::string& name_space() const { return name_space_; }

  const ServiceNames& Of(const gpb::ServiceDescriptor& service) const { return services_[service.index()]; }

  // How the classes generated for `service` write the message's class: without
  // its namespace, where that is theirs and nothing of them has the same name.
  std::string Class(const gpb::Descriptor& message, const gpb::ServiceDescriptor& service) const;

  // How it writes the top-level namespace `name` (std, absl, asio): with `::`
  // before it if the imports show something nearer of the same name.
  std::string Root(std::string_view name) const;

 private:
  void CollectDeclared(const gpb::FileDescriptor& file, std::set<const gpb::FileDescriptor*>& seen);
  // `name`, or what it becomes where that is taken; taken from now on.
  std::string TakeClass(std::string name);
  bool IsHidden(std::string_view name) const;

  std::string name_space_;
  std::set<std::string> declared_;  // "acme::Lamp": all that lies in a namespace, as far as imports show it.
  std::vector<ServiceNames> services_;
};

// "acme::lamp::v1::Lamp_State": what protoc calls the message's class.
std::string QualifiedClass(const gpb::Descriptor& message);

// "demo/greeter.proto" -> "demo/greeter", the stem of all files generated from it.
std::string StripProto(std::string_view file_name);

}  // namespace mqttrpc::codegen
