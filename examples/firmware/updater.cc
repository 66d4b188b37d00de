#include "updater.h"

#include <fstream>
#include <optional>
#include <string>
#include <system_error>

#include <absl/cleanup/cleanup.h>

#include "sha256.h"

namespace demo::firmware {

using v1::Image;
using v1::UploadReply;
using v1::UploadRequest;

namespace {

// Whether what came is what was named.
absl::Status Check(const Image& named, std::uint64_t size, const std::string& sha256) {
  if (size != named.size()) {
    return absl::DataLossError(std::to_string(size) + " bytes came; the image has " + std::to_string(named.size()));
  }
  if (sha256 != named.sha256()) return absl::DataLossError("the image's SHA-256 is not the one named");
  return absl::OkStatus();
}

}  // namespace

asio::awaitable<absl::StatusOr<UploadReply>> Updater::CoUpload(mqttrpc::ServerContext& context,
                                                               mqttrpc::ServerReader<UploadRequest>& reader) {
  if (busy_) co_return absl::FailedPreconditionError("another upload is under way");
  busy_ = true;
  const absl::Cleanup finish = [this] {
    busy_ = false;
    std::error_code ignored;
    std::filesystem::remove(part(), ignored);  // There only if something went wrong.
  };

  const std::optional<UploadRequest> first = co_await reader.Read();
  if (!first || !first->has_image()) co_return absl::InvalidArgumentError("the first message names no image");
  const Image& image = first->image();
  if (image.size() > capacity_) {
    co_return absl::ResourceExhaustedError("the image has " + std::to_string(image.size()) + " bytes; the slot has " +
                                           std::to_string(capacity_));
  }

  std::ofstream file(part(), std::ios::binary | std::ios::trunc);
  Sha256 sha256;
  std::uint64_t size = 0;
  std::uint32_t chunks = 0;
  // A cut of the connection does not show here: the chunks behind it come a little later.
  while (const std::optional<UploadRequest> request = co_await reader.Read()) {
    if (!request->has_chunk()) co_return absl::InvalidArgumentError("a message after the first is no chunk");
    size += request->chunk().size();
    if (size > image.size()) break;
    ++chunks;
    sha256.Add(request->chunk());
    file << request->chunk();
  }
  if (context.cancelled()) co_return absl::CancelledError("the upload was given up");
  if (absl::Status status = Check(image, size, sha256.Finish()); !status.ok()) co_return status;

  file.close();
  std::error_code error;
  if (file) std::filesystem::rename(part(), slot_, error);
  if (!file || error) co_return absl::InternalError("cannot write to " + slot_.string());
  UploadReply reply;
  *reply.mutable_image() = image;
  reply.set_chunks(chunks);
  co_return reply;
}

}  // namespace demo::firmware
