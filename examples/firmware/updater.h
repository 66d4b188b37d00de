// The device's side: takes images into its slot.
#pragma once

#include <cstdint>
#include <filesystem>

#include "firmware.mqttrpc.h"

namespace demo::firmware {

// One upload at a time. The slot holds either the image before or the new one, whole
// and checked: bytes under way are beside it, in `<slot>.part`.
class Updater final : public v1::FirmwareService {
 public:
  Updater(std::filesystem::path slot, std::uint64_t capacity_bytes)
      : slot_(std::move(slot)), capacity_(capacity_bytes) {}

 private:
  asio::awaitable<absl::StatusOr<v1::UploadReply>> CoUpload(mqttrpc::ServerContext& context,
                                                            mqttrpc::ServerReader<v1::UploadRequest>& reader) override;

  std::filesystem::path part() const { return slot_.string() + ".part"; }

  const std::filesystem::path slot_;
  const std::uint64_t capacity_;
  bool busy_ = false;
};

}  // namespace demo::firmware
