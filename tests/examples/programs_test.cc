// The examples' programs as their users start them, over our broker and another one.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "integration/programs.h"
#include "support/child_process.h"

namespace mqttrpc::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Program(const std::string& name) { return EXAMPLES_BIN_DIR "/" + name; }

class ExampleProgramsTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string(GetParam()) == "mqttrpcd") {
      broker_ = std::make_unique<Mqttrpcd>();
    } else {
      broker_ = std::make_unique<Mosquitto>();
    }
    ASSERT_FALSE(broker_->url().empty());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Of a device that is ready for calls.
  void StartDevice(const std::string& name, std::vector<std::string> options = {}) {
    std::vector<std::string> command{Program(name), "--broker", broker_->url(), "--id", "kitchen"};
    command.insert(command.end(), options.begin(), options.end());
    device_ = std::make_unique<ChildProcess>(std::move(command));
    ASSERT_TRUE(device_->WaitForLine("serving as kitchen").has_value());
  }
  std::vector<std::string> Backend(const std::string& name, std::vector<std::string> options) const {
    std::vector<std::string> command{Program(name), "--broker", broker_->url(), "--device", "kitchen"};
    command.insert(command.end(), options.begin(), options.end());
    return command;
  }
  std::string Path(const std::string& name) const { return folder_ / name; }

  const std::filesystem::path folder_ = ::testing::TempDir() + "example-programs-" + std::to_string(getpid());
  std::unique_ptr<BrokerProcess> broker_;
  std::unique_ptr<ChildProcess> device_;
};

INSTANTIATE_TEST_SUITE_P(Over, ExampleProgramsTest, ::testing::Values("mqttrpcd", "mosquitto"),
                         [](const auto& broker) { return std::string(broker.param); });

TEST_P(ExampleProgramsTest, FirmwareGoesUpWhole) {
  std::string image;
  for (int i = 0; image.size() < 300'000; ++i) image += std::to_string(i) + '\n';
  std::ofstream(Path("image"), std::ios::binary) << image;

  StartDevice("firmware-device", {"--slot", Path("slot")});
  ChildProcess backend(Backend("firmware-backend", {"--version", "1.2.0", Path("image")}));
  EXPECT_THAT(backend.ReadRest(), HasSubstr("kitchen has 1.2.0: " + std::to_string(image.size()) + " bytes in 19"));
  EXPECT_EQ(backend.Wait(), 0);
  std::ifstream slot(Path("slot"), std::ios::binary);
  EXPECT_TRUE(std::string(std::istreambuf_iterator<char>(slot), {}) == image);

  device_->Signal(SIGTERM);
  EXPECT_EQ(device_->Wait(), 0);
  ChildProcess nobody(Backend("firmware-backend", {"--version", "1.2.0", Path("image")}));
  EXPECT_EQ(nobody.Wait(), 1);
}

TEST_P(ExampleProgramsTest, TelemetryComesAndIsThinnedOutForASlowReader) {
  StartDevice("telemetry-device");
  ChildProcess reader(Backend("telemetry-backend", {"--rate", "1000", "--count", "50"}));
  EXPECT_TRUE(reader.WaitForLine("50 read").has_value());
  EXPECT_EQ(reader.Wait(), 0);

  ChildProcess slow(Backend("telemetry-backend", {"--rate", "1000", "--count", "40", "--slow", "5"}));
  EXPECT_THAT(slow.ReadRest(), AllOf(HasSubstr("skipped before"), HasSubstr("40 read"), HasSubstr(" 0 lost")));
  EXPECT_EQ(slow.Wait(), 0);

  ChildProcess lossy(Backend("telemetry-backend", {"--rate", "1000", "--lossy"}));
  EXPECT_TRUE(lossy.WaitForLine("#").has_value());
  lossy.Signal(SIGINT);
  EXPECT_THAT(lossy.ReadRest(), HasSubstr(" lost\n"));
  EXPECT_EQ(lossy.Wait(), 0);
}

TEST_P(ExampleProgramsTest, LogLinesComeAsFiltered) {
  StartDevice("log-tail-device", {"--interval", "5"});
  ChildProcess last_of_input(Backend("log-tail-backend", {"--filter", "debug", "--lines", "3"}),
                             "error oven\n\nerror\n");
  EXPECT_EQ(last_of_input.Wait(), 0);

  // The filter changes while lines come.
  ASSERT_EQ(mkfifo(Path("filters").c_str(), 0600), 0);
  const int filters = open(Path("filters").c_str(), O_RDWR | O_CLOEXEC);
  std::vector<std::string> command{"/bin/sh", "-c", "exec \"$@\" <" + Path("filters"), "sh"};
  for (const std::string& word : Backend("log-tail-backend", {"--filter", "error"})) command.push_back(word);
  ChildProcess tail(command);
  for (int i = 0; i < 3; ++i) EXPECT_THAT(tail.WaitForLine(""), ::testing::Optional(HasSubstr(" error oven")));
  ASSERT_EQ(write(filters, "info dish\n", 10), 10);
  std::optional<std::string> line;
  do {
    line = tail.WaitForLine("");
  } while (line.has_value() && line->find(" error oven") != std::string::npos);
  EXPECT_THAT(line, ::testing::Optional(HasSubstr(" info dishwasher")));
  close(filters);

  device_->Signal(SIGTERM);
  EXPECT_EQ(device_->Wait(), 0);
  EXPECT_THAT(tail.ReadRest(), Not(HasSubstr("error")));
  EXPECT_EQ(tail.Wait(), 1);
}

TEST(ExampleProgramsHelpTest, SaysWhatAUserNeeds) {
  for (const char* name : {"firmware-device", "firmware-backend", "telemetry-device", "telemetry-backend",
                           "log-tail-device", "log-tail-backend"}) {
    ChildProcess help({Program(name), "--help"});
    EXPECT_THAT(help.ReadRest(), AllOf(HasSubstr("--broker"), HasSubstr("Example"), HasSubstr(name)));
    EXPECT_EQ(help.Wait(), 0);
  }
}

}  // namespace
}  // namespace mqttrpc::testing
