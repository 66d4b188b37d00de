// All cases in one thread, over a broker in memory, under time that moves by itself.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include "cases.h"
#include "mqttrpc/rpc/channel.h"
#include "mqttrpc/rpc/server.h"
#include "mqttrpc/testing/world.h"
#include "service.h"
#include "support/testing_names.h"

namespace mqttrpc::interop {
namespace {

// How large messages travel.
struct Way {
  const char* name;
  std::size_t fragment_above;         // Of the channel.
  std::uint32_t maximum_packet_size;  // Of the broker.
};

void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }

constexpr Way kWays[] = {
    {"ByDefault", 256 * 1024, 16 * 1024 * 1024},
    {"RequestsInOnePiece", 1024 * 1024, 16 * 1024 * 1024},
    {"ThroughASmallBroker", 256 * 1024, 4 * 1024},
};

class InteropCaseTest : public testing::TestWithParam<std::tuple<Way, Case>> {
 protected:
  static const Way& way() { return std::get<Way>(GetParam()); }
  static const Case& TheCase() { return std::get<Case>(GetParam()); }

  static mqttrpc::testing::WorldOptions WorldOptions() {
    mqttrpc::testing::WorldOptions options;
    options.broker.maximum_packet_size = way().maximum_packet_size;
    return options;
  }
  static ServerOptions Serving() {
    ServerOptions options = ServingOptions();
    options.instance = kInstance;
    return options;
  }
  static ChannelOptions Calling() {
    ChannelOptions options = CallingOptions();
    options.fragment_above = way().fragment_above;
    return options;
  }

  void SetUp() override {
    server_.Add(service_);
    ASSERT_EQ(world_.Run(server_.Start()), absl::OkStatus());
  }

  mqttrpc::testing::World world_{WorldOptions()};
  TestHandlers service_{world_.clock()};
  Server server_{world_.NewClient("server"), Serving()};
  Channel channel_{world_.NewClient("caller"), Calling()};
};

TEST_P(InteropCaseTest, KeepsItsPromise) {
  EXPECT_EQ(world_.Run(TheCase().run(Target(channel_, kInstance))), absl::OkStatus());
  // Nobody waited for what was there already.
  EXPECT_LT(world_.elapsed(), std::chrono::seconds(1));
  // However the calls ended, their handlers end too, without anything running out.
  EXPECT_TRUE(world_.Until([this] { return server_.running_calls() == 0; }, std::chrono::seconds(5)));
}

INSTANTIATE_TEST_SUITE_P(All, InteropCaseTest,
                         testing::Combine(::testing::ValuesIn(kWays), ::testing::ValuesIn(Cases())),
                         [](const auto& each) {
                           return std::string(std::get<Case>(each.param).name) + std::get<Way>(each.param).name;
                         });

}  // namespace
}  // namespace mqttrpc::interop
