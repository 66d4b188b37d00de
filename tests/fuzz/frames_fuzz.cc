// Any frames at any time. The first byte of the input chooses what hears them: the grammar,
// one side of a call, or a server's dispatcher with handlers that read, write, end and
// vanish; the rest is what happens, byte by byte.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dispatcher_run.h"
#include "flow_run.h"
#include "frame.h"
#include "frames_input.h"
#include "fuzz_seeds.h"

namespace mqttrpc::test {
namespace {

void ReadGrammar(std::string_view text) {
  const auto frame = ParseFrame(text);
  if (!frame.has_value()) return;
  Check(frame->number <= kMaximumSequence && frame->limit <= kMaximumSequence, "a number is too large");
  Check(ParseFrame(frame->Text()) == frame, "a frame is read otherwise than it was written");
}

}  // namespace
}  // namespace mqttrpc::test

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  std::vector<std::string> seeds;
  for (const char* text :
       {"o:16", "o:16+", "o:16-", "a:16", "m:0", "m:1+", "e:2", "c", "w:1:17", "w:1:17!", "p:3", "q:4"}) {
    seeds.push_back(std::string(1, '\0') + text);
  }
  // Each thing that can happen, twice over, with small numbers behind it.
  for (char who = 1; who <= 3; ++who) {
    for (char step = 1; step < 40; step = static_cast<char>(step + 3)) {
      std::string run(1, who);
      for (int i = 0; i < 400; ++i) run.push_back(static_cast<char>(i * step % 17));
      seeds.push_back(run);
    }
  }
  // A stream that is opened, read, written, and ended by both sides.
  seeds.push_back(std::string("\3\0\1\3\0\5\0\3\0\0\0\6\0\4\3\0\2\1\10\7\0\2\10\10\3\0\1\2\20", 29));
  mqttrpc::test::WriteSeeds(*argc, *argv, seeds);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  mqttrpc::test::Input in(rest);
  switch (data[0] % 4) {
    case 0: mqttrpc::test::ReadGrammar(rest); break;
    case 1: mqttrpc::test::FlowRun(in, true).Run(); break;
    case 2: mqttrpc::test::FlowRun(in, false).Run(); break;
    default: mqttrpc::test::DispatcherRun(in).Run();
  }
  return 0;
}
