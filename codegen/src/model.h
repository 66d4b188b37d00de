// One .proto, checked and named: all that the printers need.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <google/protobuf/descriptor.h>

#include "diagnostics.h"
#include "names.h"
#include "rpc_options.h"

namespace mqttrpc::codegen {

// What the printers' `$name$` stand for.
using Variables = std::map<std::string, std::string>;

// Which side sends one message, and which any number of them.
enum class MethodKind { kUnary, kServerStreaming, kClientStreaming, kBidiStreaming };

struct MethodModel {
  const gpb::MethodDescriptor* descriptor = nullptr;
  MethodKind kind = MethodKind::kUnary;
  MethodSettings settings;
  // name coroutine wire_name index request reply, the handlers' result, parameters
  // and types (the parameters without names), and the service's.
  Variables variables;
};

struct ServiceModel {
  const gpb::ServiceDescriptor* descriptor = nullptr;
  std::string share_group;
  std::vector<MethodModel> methods;
  Variables variables;  // stub service mock full_name, and the file's.
};

struct FileModel {
  const gpb::FileDescriptor* descriptor = nullptr;
  std::string name_space;                    // "acme::lamp::v1"
  std::string stem;                          // "acme/lamp"
  std::vector<std::string> message_headers;  // That declare the methods' messages, as #include takes them.
  std::vector<ServiceModel> services;
  Variables variables;  // rt absl asio std: namespaces with their `::`.
};

bool HasUnary(const ServiceModel& service);
bool HasStreams(const ServiceModel& service);

// Reports whatever keeps `file` from being generated; the model is usable only
// if that is nothing.
FileModel BuildModel(const gpb::FileDescriptor& file, Diagnostics& diagnostics);

// The same for what keeps only the file's mocks from being generated.
void CheckMocks(const FileModel& file, Diagnostics& diagnostics);

}  // namespace mqttrpc::codegen
