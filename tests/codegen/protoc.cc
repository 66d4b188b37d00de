#include "protoc.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "support/child_process.h"

namespace mqttrpc::testing {

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void WriteFile(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

ScratchFolder::ScratchFolder() {
  std::string name = std::filesystem::temp_directory_path() / "mqttrpc-codegen-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

ScratchFolder::~ScratchFolder() { std::filesystem::remove_all(path_); }

ProtocResult RunPlugin(const std::filesystem::path& folder, const std::vector<std::string>& protos,
                       const std::filesystem::path& out, const std::vector<std::string>& arguments) {
  std::filesystem::create_directories(out);
  // The shell joins its two outputs; protoc's words arrive as separate arguments.
  std::vector<std::string> command = {"sh", "-c", "exec \"$@\" 2>&1", "sh", MQTTRPC_TEST_PROTOC};
  command.push_back("-I" + folder.string());
  command.push_back(std::string("-I") + MQTTRPC_TEST_OPTIONS_DIR);
  command.push_back(std::string("-I") + MQTTRPC_TEST_PROTOBUF_DIR);
  command.push_back(std::string("--plugin=protoc-gen-mqttrpc=") + MQTTRPC_TEST_PLUGIN);
  command.push_back("--mqttrpc_out=" + out.string());
  command.insert(command.end(), arguments.begin(), arguments.end());
  command.insert(command.end(), protos.begin(), protos.end());

  ChildProcess protoc(std::move(command));
  ProtocResult result;
  result.output = protoc.ReadRest();
  result.exit_status = protoc.Wait();
  return result;
}

}  // namespace mqttrpc::testing
