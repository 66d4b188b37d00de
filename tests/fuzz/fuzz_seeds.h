// Lets a fuzz target start from good inputs without a corpus in the repository.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace mqttrpc::test {

// Call it from LLVMFuzzerInitialize: writes `seeds` as files into the first
// corpus folder on the command line, if there is one and it is empty.
inline void WriteSeeds(int argc, char** argv, const std::vector<std::string>& seeds) {
  for (int i = 1; i < argc; ++i) {
    const std::filesystem::path folder = argv[i];
    std::error_code ignored;
    if (std::string_view(argv[i]).starts_with('-') || !std::filesystem::is_directory(folder, ignored)) continue;
    if (!std::filesystem::is_empty(folder, ignored)) return;
    for (std::size_t n = 0; n < seeds.size(); ++n) {
      std::ofstream(folder / ("seed-" + std::to_string(n)), std::ios::binary) << seeds[n];
    }
    return;
  }
}

}  // namespace mqttrpc::test
