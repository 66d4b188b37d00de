// A client whose broker, time and luck are the test's.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <asio/io_context.hpp>

#include "mqttrpc/mqtt/client.h"
#include "support/log_recorder.h"
#include "support/manual_clock.h"
#include "support/scripted_peer.h"
#include "support/seeded_random.h"
#include "support/status_matchers.h"

namespace mqttrpc::mqtt {

using test::HasReasonCode;
using test::IsOk;
using test::IsOkAndHolds;
using test::ScriptedConnector;
using test::ScriptedPeer;
using test::StatusIs;

using CodeOr = absl::StatusOr<ReasonCode>;

// A callback that keeps the result, to be read once the operation ended.
template <typename T>
auto Into(std::optional<T>& result) {
  return [&result](T value) {
    EXPECT_FALSE(result.has_value()) << "completed twice";
    result.emplace(std::move(value));
  };
}

class ClientTest : public testing::Test {
 protected:
  ClientTest() {
    options_.client_id = "c";
    options_.connector = &connector_;
    options_.environment.clock = &clock_;
    options_.environment.random = &random_;
    options_.environment.log = &log_;
  }

  void MakeClient() {
    client_ = std::make_unique<Client>(io_.get_executor(), options_);
    watch_ = client_->WatchState([this](const ConnectionState& state) { states_.push_back(state); });
  }

  void Run() { clock_.RunUntilQuiet(); }

  // The next connection, once its CONNECT has come.
  const Connect& AcceptConnect() {
    Run();
    auto peer = connector_.Accept();
    if (peer == nullptr) {
      ADD_FAILURE() << "the client did not dial";
      std::abort();
    }
    peer_ = std::move(peer);
    return peer_->Expect<Connect>();
  }

  // Sends `packet` and lets the client act on it.
  void Tell(const Packet& packet) {
    peer_->Send(packet);
    Run();
  }
  template <typename Response>
  void Respond(PacketId packet_id, ReasonCode code = ReasonCode::kSuccess) {
    Response response;
    response.packet_id = packet_id;
    response.reason_code = code;
    Tell(response);
  }

  // Answers CONNECT and lets the client act on it.
  void SendConnAck(bool session_present = false, const Properties& properties = {}) {
    ConnAck connack;
    connack.session_present = session_present;
    connack.properties = properties;
    peer_->Send(connack);
    Run();
  }

  void StartConnected(const Properties& connack = {}) {
    MakeClient();
    client_->Start();
    AcceptConnect();
    SendConnAck(false, connack);
  }

  // Breaks the connection and answers the next one.
  void Reconnect(bool session_present, const Properties& connack = {}) {
    peer_->Drop();
    Run();
    WaitForNextTry();
    AcceptConnect();
    SendConnAck(session_present, connack);
  }
  void WaitForNextTry() {
    ASSERT_EQ(states_.back().kind, ConnectionState::Kind::kWaiting);
    clock_.Advance(states_.back().next_try - clock_.Now());
  }

  void Ack(PacketId packet_id, ReasonCode code = ReasonCode::kSuccess) {
    PubAck ack;
    ack.packet_id = packet_id;
    ack.reason_code = code;
    peer_->Send(ack);
    Run();
  }
  void AnswerSubscribe(ReasonCode code = ReasonCode::kGrantedQoS1) {
    SubAck ack;
    ack.packet_id = peer_->Expect<Subscribe>().packet_id;
    ack.reason_codes = {code};
    peer_->Send(ack);
    Run();
  }
  // Subscribes `handler`, or what records messages as "topic=payload".
  void SubscribeTo(const std::string& topic_filter, MessageHandler handler = nullptr) {
    if (!handler) {
      handler = [this](const MessageView& message) {
        messages_.push_back(std::string(message.topic_name) + "=" + std::string(message.payload));
      };
    }
    std::optional<CodeOr> result;
    client_->Subscribe(Subscription(topic_filter), std::move(handler), Into(result));
    Run();
    AnswerSubscribe();
    ASSERT_TRUE(result.has_value());
    EXPECT_THAT(*result, IsOkAndHolds(ReasonCode::kGrantedQoS1));
  }
  void SendMessage(std::string_view topic_name, std::string_view payload, PacketId packet_id = 0,
                   std::optional<std::uint32_t> identifier = std::nullopt) {
    const QoS qos = packet_id == 0 ? QoS::kAtMostOnce : QoS::kAtLeastOnce;
    SendMessage(topic_name, payload, packet_id, qos, false, identifier);
  }
  void SendMessage(std::string_view topic_name, std::string_view payload, PacketId packet_id, QoS qos, bool dup = false,
                   std::optional<std::uint32_t> identifier = std::nullopt) {
    Publish publish;
    publish.dup = dup;
    Properties properties;
    if (identifier.has_value()) properties.Add(property::kSubscriptionIdentifier, *identifier);
    publish.topic_name = topic_name;
    publish.payload = payload;
    publish.packet_id = packet_id;
    publish.qos = qos;
    publish.properties = properties;
    peer_->Send(publish);
    Run();
  }

  // "stopped connecting connected"
  std::string StateNames() const {
    std::string names;
    for (const ConnectionState& state : states_) {
      names += std::string(names.empty() ? "" : " ") + std::string(NameOf(state.kind));
    }
    return names;
  }

  asio::io_context io_;
  test::ManualClock clock_{io_};
  test::SeededRandom random_{1};
  test::LogRecorder log_;
  ScriptedConnector connector_{io_.get_executor()};
  ClientOptions options_;
  std::vector<ConnectionState> states_;
  std::vector<std::string> messages_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<StateWatch> watch_;
  std::unique_ptr<ScriptedPeer> peer_;
};

}  // namespace mqttrpc::mqtt
