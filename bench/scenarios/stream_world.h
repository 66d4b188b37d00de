// Streams under way between processes: a writer, a reader and, if there is one, a broker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <sys/types.h>

#include "report/sample.h"
#include "systems/programs.h"
#include "systems/stream_counts.h"

namespace bench {

inline constexpr char kStreamsOverMqttrpcd[] = "mqttrpc over mqttrpcd";
inline constexpr char kStreamsOfManyFrames[] = "mqttrpc, 1024 frames";
inline constexpr char kStreamsOverGrpc[] = "gRPC streaming";

struct StreamShape {
  std::size_t streams = 1;
  std::size_t payload_bytes = 100;
  bool upload = false;
  std::uint64_t read_only = 0;  // See StreamCallerOptions.
};

class StreamWorld {
 public:
  // The broker and the server; no stream yet.
  StreamWorld(const std::string& system, const StreamShape& shape);

  void OpenStreams();

  // Ends all streams and waits for it. Messages that never came, and streams that failed, are losses.
  void Stop(Sample& sample);

  StreamCounts& counts() { return *counts_; }
  pid_t broker() const { return broker_.has_value() ? broker_->pid() : -1; }  // -1: none.
  pid_t writer() const { return shape_.upload ? caller_->pid() : server_->pid(); }
  pid_t reader() const { return shape_.upload ? server_->pid() : caller_->pid(); }

 private:
  const StreamShape shape_;
  const bool grpc_;
  const std::string frames_;  // "0": the default.
  SharedStreamCounts counts_;
  std::optional<Broker> broker_;
  std::optional<Program> server_;
  std::optional<Program> caller_;
};

}  // namespace bench
