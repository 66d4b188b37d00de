// Calls beside which a peer does what it must not: whatever it is, it ends its own call
// only, and leaves nothing behind.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_format.h>

#include "checksum.h"
#include "stream_stack.h"

namespace mqttrpc::test {

inline constexpr std::string_view kStreams = "mqttrpc.test.streams.Streams";

inline std::string Crc(std::string_view bytes) { return absl::StrFormat("%08x", Crc32c(bytes)); }

class HostileTest : public StreamStackTest {
 protected:
  // A server at "dev-1", and a stream of "me" that goes on beside all that happens.
  void ServeBeside(ServerOptions options = ServerOptions(), ChannelOptions channel = ChannelOptions()) {
    server_ = std::make_unique<Server>(*device_, options);
    server_->Add(streams_);
    server_->Add(service_);
    ASSERT_TRUE(world_.Run(server_->Start()).ok());
    Open(channel);
    stub_.emplace(*channel_, "dev-1");
    beside_.emplace(stub_->Mirror());
    ExpectOthersGoOn();
  }

  void ExpectOthersGoOn() {
    const Item item = ItemOf(++talked_, 500);
    beside_->Write(item, [](bool written) { EXPECT_TRUE(written); });
    std::optional<std::optional<Item>> back;
    beside_->Read([&](std::optional<Item> got) { back.emplace(std::move(got)); });
    Run();
    ASSERT_TRUE(back.has_value()) << "the other stream hangs";
    ASSERT_TRUE(back->has_value()) << "the other stream has ended: " << world_.Run(beside_->Finish());
    EXPECT_EQ((*back)->number(), talked_);
    const auto echo = world_.Run(stub_->Echo(ItemOf(7, 100)));
    EXPECT_TRUE(echo.ok()) << echo.status();
  }

  // Nothing is left but the other stream, which can be told to end.
  void ExpectNothingLeftBeside() {
    ASSERT_NO_FATAL_FAILURE(ExpectOthersGoOn());
    EXPECT_EQ(server_->running_calls(), 1u);
    EXPECT_EQ(server_->waiting_calls(), 0u);
    EXPECT_EQ(channel_->calls_under_way(), 1u);
    beside_->WritesDone();
    const absl::Status status = world_.Run(beside_->Finish());
    EXPECT_TRUE(status.ok()) << status;
    Run();
    EXPECT_EQ(server_->running_calls(), 0u);
    EXPECT_EQ(server_->waiting_calls(), 0u);
    EXPECT_EQ(channel_->calls_under_way(), 0u);
    EXPECT_EQ(streams_.begun, streams_.ended);
  }

  std::vector<std::string> FramesHeard() const {
    std::vector<std::string> frames;
    for (const mqtt::Message& each : inbox_) frames.push_back(UserProperty(each, "rpc-f"));
    return frames;
  }

  static std::string Bytes(const google::protobuf::Message& message) { return message.SerializeAsString(); }

  std::optional<ClientReaderWriter<Item, Item>> beside_;
  int talked_ = 0;
};

}  // namespace mqttrpc::test
