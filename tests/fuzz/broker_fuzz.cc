// Any conversation of several clients with a broker.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fuzz_seeds.h"
#include "support/conversation.h"

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  mqttrpc::test::WriteSeeds(*argc, *argv, mqttrpc::test::ConversationSeeds());
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view script(reinterpret_cast<const char*>(data), size);
  const std::string problem = mqttrpc::test::JudgeConversation(script);
  if (problem.empty()) return 0;
  std::fprintf(stderr, "%s\n", problem.c_str());
  std::abort();
}
