// The examples in docs/testing.md are greeter_test.cc and local_greeter_test.cc, to the letter.
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

TEST(TestingDocsTest, ShowTheExamplesAsTheyAre) {
  for (const char* file : {"tests/testing/greeter_test.cc", "tests/testing/local_greeter_test.cc"}) {
    const std::string example = Read(kRoot / file);
    ASSERT_FALSE(example.empty()) << file;
    EXPECT_NE(Read(kRoot / "docs/testing.md").find("```cpp\n" + example + "```\n"), std::string::npos) << file;
  }
}

}  // namespace
