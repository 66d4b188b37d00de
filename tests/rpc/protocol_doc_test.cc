// The tables of docs/protocol.md name tests that exist, and leave none of the hostile ones out.
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace mqttrpc {
namespace {

std::string ReadFile(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// "Suite.Name" of each match.
std::set<std::string> NamesIn(const std::string& text, const std::regex& pattern) {
  std::set<std::string> names;
  for (auto match = std::sregex_iterator(text.begin(), text.end(), pattern); match != std::sregex_iterator(); ++match) {
    names.insert((*match)[1].str() + "." + (*match)[2].str());
  }
  return names;
}

TEST(ProtocolDocTest, ItsTestsExist) {
  const std::filesystem::path root = MQTTRPC_SOURCE_DIR;
  const std::set<std::string> named =
      NamesIn(ReadFile(root / "docs/protocol.md"), std::regex("`([A-Za-z0-9]+Test)\\.([A-Za-z0-9]+)`"));
  EXPECT_GT(named.size(), 100u);
  std::set<std::string> there;
  std::set<std::string> hostile;
  for (const auto& file : std::filesystem::directory_iterator(root / "tests/rpc")) {
    if (file.path().extension() != ".cc") continue;
    const std::set<std::string> some =
        NamesIn(ReadFile(file.path()), std::regex("TEST(?:_F)?\\(([A-Za-z0-9]+), ([A-Za-z0-9]+)\\)"));
    there.insert(some.begin(), some.end());
    if (file.path().filename().string().starts_with("hostile_")) hostile.insert(some.begin(), some.end());
  }
  for (const std::string& each : named) EXPECT_TRUE(there.contains(each)) << each << " is no test";
  for (const std::string& each : hostile) EXPECT_TRUE(named.contains(each)) << each << " is in no row";
}

}  // namespace
}  // namespace mqttrpc
