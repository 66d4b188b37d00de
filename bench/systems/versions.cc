#include "systems/versions.h"

#include <grpcpp/grpcpp.h>

#include "support/child_process.h"

namespace bench {

std::string MosquittoVersion() {
  mqttrpc::testing::ChildProcess help({MQTTRPC_BENCH_MOSQUITTO, "-h"});
  return "mosquitto " + help.WaitForLine("mosquitto version ").value_or("of unknown version");
}

std::string GrpcVersion() { return "gRPC " + grpc::Version(); }

}  // namespace bench
