#include "described_service.h"

#include <algorithm>
#include <chrono>
#include <cstddef>

#include <google/protobuf/descriptor.pb.h>

#include "call_codec.h"
#include "mqttrpc/options.pb.h"

namespace mqttrpc {
namespace {

namespace gpb = google::protobuf;
using std::chrono::milliseconds;

// A pool made at run time may hold our options as unknown fields: read again, they are known.
template <typename Options>
Options Known(const Options& options) {
  Options known;
  if (!known.ParsePartialFromString(options.SerializePartialAsString())) return options;
  return known;
}

// As protoc-gen-mqttrpc takes them; 0 for others.
milliseconds TimeoutFrom(std::int64_t timeout_ms) {
  const bool valid = timeout_ms >= 1 && timeout_ms <= kMaximumTimeout.count();
  return milliseconds(valid ? timeout_ms : 0);
}

bool IsShareGroup(std::string_view group) {
  return !group.empty() && group.size() <= 255 && std::all_of(group.begin(), group.end(), [](char c) {
    return c > 0x20 && c <= 0x7E && c != '/' && c != '+' && c != '#';  // MQTT-4.8.2-1, MQTT-4.8.2-2
  });
}

MethodKind KindOf(const gpb::MethodDescriptor& described) {
  if (described.client_streaming()) {
    return described.server_streaming() ? MethodKind::kBidiStreaming : MethodKind::kClientStreaming;
  }
  return described.server_streaming() ? MethodKind::kServerStreaming : MethodKind::kUnary;
}

MethodInfo InfoOf(const gpb::MethodDescriptor& described, std::string_view name, milliseconds service_timeout) {
  const auto options = Known(described.options());
  const MethodOptions& ours = options.GetExtension(mqttrpc::method);
  MethodInfo info;
  info.name = name;
  info.kind = KindOf(described);
  // A service's timeout is for calls that are over soon: streams have none but their own.
  if (info.kind == MethodKind::kUnary) info.timeout = service_timeout;
  if (const milliseconds timeout = TimeoutFrom(ours.timeout_ms()); timeout.count() > 0) info.timeout = timeout;
  if (ours.qos() == MethodOptions::AT_MOST_ONCE) info.qos = mqtt::QoS::kAtMostOnce;
  switch (options.idempotency_level()) {
    case gpb::MethodOptions::NO_SIDE_EFFECTS: info.idempotency = Idempotency::kNoSideEffects; break;
    case gpb::MethodOptions::IDEMPOTENT: info.idempotency = Idempotency::kIdempotent; break;
    default: break;
  }
  return info;
}

}  // namespace

DescribedService::DescribedService(const gpb::ServiceDescriptor& descriptor)
    : descriptor_(descriptor), name_(descriptor.full_name()) {
  factory_.SetDelegateToGeneratedFactory(true);
  const auto options = Known(descriptor.options());
  const ServiceOptions& ours = options.GetExtension(mqttrpc::service);
  if (IsShareGroup(ours.share_group())) share_group_ = ours.share_group();
  const auto count = static_cast<std::size_t>(descriptor.method_count());
  method_names_.reserve(count);  // The views into them stay.
  methods_.reserve(count);
  for (int i = 0; i < descriptor.method_count(); ++i) {
    const gpb::MethodDescriptor& described = *descriptor.method(i);
    method_names_.emplace_back(described.name());
    methods_.push_back(InfoOf(described, method_names_.back(), TimeoutFrom(ours.timeout_ms())));
  }
  info_.name = name_;
  info_.share_group = share_group_;
  info_.methods = methods_;
}

const gpb::MethodDescriptor* DescribedService::Find(std::string_view name) const {
  return descriptor_.FindMethodByName(std::string(name));
}

GenericMessage DescribedService::New(const gpb::Descriptor& type) const {
  GenericDelete keep;
  keep.maker = shared_from_this();
  return GenericMessage(factory_.GetPrototype(&type)->New(), std::move(keep));
}

}  // namespace mqttrpc
