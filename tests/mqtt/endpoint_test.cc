#include "mqttrpc/mqtt/endpoint.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::mqtt {
namespace {

struct Good {
  const char* url;
  const char* host;
  std::uint16_t port;
  const char* back;
};

constexpr Good kGood[] = {
    {"mqtt://localhost", "localhost", 1883, "mqtt://localhost:1883"},
    {"mqtt://127.0.0.1:0", "127.0.0.1", 0, "mqtt://127.0.0.1:0"},
    {"mqtt://broker.example:65535", "broker.example", 65535, "mqtt://broker.example:65535"},
    {"MQTT://my_host-1:1884", "my_host-1", 1884, "mqtt://my_host-1:1884"},
    {"mqtt://[::1]", "::1", 1883, "mqtt://[::1]:1883"},
    {"mqtt://[fe80::1%eth0]:99", "fe80::1%eth0", 99, "mqtt://[fe80::1%eth0]:99"},
};

TEST(ParseEndpointTest, TakesHostAndPort) {
  for (const Good& each : kGood) {
    const auto endpoint = ParseEndpoint(each.url);
    ASSERT_TRUE(endpoint.ok()) << endpoint.status();
    EXPECT_EQ(*endpoint, Endpoint(each.host, each.port)) << each.url;
    EXPECT_EQ(endpoint->ToString(), each.back);
    EXPECT_EQ(*ParseEndpoint(endpoint->ToString()), *endpoint);
  }
}

TEST(ParseEndpointTest, RefusesEverythingElse) {
  for (const char* url : {"",
                          "localhost",
                          "localhost:1883",
                          "mqtt:",
                          "mqtt://",
                          "mqtt://:1883",
                          "tcp://host",
                          "http://host",
                          "mqtt://host:",
                          "mqtt://host:-1",
                          "mqtt://host:65536",
                          "mqtt://host:1883x",
                          "mqtt://host: 1",
                          "mqtt://host:+1",
                          "mqtt://host/path",
                          "mqtt://host/",
                          "mqtt://host?x",
                          "mqtt://ho st",
                          "mqtt://h\xC3\xB6st",
                          "mqtt://[::1",
                          "mqtt://::1",
                          "mqtt://[]",
                          "mqtt://[host]",
                          "mqtt://[::1]x",
                          "mqtt://[::1]1883",
                          "mqtt://[:: 1]"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseEndpoint(url).status())) << url << ParseEndpoint(url).status();
  }
  EXPECT_FALSE(ParseEndpoint("mqtt://" + std::string(254, 'h')).ok());
  EXPECT_FALSE(ParseEndpoint(std::string_view("mqtt://h\0st", 11)).ok());
}

TEST(ParseEndpointTest, SaysThatOtherTransportsAreNotThere) {
  for (const char* url : {"mqtts://host", "ws://host", "WSS://host:443/mqtt"}) {
    EXPECT_TRUE(absl::IsUnimplemented(ParseEndpoint(url).status())) << url;
  }
}

TEST(ParseEndpointTest, DoesNotRepeatAPassword) {
  const absl::Status status = ParseEndpoint("mqtt://ada:secret@host").status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(ToStd(status.message()).find("secret"), std::string_view::npos);
}

}  // namespace
}  // namespace mqttrpc::mqtt
