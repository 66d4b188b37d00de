// Any bytes, as a client or a server might send them. The first byte of the input
// chooses the sender; the rest is the stream.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fuzz_seeds.h"
#include "support/packet_corpus.h"
#include "support/packet_oracle.h"

using mqttrpc::mqtt::Sender;

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  const auto input = [](Sender sender, const std::string& bytes) {
    return std::string(1, sender == Sender::kServer ? '\1' : '\0') + bytes;
  };
  std::vector<std::string> seeds;
  for (const auto& packet : mqttrpc::test::ValidPackets()) seeds.push_back(input(packet.sender, packet.bytes));
  for (const auto& packet : mqttrpc::test::MalformedPackets()) seeds.push_back(input(packet.sender, packet.bytes));
  mqttrpc::test::WriteSeeds(*argc, *argv, seeds);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Sender sender = (data[0] & 1) != 0 ? Sender::kServer : Sender::kClient;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string problem = mqttrpc::test::JudgeStream(stream, sender);
  if (problem.empty()) return 0;
  std::fprintf(stderr, "%s\n", problem.c_str());
  std::abort();
}
