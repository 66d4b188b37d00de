// A channel over sessions that the broker keeps, played by hand: what is on the wire, and when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <asio/io_context.hpp>

#include "echo_service.h"
#include "mqttrpc/rpc/channel.h"
#include "mqttrpc/rpc/status.h"
#include "support/manual_clock.h"
#include "support/scripted_peer.h"
#include "support/seeded_random.h"

namespace mqttrpc {
namespace {

using mqtt::ReasonCode;
using std::chrono::seconds;
using test::kEcho;
using test::kEchoMethods;
using test::Question;
using test::Reply;
using test::ScriptedPeer;
namespace property = mqtt::property;

class SessionTest : public testing::Test {
 protected:
  SessionTest() {
    mqtt::ClientOptions options;
    options.client_id = "me";
    options.session_expiry = seconds(600);
    options.connector = &connector_;
    options.environment.clock = &clock_;
    options.environment.random = &random_;
    client_ = std::make_unique<mqtt::Client>(io_.get_executor(), options);
    channel_ = std::make_unique<Channel>(*client_);
    client_->Start();
    Connect(false);
    Grant();
  }
  ~SessionTest() override {
    channel_.reset();
    client_.reset();
    peer_.reset();
    Run();
  }

  void Run() { clock_.RunUntilQuiet(); }
  void Connect(bool session_present) {
    for (int i = 0; i < 100 && (peer_ = connector_.Accept()) == nullptr; ++i) clock_.Advance(seconds(1));
    ASSERT_NE(peer_, nullptr);
    Run();
    peer_->Expect<mqtt::Connect>();
    mqtt::ConnAck connack;
    connack.session_present = session_present;
    peer_->Send(connack);
    Run();
  }
  void Cut() {
    peer_->Drop();
    Run();
    peer_ = nullptr;
  }
  // Answers the SUBSCRIBE of the inbox.
  void Grant() {
    const auto& subscribe = peer_->Expect<mqtt::Subscribe>();
    ASSERT_EQ(subscribe.entries.size(), 1u);
    inbox_ = std::string(subscribe.entries[0].topic_filter);
    mqtt::SubAck suback;
    suback.packet_id = subscribe.packet_id;
    suback.reason_codes = {ReasonCode::kGrantedQoS1};
    peer_->Send(suback);
    Run();
  }
  void Call(int method = 0) {
    Question question;
    question.set_text("x");
    CallOptions options;
    options.timeout = seconds(600);
    channel_->Call<Reply>(kEcho, kEchoMethods[method], "dev-1", question, options,
                          [this](absl::StatusOr<Reply> reply) { result_.emplace(std::move(reply)); });
    Run();
  }
  mqtt::Publish ExpectRequest() {
    const auto& publish = peer_->Expect<mqtt::Publish>();
    id_ = std::string(publish.properties.Get(property::kCorrelationData).value_or(""));
    return publish;
  }
  void Acknowledge(mqtt::PacketId packet_id, ReasonCode code = ReasonCode::kSuccess) {
    mqtt::PubAck puback;
    puback.packet_id = packet_id;
    puback.reason_code = code;
    peer_->Send(puback);
    Run();
  }
  void Answer(std::string text) {
    Reply reply;
    reply.set_text(std::move(text));
    const std::string payload = reply.SerializeAsString();
    mqtt::Properties properties;
    properties.Set(property::kCorrelationData, id_);
    mqtt::Publish publish;
    publish.topic_name = inbox_;
    publish.qos = mqtt::QoS::kAtLeastOnce;
    publish.packet_id = 7;
    publish.properties = properties;
    publish.payload = payload;
    peer_->Send(publish);
    Run();
  }

