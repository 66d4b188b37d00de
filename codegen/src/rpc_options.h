// The options of mqttrpc/options.proto, read and checked.
#pragma once

#include <cstdint>
#include <string>

#include <google/protobuf/descriptor.h>

#include "diagnostics.h"

namespace mqttrpc::codegen {

// How a method is called.
struct MethodSettings {
  std::int64_t timeout_ms = 0;  // 0: not set, neither here nor in the service.
  bool at_most_once = false;
  std::string idempotency;  // The enumerator of mqttrpc::Idempotency.
};

// Bad values are reported and read as not set.
std::string ReadShareGroup(const google::protobuf::ServiceDescriptor& service, Diagnostics& diagnostics);
std::int64_t ReadServiceTimeout(const google::protobuf::ServiceDescriptor& service, Diagnostics& diagnostics);
MethodSettings ReadMethodSettings(const google::protobuf::MethodDescriptor& method, std::int64_t service_timeout_ms,
                                  Diagnostics& diagnostics);

}  // namespace mqttrpc::codegen
