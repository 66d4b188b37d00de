#include "upload.h"

#include <algorithm>

#include "sha256.h"

namespace demo::firmware {

asio::awaitable<absl::StatusOr<v1::UploadReply>> Upload(v1::FirmwareStub device, std::string version, std::string bytes,
                                                        std::size_t chunk_bytes, Progress progress) {
  Sha256 sha256;
  sha256.Add(bytes);
  v1::UploadRequest first;
  first.mutable_image()->set_version(version);
  first.mutable_image()->set_size(bytes.size());
  first.mutable_image()->set_sha256(sha256.Finish());

  auto upload = device.Upload();
  bool taken = co_await upload.Write(first);
  for (std::size_t sent = 0; taken && sent < bytes.size();) {
    const std::size_t size = std::min(chunk_bytes, bytes.size() - sent);
    v1::UploadRequest request;
    request.set_chunk(bytes.data() + sent, size);
    taken = co_await upload.Write(request);  // Waits until the device has room for it.
    if (!taken) break;
    sent += size;
    progress(sent);
  }
  co_return co_await upload.Finish();  // Also says why a Write() was in vain.
}

}  // namespace demo::firmware
