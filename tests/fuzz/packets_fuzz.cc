// Any bytes, as a client or a server might send them. The first byte of the input
// chooses the sender and the version; the rest is the stream.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fuzz_seeds.h"
#include "support/packet_corpus.h"
#include "support/packet_oracle.h"

using mqttrpc::mqtt::ProtocolVersion;
using mqttrpc::mqtt::Sender;

namespace {

constexpr ProtocolVersion kVersions[] = {ProtocolVersion::k5, ProtocolVersion::k311, ProtocolVersion::k31,
                                         ProtocolVersion::k5};

std::string InputOf(Sender sender, ProtocolVersion version, const std::string& bytes) {
  const int choice = (sender == Sender::kServer ? 1 : 0) + 2 * (5 - static_cast<int>(version));
  return static_cast<char>(choice) + bytes;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  std::vector<std::string> seeds;
  const auto add = [&](const auto& packets) {
    for (const auto& each : packets) seeds.push_back(InputOf(each.sender, each.version, each.bytes));
  };
  add(mqttrpc::test::ValidPackets());
  add(mqttrpc::test::ValidVersion3Packets());
  add(mqttrpc::test::MalformedPackets());
  add(mqttrpc::test::MalformedVersion3Packets());
  mqttrpc::test::WriteSeeds(*argc, *argv, seeds);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Sender sender = (data[0] & 1) != 0 ? Sender::kServer : Sender::kClient;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string problem = mqttrpc::test::JudgeStream(stream, sender, kVersions[data[0] >> 1 & 3]);
  if (problem.empty()) return 0;
  std::fprintf(stderr, "%s\n", problem.c_str());
  std::abort();
}