  asio::io_context io_;
  test::ManualClock clock_{io_};
  test::SeededRandom random_;
  test::ScriptedConnector connector_{io_.get_executor()};
  std::unique_ptr<ScriptedPeer> peer_;
  std::unique_ptr<mqtt::Client> client_;
  std::unique_ptr<Channel> channel_;
  std::optional<absl::StatusOr<Reply>> result_;
  std::string inbox_, id_;
};

TEST_F(SessionTest, TheInboxIsTheChannelsOwnAndAcknowledgedBeforeTheFirstCall) {
  EXPECT_TRUE(inbox_.starts_with("rpc1/r/me/"));
  EXPECT_EQ(inbox_.size(), std::string("rpc1/r/me/").size() + 10);
  Call();
  EXPECT_EQ(ExpectRequest().properties.Get(property::kResponseTopic), inbox_);
}

TEST_F(SessionTest, NothingGoesOutBeforeTheInboxIsAcknowledged) {
  Cut();
  Connect(false);
  Call();
  const auto& again = peer_->Expect<mqtt::Subscribe>();
  EXPECT_THAT(peer_->Names(), testing::Not(testing::HasSubstr("PUBLISH")));
  mqtt::SubAck suback;
  suback.packet_id = again.packet_id;
  suback.reason_codes = {ReasonCode::kGrantedQoS1};
  peer_->Send(suback);
  Run();
  while (peer_->Names().starts_with("SUBSCRIBE")) Grant();
  EXPECT_EQ(peer_->Names(), "PUBLISH");
}

TEST_F(SessionTest, AResumedSessionDeliversTheAnswer) {
  Call();
  Acknowledge(ExpectRequest().packet_id);
  Cut();
  Connect(true);
  EXPECT_EQ(peer_->Names(), "");
  Answer("late but here");
  ASSERT_TRUE(result_.has_value());
  ASSERT_TRUE(result_->ok()) << result_->status();
  EXPECT_EQ((*result_)->text(), "late but here");
}

TEST_F(SessionTest, AResumedSessionRepeatsAnUnacknowledgedRequestWithTheSameId) {
  Call();
  const mqtt::Publish first = ExpectRequest();
  const std::string id = id_;
  Cut();
  Connect(true);
  const mqtt::Publish second = ExpectRequest();
  EXPECT_TRUE(second.dup);
  EXPECT_EQ(second.packet_id, first.packet_id);
  EXPECT_EQ(id_, id);
  Acknowledge(second.packet_id, ReasonCode::kNoMatchingSubscribers);
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(OutcomeOf(result_->status()), Outcome::kPerhaps);  // The first copy may have arrived.
}

TEST_F(SessionTest, ALostSessionRepeatsAnIdempotentCallAsItsSecondAttempt) {
  Call(1);
  ExpectRequest();
  const std::string id = id_;
  Cut();
  Connect(false);
  while (peer_->Names().starts_with("SUBSCRIBE")) Grant();
  EXPECT_EQ(peer_->Names(), "PUBLISH");  // Once, not by client and channel each.
  const mqtt::Publish second = ExpectRequest();
  EXPECT_FALSE(second.dup);
  EXPECT_EQ(second.properties.UserProperty("rpc-att"), "2");
  EXPECT_EQ(id_, id);
  Answer("done");
  ASSERT_TRUE(result_.has_value() && result_->ok());
}

TEST_F(SessionTest, ALostSessionRepeatsNothingElse) {
  Call(0);
  ExpectRequest();
  Cut();
  Connect(false);
  while (peer_->Names().starts_with("SUBSCRIBE")) Grant();
  EXPECT_EQ(peer_->Names(), "");
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(OutcomeOf(result_->status()), Outcome::kPerhaps);
}

TEST_F(SessionTest, ARefusedRequestWasNotExecuted) {
  Call();
  Acknowledge(ExpectRequest().packet_id, ReasonCode::kNotAuthorized);
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(OutcomeOf(result_->status()), Outcome::kNotExecuted);
  EXPECT_FALSE(IsRemote(result_->status()));
}

}  // namespace
}  // namespace mqttrpc
