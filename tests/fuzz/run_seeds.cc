// Runs a fuzz target without a fuzzer: each of its seeds, and every beginning of it. So
// the target compiles and its checks hold wherever tests run.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

// Of a long seed, about so many beginnings.
constexpr std::size_t kBeginnings = 64;

std::string NewFolder() {
  std::string folder = (std::filesystem::temp_directory_path() / "mqttrpc-seeds-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    std::perror("mkdtemp");
    std::exit(1);
  }
  return folder;
}

std::vector<std::string> SeedsIn(const std::string& folder) {
  std::vector<std::string> seeds;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    std::ostringstream bytes;
    bytes << std::ifstream(file.path(), std::ios::binary).rdbuf();
    seeds.push_back(bytes.str());
  }
  return seeds;
}

// In memory of just that size, so that a sanitizer sees who reads past it.
void RunOne(const std::string& bytes, std::size_t size) {
  const std::vector<std::uint8_t> input(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

}  // namespace

int main(int, char** argv) {
  std::string folder = NewFolder();
  std::vector<char*> arguments = {argv[0], folder.data(), nullptr};
  int count = 2;
  char** all = arguments.data();
  LLVMFuzzerInitialize(&count, &all);
  const std::vector<std::string> seeds = SeedsIn(folder);
  std::filesystem::remove_all(folder);
  std::size_t runs = 0;
  for (const std::string& seed : seeds) {
    const std::size_t step = seed.size() / kBeginnings + 1;
    for (std::size_t size = 0; size < seed.size(); size += step, ++runs) RunOne(seed, size);
    RunOne(seed, seed.size());
    ++runs;
  }
  std::printf("%zu seeds, %zu runs\n", seeds.size(), runs);
  return seeds.empty() ? 1 : 0;
}
