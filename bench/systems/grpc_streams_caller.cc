#include <iostream>
#include <memory>
#include <utility>
#include <vector>

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include "streams.grpc.pb.h"
#include "systems/grpc_channel.h"
#include "systems/numbered.h"
#include "systems/stream_counts.h"
#include "systems/stream_programs.h"

namespace bench {
namespace {

void Ended(StreamCounts& counts, bool as_it_should, const char* what, const grpc::Status& status) {
  if (!as_it_should) {
    std::cerr << "mqttrpc-bench: " << what << ": " << status.error_code() << ' ' << status.error_message() << '\n';
    CountOne(counts.failed);
  }
  CountOne(counts.ended);
}

class DownloadReactor final : public grpc::ClientReadReactor<v1::Payload> {
 public:
  DownloadReactor(v1::Streams::Stub& stub, StreamCounts& counts, const StreamCallerOptions& options)
      : counts_(counts), options_(options) {
    wanted_.set_bytes(static_cast<std::uint32_t>(options.payload_bytes));
    stub.async()->Download(&context_, &wanted_, this);
    StartRead(&payload_);
    StartCall();
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    if (!check_.IsNext(payload_)) CountOne(counts_.disorder);
    CountOne(counts_.read);
    if (check_.count() == options_.read_only) return;
    if (counts_.stop.load(std::memory_order_relaxed)) {
      context_.TryCancel();
      return;
    }
    StartRead(&payload_);
  }
  void OnDone(const grpc::Status& status) override {
    Ended(counts_, status.error_code() == grpc::StatusCode::CANCELLED, "download", status);
  }

  StreamCounts& counts_;
  const StreamCallerOptions& options_;
  grpc::ClientContext context_;
  v1::Wanted wanted_;
  v1::Payload payload_;
  NumberCheck check_;
};

class UploadReactor final : public grpc::ClientWriteReactor<v1::Payload> {
 public:
  UploadReactor(v1::Streams::Stub& stub, StreamCounts& counts, const StreamCallerOptions& options)
      : counts_(counts), payloads_(options.payload_bytes) {
    stub.async()->Upload(&context_, &received_, this);
    StartWrite(&payloads_.Next());
    StartCall();
  }

 private:
  void OnWriteDone(bool ok) override {
    if (!ok) return;
    CountOne(counts_.written);
    if (counts_.stop.load(std::memory_order_relaxed)) {
      StartWritesDone();
    } else {
      StartWrite(&payloads_.Next());
    }
  }
  void OnDone(const grpc::Status& status) override {
    Ended(counts_, status.ok() && received_.messages() == payloads_.count(), "upload", status);
  }

  StreamCounts& counts_;
  grpc::ClientContext context_;
  v1::Received received_;
  Numbered payloads_;
};

}  // namespace

int CallGrpcStreams(const StreamCallerOptions& options) {
  const SharedStreamCounts counts(options.counts_file);
  const std::unique_ptr<v1::Streams::Stub> stub = v1::Streams::NewStub(ChannelTo(options.address));
  std::vector<std::unique_ptr<DownloadReactor>> downloads;
  std::vector<std::unique_ptr<UploadReactor>> uploads;
  for (std::size_t i = 0; i < options.streams; ++i) {
    if (options.upload) {
      uploads.push_back(std::make_unique<UploadReactor>(*stub, *counts, options));
    } else {
      downloads.push_back(std::make_unique<DownloadReactor>(*stub, *counts, options));
    }
  }
  std::cout << "ready " << std::endl;
  for (;;) pause();
}

}  // namespace bench
