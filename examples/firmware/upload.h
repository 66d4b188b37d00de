// The backend's side: sends an image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "firmware.mqttrpc.h"

namespace demo::firmware {

// Called with the bytes that the device has taken or has room for. It grants room by the
// chunk, so this runs ahead of it by StreamLimits::frames chunks at most.
using Progress = std::function<void(std::uint64_t bytes)>;

// Sends `bytes` in chunks. Completes with what the device says of it, or why it did not come
// to that.
asio::awaitable<absl::StatusOr<v1::UploadReply>> Upload(v1::FirmwareStub device, std::string version, std::string bytes,
                                                        std::size_t chunk_bytes, Progress progress);

}  // namespace demo::firmware
