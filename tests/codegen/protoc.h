// The real protoc with the real plugin.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace mqttrpc::testing {

std::string ReadFile(const std::filesystem::path& path);
void WriteFile(const std::filesystem::path& path, std::string_view text);

// A folder of its own for one test, removed at its end.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct ProtocResult {
  int exit_status = 0;
  std::string output;  // What it and the plugin said.
};

// Runs the plugin on `protos` of `folder`, writing to `out`. mqttrpc/options.proto
// and Protobuf's own files are found. `arguments` go to protoc as they are.
ProtocResult RunPlugin(const std::filesystem::path& folder, const std::vector<std::string>& protos,
                       const std::filesystem::path& out, const std::vector<std::string>& arguments = {});

}  // namespace mqttrpc::testing
