#include <gtest/gtest.h>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include "mqttrpc/mqtt/transport.h"

namespace mqttrpc::mqtt {
namespace {

using asio::ip::tcp;

// Dials the address of an acceptor that may already be gone.
class TcpConnectorTest : public testing::Test {
 protected:
  std::unique_ptr<Connector::Attempt> Dial(const std::string& host, std::uint16_t port) {
    return TcpConnector().Connect(Endpoint(host, port), io_.get_executor(),
                                  [this](auto result) { result_.emplace(std::move(result)); });
  }

  asio::io_context io_;
  std::optional<absl::StatusOr<std::unique_ptr<Transport>>> result_;
};

TEST_F(TcpConnectorTest, ConnectsByAddressAndByName) {
  tcp::acceptor acceptor(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  for (const char* host : {"127.0.0.1", "localhost"}) {
    io_.restart();
    const auto attempt = Dial(host, acceptor.local_endpoint().port());
    EXPECT_FALSE(result_.has_value()) << "called from inside Connect";
    io_.run();
    ASSERT_TRUE(result_.has_value());
    EXPECT_TRUE(result_->ok()) << result_->status();
    result_.reset();
  }
}

TEST_F(TcpConnectorTest, TellsARefusalAsUnavailableWithTheAddress) {
  tcp::acceptor acceptor(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  const std::uint16_t port = acceptor.local_endpoint().port();
  acceptor.close();
  const auto attempt = Dial("127.0.0.1", port);
  io_.run();
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(std::string(result_->status().message()).find("127.0.0.1:" + std::to_string(port)), std::string::npos);
}

TEST_F(TcpConnectorTest, AnAttemptGivenUpCallsNobody) {
  tcp::acceptor acceptor(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  Dial("127.0.0.1", acceptor.local_endpoint().port()).reset();
  Dial("localhost", acceptor.local_endpoint().port()).reset();
  io_.run();
  EXPECT_FALSE(result_.has_value());
}

}  // namespace
}  // namespace mqttrpc::mqtt
