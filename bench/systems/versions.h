// Of what we are compared with.
#pragma once

#include <string>

namespace bench {

std::string MosquittoVersion();  // "mosquitto 2.0.11"
std::string GrpcVersion();       // "gRPC 1.51.1"

}  // namespace bench
