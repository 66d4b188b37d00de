#include <string>

#include "mqttrpc/rpc/service.h"
#include "mqttrpc/rpc/status.h"

namespace mqttrpc {

absl::Status UnimplementedMethod(const ServiceInfo& service, std::size_t method) {
  std::string text(service.name);
  if (method < service.methods.size()) text.append(".").append(service.methods[method].name);
  absl::Status status = absl::UnimplementedError(text + " is not implemented");
  SetOutcome(status, Outcome::kNotExecuted);
  return status;
}

}  // namespace mqttrpc
