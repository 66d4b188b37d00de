#include "rpc_options.h"

#include <chrono>
#include <string_view>
#include <utility>

#include <google/protobuf/descriptor.pb.h>

#include "mqttrpc/options.pb.h"

namespace mqttrpc::codegen {
namespace {

namespace gpb = google::protobuf;

constexpr std::int64_t kMaximumTimeoutMs = std::chrono::milliseconds(std::chrono::hours(24 * 30)).count();

// A level of the topics that all members of a pool subscribe; MQTT itself would
// allow 65,535 bytes for the whole filter.
constexpr std::size_t kMaximumShareGroupBytes = 255;

// Reports `message` where `extension`'s `field` is set on the thing at `path`.
void ReportOption(Diagnostics& diagnostics, const gpb::FileDescriptor& file, SourcePath path, int options_field,
                  int extension, int field, const std::string& message) {
  path.insert(path.end(), {options_field, extension, field});
  diagnostics.Report(file, std::move(path), message);
}

std::string CheckTimeout(std::int64_t timeout_ms) {
  if (timeout_ms >= 1 && timeout_ms <= kMaximumTimeoutMs) return "";
  return "timeout_ms is " + std::to_string(timeout_ms) + "; it must be 1 to " + std::to_string(kMaximumTimeoutMs) +
         " (30 days)";
}

std::string CheckShareGroup(std::string_view group) {
  if (group.empty()) return "share_group is empty; leave it out to use the service's full name";
  if (group.size() > kMaximumShareGroupBytes) {
    return "share_group is " + std::to_string(group.size()) + " bytes; it may have " +
           std::to_string(kMaximumShareGroupBytes);
  }
  for (const char c : group) {
    if (c == '/' || c == '+' || c == '#') {  // MQTT-4.8.2-1, MQTT-4.8.2-2
      return "share_group \"" + std::string(group) + "\" contains '" + c +
             "', which MQTT does not allow in a ShareName";
    }
    // Letters beyond ASCII work in MQTT, yet not every broker's tools show them.
    if (c <= 0x20 || c > 0x7E) return "share_group contains a space, a control character or one that is not ASCII";
  }
  return "";
}

}  // namespace

std::string ReadShareGroup(const gpb::ServiceDescriptor& service, Diagnostics& diagnostics) {
  const ServiceOptions& options = service.options().GetExtension(mqttrpc::service);
  if (!options.has_share_group()) return "";
  const std::string problem = CheckShareGroup(options.share_group());
  if (problem.empty()) return options.share_group();
  ReportOption(diagnostics, *service.file(), PathOf(service), gpb::ServiceDescriptorProto::kOptionsFieldNumber,
               mqttrpc::kServiceFieldNumber, ServiceOptions::kShareGroupFieldNumber, problem);
  return "";
}

std::int64_t ReadServiceTimeout(const gpb::ServiceDescriptor& service, Diagnostics& diagnostics) {
  const ServiceOptions& options = service.options().GetExtension(mqttrpc::service);
  if (!options.has_timeout_ms()) return 0;
  const std::string problem = CheckTimeout(options.timeout_ms());
  if (problem.empty()) return options.timeout_ms();
  ReportOption(diagnostics, *service.file(), PathOf(service), gpb::ServiceDescriptorProto::kOptionsFieldNumber,
               mqttrpc::kServiceFieldNumber, ServiceOptions::kTimeoutMsFieldNumber, problem);
  return 0;
}

MethodSettings ReadMethodSettings(const gpb::MethodDescriptor& method, std::int64_t service_timeout_ms,
                                  Diagnostics& diagnostics) {
  MethodSettings settings;
  settings.timeout_ms = service_timeout_ms;
  const MethodOptions& options = method.options().GetExtension(mqttrpc::method);
  if (options.has_timeout_ms()) {
    const std::string problem = CheckTimeout(options.timeout_ms());
    if (problem.empty()) {
      settings.timeout_ms = options.timeout_ms();
    } else {
      ReportOption(diagnostics, *method.file(), PathOf(method), gpb::MethodDescriptorProto::kOptionsFieldNumber,
                   mqttrpc::kMethodFieldNumber, MethodOptions::kTimeoutMsFieldNumber, problem);
    }
  }
  settings.at_most_once = options.qos() == MethodOptions::AT_MOST_ONCE;
  switch (method.options().idempotency_level()) {
    case gpb::MethodOptions::NO_SIDE_EFFECTS: settings.idempotency = "kNoSideEffects"; break;
    case gpb::MethodOptions::IDEMPOTENT: settings.idempotency = "kIdempotent"; break;
    default: settings.idempotency = "kUnknown"; break;
  }
  return settings;
}

}  // namespace mqttrpc::codegen
