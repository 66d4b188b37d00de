// All cases between two programs, over brokers in processes of their own.
#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "brokers.h"
#include "cases.h"

namespace mqttrpc::testing {
namespace {

using ::testing::Optional;

constexpr std::uint32_t kSmallPacket = 256 * 1024;
constexpr std::uint32_t kTinyPacket = 4 * 1024;

std::vector<std::string> AllCases() {
  std::vector<std::string> names;
  for (const interop::Case& each : interop::Cases()) names.emplace_back(each.name);
  return names;
}

// A huge message may take longer than a child's patience, on a slow machine.
std::string Verdict(ChildProcess& client, const std::string& name) {
  constexpr int kTimes = 6;
  for (int i = 0; i < kTimes; ++i) {
    if (const auto verdict = client.WaitForLine(name + ": ")) return *verdict;
  }
  return "nothing was said";
}

void ExpectCasesRunOver(const BrokerProcess& broker, const std::vector<std::string>& names) {
  ASSERT_FALSE(broker.url().empty()) << "the broker did not start";
  ChildProcess server({MQTTRPC_INTEROP_SERVER, "--broker", broker.url()});
  ASSERT_TRUE(server.WaitForLine("serving as interop").has_value());
  std::vector<std::string> command{MQTTRPC_INTEROP_CLIENT, "--broker", broker.url()};
  for (const std::string& name : names) command.insert(command.end(), {"--case", name});
  ChildProcess client(command);
  for (const std::string& name : names) {
    EXPECT_EQ(Verdict(client, name), "ok") << name;
  }
  EXPECT_EQ(client.Wait(), 0);
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
}

TEST(InteropProgramsTest, RunOverMqttrpcd) { ExpectCasesRunOver(Mqttrpcd(), AllCases()); }

TEST(InteropProgramsTest, RunOverMosquitto) { ExpectCasesRunOver(Mosquitto(), AllCases()); }

TEST(InteropProgramsTest, RunOverMqttrpcdThatTakesSmallPackets) {
  ExpectCasesRunOver(SmallMqttrpcd(kSmallPacket), {"large_unary", "concurrent_large_unary", "huge_unary"});
}

TEST(InteropProgramsTest, RunOverMosquittoThatTakesSmallPackets) {
  ExpectCasesRunOver(SmallMosquitto(kSmallPacket), {"large_unary", "concurrent_large_unary", "huge_unary"});
}

TEST(InteropProgramsTest, RunOverMqttrpcdThatTakesTinyPackets) {
  ExpectCasesRunOver(SmallMqttrpcd(kTinyPacket), {"large_unary", "ping_pong", "concurrent_large_unary"});
}

TEST(InteropProgramsTest, RunOverMosquittoThatTakesTinyPackets) {
  ExpectCasesRunOver(SmallMosquitto(kTinyPacket), {"large_unary", "ping_pong", "concurrent_large_unary"});
}

TEST(InteropClientTest, ListsItsCases) {
  ChildProcess client({MQTTRPC_INTEROP_CLIENT, "--list"});
  for (const interop::Case& each : interop::Cases()) {
    EXPECT_TRUE(client.WaitForLine(std::string(each.name) + ' ').has_value()) << each.name;
  }
  EXPECT_EQ(client.Wait(), 0);
}

TEST(InteropClientTest, SaysWhatDiffers) {
  const Mqttrpcd broker;
  ASSERT_FALSE(broker.url().empty()) << "the broker did not start";
  ChildProcess client({MQTTRPC_INTEROP_CLIENT, "--broker", broker.url(), "--case", "empty_unary"});
  EXPECT_THAT(client.WaitForLine("empty_unary: failed: "), Optional(::testing::HasSubstr("UNAVAILABLE")));
  EXPECT_EQ(client.Wait(), 1);
}

TEST(InteropClientTest, RefusesCasesThatThereAreNot) {
  ChildProcess client({MQTTRPC_INTEROP_CLIENT, "--case", "nonesuch"});
  EXPECT_NE(client.Wait(), 0);
}

}  // namespace
}  // namespace mqttrpc::testing
