#include <iostream>
#include <memory>

#include <grpcpp/grpcpp.h>

#include "streams.grpc.pb.h"
#include "systems/numbered.h"
#include "systems/stream_counts.h"
#include "systems/stream_programs.h"

namespace bench {
namespace {

class DownloadReactor final : public grpc::ServerWriteReactor<v1::Payload> {
 public:
  DownloadReactor(StreamCounts& counts, std::size_t bytes) : counts_(counts), payloads_(bytes) {
    StartWrite(&payloads_.Next());
  }

 private:
  void OnWriteDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status(grpc::StatusCode::CANCELLED, "nobody reads"));
      return;
    }
    CountOne(counts_.written);
    StartWrite(&payloads_.Next());
  }
  void OnDone() override { delete this; }

  StreamCounts& counts_;
  Numbered payloads_;
};

class UploadReactor final : public grpc::ServerReadReactor<v1::Payload> {
 public:
  UploadReactor(StreamCounts& counts, v1::Received& received) : counts_(counts), received_(received) {
    StartRead(&payload_);
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) {
      received_.set_messages(check_.count());
      Finish(grpc::Status::OK);
      return;
    }
    if (!check_.IsNext(payload_)) CountOne(counts_.disorder);
    CountOne(counts_.read);
    StartRead(&payload_);
  }
  void OnDone() override { delete this; }

  StreamCounts& counts_;
  v1::Received& received_;
  v1::Payload payload_;
  NumberCheck check_;
};

class StreamsServer final : public v1::Streams::CallbackService {
 public:
  explicit StreamsServer(StreamCounts& counts) : counts_(counts) {}

 private:
  grpc::ServerWriteReactor<v1::Payload>* Download(grpc::CallbackServerContext*, const v1::Wanted* wanted) override {
    return new DownloadReactor(counts_, wanted->bytes());
  }
  grpc::ServerReadReactor<v1::Payload>* Upload(grpc::CallbackServerContext*, v1::Received* received) override {
    return new UploadReactor(counts_, *received);
  }

  StreamCounts& counts_;
};

}  // namespace

int ServeGrpcStreams(const std::string& counts_file) {
  const SharedStreamCounts counts(counts_file);
  StreamsServer service(*counts);
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::cout << "ready 127.0.0.1:" << port << std::endl;
  server->Wait();
  return 0;
}

}  // namespace bench
