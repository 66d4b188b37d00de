// The example in docs/testing.md is greeter_test.cc, to the letter.
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace {

const std::filesystem::path kRoot = MQTTRPC_SOURCE_DIR;

std::string Read(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(TestingDocsTest, ShowTheExampleAsItIs) {
  const std::string example = Read(kRoot / "tests/testing/greeter_test.cc");
  ASSERT_FALSE(example.empty());
  EXPECT_NE(Read(kRoot / "docs/testing.md").find("```cpp\n" + example + "```\n"), std::string::npos);
}

}  // namespace
