// A plain MQTT client that plays a responder, against a real channel.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hostile.h"

namespace mqttrpc::test {

class HostileResponderTest : public HostileTest {
 protected:
  using Reader = ClientReader<Item>;

  // Mallory is device "dev-9", and takes calls for any member of the pool too.
  void ServeMallory(ChannelOptions options = ChannelOptions()) {
    ServerOptions server;
    server.join_pool = false;
    ServeBeside(server, std::move(options));
    mallory_ = &Plain("dev-9", "rpc1/q/+/dev-9/+/+");
    for (const char* topic_filter : {"rpc1/u/dev-9/+", "rpc1/q/+/_/+/+", "rpc1/u/dev-8/+"}) {
      mallory_->Subscribe(
          mqtt::Subscription(topic_filter),
          [this](const mqtt::MessageView& message) { inbox_.push_back(message.ToMessage()); },
          [](const absl::StatusOr<mqtt::ReasonCode>& code) { ASSERT_TRUE(code.ok()); });
    }
    Run();
    victim_.emplace(*channel_, "dev-9");
    pool_.emplace(*channel_, kAnyInstance);
  }

  // Her answer to the last opening frame.
  mqtt::Message Answer(std::string_view frame, std::string payload = "", const UserProperties& more = {},
                       std::string_view from = "dev-9") const {
    mqtt::Message message(std::string(*opening_.properties.Get(mqtt::property::kResponseTopic)), std::move(payload));
    message.properties.Set(mqtt::property::kCorrelationData,
                           *opening_.properties.Get(mqtt::property::kCorrelationData));
    message.properties.Set(mqtt::property::kContentType, "application/protobuf");
    if (!frame.empty()) AddUserProperty(message, "rpc-f", frame);
    if (!from.empty()) AddUserProperty(message, "rpc-from", from);
    for (const auto& [name, value] : more) AddUserProperty(message, name, value);
    return message;
  }
  void Say(std::string_view frame, std::string payload = "", const UserProperties& more = {},
           std::string_view from = "dev-9") {
    Publish(*mallory_, Answer(frame, std::move(payload), more, from));
  }
  void TakeOpening() {
    Run();
    ASSERT_FALSE(inbox_.empty());
    opening_ = inbox_.back();
    inbox_.clear();
  }
  void Accept() {
    TakeOpening();
    Say("a:16", "", {{"rpc-to", "rpc1/u/dev-9/me"}, {"rpc-mps", "16384"}});
    inbox_.clear();
  }
  Reader BeginCount() {
    Range range;
    range.set_end(10);
    Reader reader = victim_->Count(range);
    Accept();
    return reader;
  }

  // The call has ended by itself, without waiting for anything, and the responder is told.
  void ExpectEnded(const absl::Status& status, absl::StatusCode code, const std::string& text) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(OutcomeOf(status), Outcome::kPerhaps) << status;
    EXPECT_FALSE(IsRemote(status)) << status;
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(text));
    EXPECT_EQ(channel_->calls_under_way(), 1u);
    Run();
    ASSERT_FALSE(inbox_.empty()) << "the responder was not told";
    EXPECT_EQ(UserProperty(inbox_.back(), "rpc-f"), "c");
    EXPECT_EQ(inbox_.back().properties.Get(mqtt::property::kCorrelationData),
              opening_.properties.Get(mqtt::property::kCorrelationData));
  }
  template <typename Stream>
  void ExpectBroken(Stream& stream, absl::StatusCode code, const std::string& text = "") {
    EXPECT_EQ(channel_->calls_under_way(), 1u) << "it goes on";
    ExpectEnded(world_.Run(stream.Finish()), code, text);
  }
  void ExpectInternal(Reader& reader, const std::string& text = "") {
    ExpectBroken(reader, absl::StatusCode::kInternal, text);
  }
  std::optional<Item> ReadOne(Reader& reader) {
    std::optional<std::optional<Item>> read;
    reader.Read([&](std::optional<Item> item) { read.emplace(std::move(item)); });
    Run();
    EXPECT_TRUE(read.has_value()) << "nothing is read";
    return read.value_or(std::nullopt);
  }

  mqtt::Client* mallory_ = nullptr;
  mqtt::Message opening_;
  std::optional<streams::StreamsStub> victim_, pool_;
};

}  // namespace mqttrpc::test
