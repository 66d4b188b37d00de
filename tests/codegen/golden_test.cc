// The generated code is what stands in golden/, byte for byte.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "protoc.h"

namespace mqttrpc::testing {
namespace {

const std::filesystem::path kTests = MQTTRPC_TEST_SOURCE_DIR;

std::vector<std::string> GoldenProtos() {
  std::vector<std::string> stems;
  for (const auto& entry : std::filesystem::directory_iterator(kTests / "golden")) {
    if (entry.path().extension() == ".proto") stems.push_back(entry.path().stem());
  }
  std::sort(stems.begin(), stems.end());
  return stems;
}

// "line 12:\n  expected: ...\n  actual:   ..." for the first line that differs.
std::string FirstDifference(const std::string& expected, const std::string& actual) {
  std::size_t begin = 0;
  int line = 1;
  for (std::size_t i = 0; i < expected.size() && i < actual.size() && expected[i] == actual[i]; ++i) {
    if (expected[i] != '\n') continue;
    begin = i + 1;
    ++line;
  }
  const auto line_of = [begin](const std::string& text) {
    return begin >= text.size() ? std::string("(end of file)") : text.substr(begin, text.find('\n', begin) - begin);
  };
  return "line " + std::to_string(line) + ":\n  expected: " + line_of(expected) + "\n  actual:   " + line_of(actual);
}

class GoldenTest : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenTest, GeneratesTheExpectedCode) {
  const ScratchFolder scratch;
  std::vector<const char*> suffixes = {".mqttrpc.h", ".mqttrpc.cc"};
  std::vector<std::string> arguments;
  if (GetParam() != "shadow") {  // Which hides std, so gMock cannot have it.
    suffixes.push_back(".mqttrpc.mock.h");
    arguments.emplace_back("--mqttrpc_opt=mocks=true");
  }
  const ProtocResult result = RunPlugin(kTests, {"golden/" + GetParam() + ".proto"}, scratch.path(), arguments);
  ASSERT_EQ(result.exit_status, 0) << result.output;
  EXPECT_EQ(result.output, "");
  for (const char* suffix : suffixes) {
    const std::string file = "golden/" + GetParam() + suffix;
    const std::string actual = ReadFile(scratch.path() / file);
    if (std::getenv("MQTTRPC_UPDATE_GOLDEN") != nullptr) {
      WriteFile(kTests / file, actual);
      continue;
    }
    const std::string expected = ReadFile(kTests / file);
    EXPECT_TRUE(expected == actual) << "tests/codegen/" << file << " differs in " << FirstDifference(expected, actual)
                                    << "\nIf the new code is right, run ./dev golden and look at the difference.";
  }
}

INSTANTIATE_TEST_SUITE_P(, GoldenTest, ::testing::ValuesIn(GoldenProtos()),
                         [](const auto& test) { return test.param; });

// What a program ships is the same with mocks and without.
TEST(CodegenParametersTest, WritesMocksOnlyWhenAskedTo) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{}, std::vector<std::string>{"--mqttrpc_opt=mocks=false"}}) {
    const ScratchFolder scratch;
    const ProtocResult result = RunPlugin(kTests, {"golden/streams.proto"}, scratch.path(), arguments);
    ASSERT_EQ(result.exit_status, 0) << result.output;
    EXPECT_EQ(ReadFile(scratch.path() / "golden/streams.mqttrpc.h"), ReadFile(kTests / "golden/streams.mqttrpc.h"));
    EXPECT_EQ(ReadFile(scratch.path() / "golden/streams.mqttrpc.cc"), ReadFile(kTests / "golden/streams.mqttrpc.cc"));
    EXPECT_FALSE(std::filesystem::exists(scratch.path() / "golden/streams.mqttrpc.mock.h"));
  }
}

}  // namespace
}  // namespace mqttrpc::testing
