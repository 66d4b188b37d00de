#include "scenarios/stream_world.h"

#include <chrono>
#include <thread>
#include <vector>

namespace bench {

StreamWorld::StreamWorld(const std::string& system, const StreamShape& shape)
    : shape_(shape), grpc_(system == kStreamsOverGrpc), frames_(system == kStreamsOfManyFrames ? "1024" : "0") {
  if (grpc_) {
    server_.emplace(StartSelf({"serve-grpc-streams", "--counts", counts_.file()}, "ready "));
  } else {
    broker_.emplace(kMqttrpcd);
    server_.emplace(StartSelf(
        {"serve-mqttrpc-streams", "--broker", broker_->url(), "--counts", counts_.file(), "--frames", frames_},
        "ready "));
  }
}

void StreamWorld::OpenStreams() {
  std::vector<std::string> command = {"call-streams",
                                      "--address",
                                      grpc_ ? server_->ready_line() : broker_->url(),
                                      "--counts",
                                      counts_.file(),
                                      "--streams",
                                      std::to_string(shape_.streams),
                                      "--bytes",
                                      std::to_string(shape_.payload_bytes),
                                      "--frames",
                                      frames_,
                                      "--read-only",
                                      std::to_string(shape_.read_only)};
  if (grpc_) command.emplace_back("--grpc");
  if (shape_.upload) command.emplace_back("--upload");
  caller_.emplace(StartSelf(std::move(command), "ready "));
}

void StreamWorld::Stop(Sample& sample) {
  constexpr std::chrono::seconds kPatience(20);
  counts_->stop = true;
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (counts_->ended < shape_.streams) {
    if (std::chrono::steady_clock::now() > end) throw Void("streams do not end");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  sample.losses += counts_->failed;
  sample.disorder += counts_->disorder;
}

}  // namespace bench
