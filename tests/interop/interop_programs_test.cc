// All cases between two programs, over brokers in processes of their own.
#include <csignal>
#include <cstdint>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "brokers.h"
#include "cases.h"

namespace mqttrpc::testing {
namespace {

using ::testing::Optional;

constexpr std::uint32_t kSmallPacket = 256 * 1024;
constexpr std::uint32_t kTinyPacket = 4 * 1024;

void ExpectAllCasesRunOver(const BrokerProcess& broker) {
  ASSERT_FALSE(broker.url().empty()) << "the broker did not start";
  ChildProcess server({MQTTRPC_INTEROP_SERVER, "--broker", broker.url()});
  ASSERT_TRUE(server.WaitForLine("serving as interop").has_value());
  ChildProcess client({MQTTRPC_INTEROP_CLIENT, "--broker", broker.url(), "--case", "all"});
  for (const interop::Case& each : interop::Cases()) {
    const std::string name(each.name);
    ASSERT_THAT(client.WaitForLine(name + ": "), Optional(std::string("ok"))) << name;
  }
  EXPECT_EQ(client.Wait(), 0);
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
}

TEST(InteropProgramsTest, RunOverMqttrpcd) { ExpectAllCasesRunOver(Mqttrpcd()); }

TEST(InteropProgramsTest, RunOverMosquitto) { ExpectAllCasesRunOver(Mosquitto()); }

TEST(InteropProgramsTest, RunOverMqttrpcdThatTakesSmallPackets) { ExpectAllCasesRunOver(SmallMqttrpcd(kSmallPacket)); }

TEST(InteropProgramsTest, RunOverMosquittoThatTakesSmallPackets) {
  ExpectAllCasesRunOver(SmallMosquitto(kSmallPacket));
}

TEST(InteropProgramsTest, RunOverMqttrpcdThatTakesTinyPackets) { ExpectAllCasesRunOver(SmallMqttrpcd(kTinyPacket)); }

TEST(InteropProgramsTest, RunOverMosquittoThatTakesTinyPackets) { ExpectAllCasesRunOver(SmallMosquitto(kTinyPacket)); }

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
