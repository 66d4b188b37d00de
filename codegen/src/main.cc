// protoc-gen-mqttrpc: protoc runs it, with a CodeGeneratorRequest on stdin.
#include <unistd.h>

#include <iostream>
#include <string_view>

#include <google/protobuf/compiler/plugin.h>

#include "generator.h"

namespace {

constexpr std::string_view kHelp = R"(protoc-gen-mqttrpc writes C++ stubs and services for RPC over MQTT 5.

protoc runs it. For x.proto it writes x.mqttrpc.h and x.mqttrpc.cc, which go
together with the x.pb.h and x.pb.cc of --cpp_out:

  protoc -I protos -I PREFIX/include --cpp_out=out --mqttrpc_out=out \
    --plugin=protoc-gen-mqttrpc=PREFIX/bin/protoc-gen-mqttrpc protos/x.proto

PREFIX/include holds mqttrpc/options.proto, for files that import it. --plugin
is not needed if protoc-gen-mqttrpc is on the PATH. In CMake, use
mqttrpc_generate() of the mqttrpc package instead.

  --mqttrpc_opt=mocks=true  also write x.mqttrpc.mock.h: for tests, a gMock class
                            of each service

  --help     print this
  --version  print the version
)";

}  // namespace

int main(int argc, char* argv[]) {
  if (argc == 2) {
    const std::string_view argument = argv[1];
    if (argument == "--version") {
      std::cout << "protoc-gen-mqttrpc " MQTTRPC_CODEGEN_VERSION "\n";
      return 0;
    }
    if (argument == "--help" || argument == "-h") {
      std::cout << kHelp;
      return 0;
    }
  }
  if (argc > 1) {
    std::cerr << "protoc-gen-mqttrpc: unknown argument " << argv[1] << "; try --help\n";
    return 2;
  }
  if (isatty(STDIN_FILENO) != 0) {
    std::cerr << "protoc-gen-mqttrpc is run by protoc, not by hand; see --help\n";
    return 2;
  }
  const mqttrpc::codegen::Generator generator;
  return google::protobuf::compiler::PluginMain(argc, argv, &generator);
}
