// Streams between processes of their own: who serves them and who calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace bench {

struct StreamCallerOptions {
  std::string address;      // A broker's URL, or a gRPC server's HOST:PORT.
  std::string counts_file;  // Of a SharedStreamCounts.
  bool grpc = false;
  bool upload = false;
  std::size_t streams = 1;  // At a time, over one connection.
  std::size_t payload_bytes = 100;
  std::size_t frames = 0;       // StreamLimits::frames, of ours only; 0: the default.
  std::uint64_t read_only = 0;  // So many messages of each download; then the reader stops to read. 0: all.
};

// Serve until the process is killed; print a line `ready ADDRESS` when calls may come.
// `frames`: as above.
int ServeMqttrpcStreams(const std::string& broker_url, const std::string& counts_file, std::size_t frames);
int ServeGrpcStreams(const std::string& counts_file);

// Print a line `ready `, open the streams and wait to be killed; end the streams when the counts say so.
int CallMqttrpcStreams(const StreamCallerOptions& options);
int CallGrpcStreams(const StreamCallerOptions& options);

}  // namespace bench
