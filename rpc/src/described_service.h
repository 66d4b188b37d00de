// A service known by its descriptor: what generated code would say about it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>

#include "mqttrpc/rpc/generic.h"
#include "mqttrpc/rpc/method.h"

namespace mqttrpc {

class DescribedService final : public std::enable_shared_from_this<DescribedService> {
 public:
  explicit DescribedService(const google::protobuf::ServiceDescriptor& descriptor);

  const google::protobuf::ServiceDescriptor& descriptor() const { return descriptor_; }
  const ServiceInfo& info() const { return info_; }

  // Null if there is none of that name.
  const google::protobuf::MethodDescriptor* Find(std::string_view name) const;

  GenericMessage New(const google::protobuf::Descriptor& type) const;

 private:
  const google::protobuf::ServiceDescriptor& descriptor_;
  const std::string name_;
  std::string share_group_;
  std::vector<std::string> method_names_;
  std::vector<MethodInfo> methods_;
  ServiceInfo info_;
  mutable google::protobuf::DynamicMessageFactory factory_;
};

}  // namespace mqttrpc
