// The README's first service is the hello example, to the letter.
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

// The fenced code block that follows the line "`name`".
std::string Block(const std::string& readme, const std::string& name) {
  const std::size_t title = readme.find("\n`" + name + "`\n");
  if (title == std::string::npos) return "";
  const std::size_t fence = readme.find("\n```", title + 1);
  const std::size_t begin = readme.find('\n', fence + 1) + 1;
  return readme.substr(begin, readme.find("```\n", begin) - begin);
}

TEST(ReadmeTest, ShowsTheHelloExampleAsItIs) {
  const std::string readme = Read(kRoot / "README.md");
  EXPECT_EQ(Block(readme, "hello.proto"), Read(kRoot / "examples/hello/hello.proto"));
  EXPECT_EQ(Block(readme, "hello.cc"), Read(kRoot / "examples/hello/hello.cc"));
}

}  // namespace
