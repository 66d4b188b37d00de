// A plain MQTT client that plays a caller, against a real server.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <asio/experimental/as_tuple.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include "hostile.h"
#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::test {

// Status codes as they travel.
inline constexpr char kCancelled[] = "1", kInvalid[] = "3", kExhausted[] = "8", kInternal[] = "13",
                      kUnavailable[] = "14", kDataLoss[] = "15";

class HostileCallerTest : public HostileTest {
 protected:
  // With a server that lets so many bytes wait.
  static ServerOptions WaitingBytes(std::size_t bytes) {
    ServerOptions options;
    options.maximum_waiting_bytes = bytes;
    return options;
  }
  void ServeEve(ServerOptions options = ServerOptions()) {
    ServeBeside(std::move(options));
    eve_ = &Plain("eve", "rpc1/r/eve/+");
  }

  // A handler that reads nothing until it is cancelled.
  void DoNotRead() {
    streams_.sum = [this](ServerContext& context, ServerReader<Item>&) -> asio::awaitable<absl::StatusOr<Total>> {
      ++streams_.begun;
      asio::steady_timer timer(context.executor(), asio::steady_timer::time_point::max());
      auto token = asio::experimental::as_tuple(asio::use_awaitable);
      co_await timer.async_wait(token);
      ++streams_.ended;
      co_return absl::CancelledError("told to stop");
    };
  }

  mqtt::Message Opening(std::string_view method, std::string_view frame, std::string payload = "",
                        const UserProperties& more = {}) const {
    mqtt::Message message(absl::StrCat("rpc1/q/", mqtt::ToAbsl(kStreams), "/dev-1/", mqtt::ToAbsl(method), "/eve"),
                          std::move(payload));
    message.properties.Set(mqtt::property::kResponseTopic, "rpc1/r/eve/1");
    message.properties.Set(mqtt::property::kCorrelationData, id_);
    if (!frame.empty()) AddUserProperty(message, "rpc-f", frame);
    for (const auto& [name, value] : more) AddUserProperty(message, name, value);
    return message;
  }
  mqtt::Message LaterFrame(std::string_view frame, std::string payload = "", const UserProperties& more = {},
                           std::string topic = "rpc1/u/dev-1/eve") const {
    mqtt::Message message(std::move(topic), std::move(payload));
    message.properties.Set(mqtt::property::kResponseTopic, "rpc1/r/eve/1");
    message.properties.Set(mqtt::property::kCorrelationData, id_);
    AddUserProperty(message, "rpc-f", frame);
    for (const auto& [name, value] : more) AddUserProperty(message, name, value);
    return message;
  }

  // Each call has an id of its own; what came for the last one is forgotten.
  void Begin(std::string_view method, std::string_view frame, std::string payload = "",
             const UserProperties& more = {}) {
    id_ = absl::StrCat("id-", ++calls_);
    inbox_.clear();
    Publish(*eve_, Opening(method, frame, std::move(payload), more));
  }
  void Say(std::string_view frame, std::string payload = "", const UserProperties& more = {}) {
    Publish(*eve_, LaterFrame(frame, std::move(payload), more));
  }

  bool Heard(std::string_view frame) const {
    const auto frames = FramesHeard();
    return std::find(frames.begin(), frames.end(), frame) != frames.end();
  }
  static std::string Told(const mqtt::Message& answer) {
    return absl::StrCat("rpc-f=", UserProperty(answer, "rpc-f"), " rpc-status=", UserProperty(answer, "rpc-status"),
                        " rpc-x=", UserProperty(answer, "rpc-x"), " rpc-msg=", UserProperty(answer, "rpc-msg"));
  }

  // The last thing that was heard is a plain answer of that status, and no handler of hers runs.
  void ExpectEnded(std::string_view status, std::string_view outcome, const std::string& text = "") {
    ASSERT_FALSE(inbox_.empty()) << "nothing was heard";
    const mqtt::Message& answer = inbox_.back();
    EXPECT_EQ(UserProperty(answer, "rpc-status"), status) << Told(answer);
    EXPECT_EQ(UserProperty(answer, "rpc-x"), outcome) << Told(answer);
    EXPECT_EQ(UserProperty(answer, "rpc-f"), "") << Told(answer);
    EXPECT_EQ(UserProperty(answer, "rpc-from"), "dev-1");
    EXPECT_EQ(answer.properties.Get(mqtt::property::kCorrelationData), id_);
    EXPECT_THAT(UserProperty(answer, "rpc-msg"), ::testing::HasSubstr(text));
    EXPECT_EQ(server_->running_calls(), 1u);
    EXPECT_EQ(server_->waiting_calls(), 0u);
    EXPECT_EQ(streams_.begun, streams_.ended + 1);
  }
  void ExpectBroken(std::string_view status, const std::string& text = "") { ExpectEnded(status, "p", text); }
  void ExpectRefused(std::string_view status, const std::string& text = "") {
    EXPECT_THAT(inbox_, ::testing::SizeIs(1));
    ExpectEnded(status, "n", text);
  }

  std::string id_;
  int calls_ = 0;
  mqtt::Client* eve_ = nullptr;
};

}  // namespace mqttrpc::test
