#include <functional>
#include <string>

#include <asio/post.hpp>

#include "client_fixture.h"

namespace mqttrpc::mqtt {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

class ClientPublishTest : public ClientTest {
 protected:
  std::optional<CodeOr> result_;
};

TEST_F(ClientPublishTest, SendsTheWholeMessageAndCompletesWithTheBrokersReasonCode) {
  StartConnected();
  Message message("a/b", std::string("\0\x01", 2));
  message.retain = true;
  message.properties.Set(property::kResponseTopic, "r/1");
  client_->Publish(message, Into(result_));
  Run();
  const Publish& publish = peer_->Expect<Publish>();
  EXPECT_EQ(publish.topic_name, "a/b");
  EXPECT_EQ(publish.payload, std::string_view("\0\x01", 2));
  EXPECT_EQ(publish.qos, QoS::kAtLeastOnce);
  EXPECT_TRUE(publish.retain);
  EXPECT_FALSE(publish.dup);
  EXPECT_EQ(publish.properties, message.properties.view());
  EXPECT_FALSE(result_.has_value());
  Ack(publish.packet_id, ReasonCode::kNoMatchingSubscribers);
  EXPECT_THAT(*result_, IsOkAndHolds(ReasonCode::kNoMatchingSubscribers));
}

// Time that goes on with every look at it.
class TickingClock final : public Clock {
 public:
  explicit TickingClock(Clock& clock, Duration step = std::chrono::microseconds(1)) : clock_(clock), step_(step) {}
  TimePoint Now() const override { return clock_.Now() + ++looks_ * step_; }
  std::unique_ptr<Timer> NewTimer(asio::any_io_executor executor) override {
    return clock_.NewTimer(std::move(executor));
  }

 private:
  Clock& clock_;
  const Duration step_;
  mutable int looks_ = 0;
};

TEST_F(ClientPublishTest, TheExpiryOfWhatAHandlerPublishesGoesOutAsGiven) {
  TickingClock ticking(clock_);
  options_.environment.clock = &ticking;
  StartConnected();
  SubscribeTo("in", [&](const MessageView&) {
    Message message("out", "");
    message.properties.Set(property::kMessageExpiryInterval, std::uint32_t{10});
    client_->Publish(std::move(message), Into(result_));
  });
  SendMessage("in", "");
  EXPECT_EQ(peer_->Expect<Publish>().properties.Get(property::kMessageExpiryInterval), 10u);
  client_ = nullptr;
  Run();
}

TEST_F(ClientPublishTest, ARefusedMessageIsAnErrorWithItsReasonCode) {
  StartConnected();
  client_->Publish(Message("a/b", ""), Into(result_));
  Run();
  Ack(peer_->Expect<Publish>().packet_id, ReasonCode::kNotAuthorized);
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("a/b")));
  EXPECT_THAT(*result_, HasReasonCode(ReasonCode::kNotAuthorized));
}

TEST_F(ClientPublishTest, QoS0CompletesWhenTheTransportHasIt) {
  StartConnected();
  client_->Publish(Message("a", "x", QoS::kAtMostOnce), Into(result_));
  EXPECT_FALSE(result_.has_value());
  Run();
  EXPECT_THAT(*result_, IsOkAndHolds(ReasonCode::kSuccess));
  EXPECT_EQ(peer_->Expect<Publish>().packet_id, 0);
}

TEST_F(ClientPublishTest, QoS0LostWithItsConnectionIsUnavailable) {
  StartConnected();
  peer_->PauseReading();
  // Beyond what a memory transport buffers, so that the write stays open.
  client_->Publish(Message("a", std::string(100'000, 'x'), QoS::kAtMostOnce), Into(result_));
  Run();
  EXPECT_FALSE(result_.has_value());
  peer_->Drop();
  Run();
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(ClientPublishTest, OneTurnsMessagesGoOutInOneWrite) {
  StartConnected();
  const int before = peer_->reads();
  for (int i = 0; i < 100; ++i) client_->Publish(Message("t", std::to_string(i)), [](const CodeOr&) {});
  Run();
  EXPECT_EQ(peer_->reads(), before + 1);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(peer_->Expect<Publish>().payload, std::to_string(i));
}

// As by a coroutine that writes one message when the one before is taken. docs/decisions/0024.
class ClientRowTest : public ClientPublishTest {
 protected:
  // Publishes `count` messages, each from a handler that the one before has posted when it
  // published; returns how many writes that takes.
  int WritesFor(int count) {
    const int before = peer_->reads();
    std::function<void(int)> publish = [&](int left) {
      if (left > 1) asio::post(client_->executor(), [&publish, left] { publish(left - 1); });
      client_->Publish(Message("t", "x"), [](const CodeOr&) {});
    };
    asio::post(client_->executor(), [&] { publish(count); });
    Run();
    for (int i = 0; i < count; ++i) peer_->Expect<Publish>();
    return peer_->reads() - before;
  }
};

TEST_F(ClientRowTest, MessagesFromHandlersInARowShareAWrite) {
  StartConnected();
  EXPECT_EQ(WritesFor(1), 1);
  EXPECT_EQ(WritesFor(10), 1);
}

TEST_F(ClientRowTest, ButNotHoweverManyTheyAre) {
  StartConnected();
  EXPECT_EQ(WritesFor(40), 3);
}

TEST_F(ClientRowTest, AndNotForLong) {
  TickingClock ticking(clock_, std::chrono::microseconds(30));
  options_.environment.clock = &ticking;
  StartConnected();
  EXPECT_GT(WritesFor(12), 1);
  client_ = nullptr;  // Before its clock.
}

TEST_F(ClientPublishTest, WhatManyMessagesCauseGoesOutBeforeTheLastIsHandled) {
  StartConnected();
  int handled = 0;
  SubscribeTo("in", [&](const MessageView&) {
    client_->Publish(Message("out", std::to_string(++handled), QoS::kAtMostOnce), [](const CodeOr&) {});
    if (handled != 10) return;
    while (io_.poll_one() > 0) {  // The broker reads.
    }
    for (int i = 1; i <= 8; ++i) EXPECT_EQ(peer_->Expect<Publish>().payload, std::to_string(i));
  });
  std::string messages;
  Publish publish;
  publish.topic_name = "in";
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(EncodePacket(Packet(publish), Sender::kServer, messages).ok());
  const int before = peer_->reads();
  peer_->SendBytes(messages);
  Run();
  for (int i = 9; i <= 20; ++i) EXPECT_EQ(peer_->Expect<Publish>().payload, std::to_string(i));
  EXPECT_EQ(peer_->reads(), before + 2);
}

TEST_F(ClientPublishTest, RefusesWhatNoBrokerWouldTake) {
  StartConnected();
  const auto publish = [&](Message message) {
    std::optional<CodeOr> result;
    client_->Publish(std::move(message), Into(result));
    EXPECT_FALSE(result.has_value()) << "completed inside Publish";
    Run();
    return result.value_or(ReasonCode::kSuccess);
  };
  const auto invalid = StatusIs(absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(publish(Message("", "")), invalid);
  EXPECT_THAT(publish(Message("a/+", "")), invalid);
  EXPECT_THAT(publish(Message("a/#", "")), invalid);
  EXPECT_THAT(publish(Message("a\xFF", "")), invalid);
  Message alias("a", "");
  alias.properties.Set(property::kTopicAlias, 1);
  EXPECT_THAT(publish(alias), invalid);
  Message identifier("a", "");  // MQTT-3.3.4-6
  identifier.properties.Add(property::kSubscriptionIdentifier, 1);
  EXPECT_THAT(publish(identifier), invalid);
  Message foreign("a", "");
  foreign.properties.Set(property::kServerReference, "x");
  EXPECT_THAT(publish(foreign), invalid);
  EXPECT_EQ(peer_->Names(), "");
}

// MQTT-3.2.2-11, MQTT-3.2.2-14, MQTT-3.2.2-15
TEST_F(ClientPublishTest, RefusesWhatThisBrokerDoesNotTake) {
  Properties properties;
  properties.Set(property::kMaximumQoS, 0);
  properties.Set(property::kRetainAvailable, 0);
  properties.Set(property::kMaximumPacketSize, 100);
  StartConnected(properties);
  std::optional<CodeOr> qos, retain, large;
  client_->Publish(Message("a", ""), Into(qos));
  Message retained("a", "", QoS::kAtMostOnce);
  retained.retain = true;
  client_->Publish(retained, Into(retain));
  client_->Publish(Message("a", std::string(100, 'x'), QoS::kAtMostOnce), Into(large));
  Run();
  EXPECT_THAT(*qos, HasReasonCode(ReasonCode::kQoSNotSupported));
  EXPECT_THAT(*qos, StatusIs(absl::StatusCode::kUnimplemented));
  EXPECT_THAT(*retain, HasReasonCode(ReasonCode::kRetainNotSupported));
  EXPECT_THAT(*large,
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("packet is 106 bytes; broker takes 100")));
  EXPECT_EQ(peer_->Names(), "");
}

// MQTT-3.3.4-7, MQTT-3.3.4-8
TEST_F(ClientPublishTest, KeepsToTheBrokersReceiveMaximumAndStillSendsOtherPackets) {
  Properties properties;
  properties.Set(property::kReceiveMaximum, 2);
  StartConnected(properties);
  for (int i = 0; i < 4; ++i) client_->Publish(Message("t", std::to_string(i)), [](const CodeOr&) {});
  client_->Subscribe(Subscription("s"), [](const MessageView&) {}, [](const CodeOr&) {});
  Run();
  EXPECT_EQ(peer_->Names(), "SUBSCRIBE PUBLISH PUBLISH");
  peer_->Expect<Subscribe>();
  const PacketId first = peer_->Expect<Publish>().packet_id;
  peer_->Expect<Publish>();
  Ack(first);
  EXPECT_EQ(peer_->Expect<Publish>().payload, "2");
  EXPECT_EQ(peer_->Names(), "");
}

TEST_F(ClientPublishTest, WaitsForTheConnection) {
  MakeClient();
  client_->Publish(Message("t", "x"), Into(result_));
  Run();
  EXPECT_FALSE(result_.has_value());
  client_->Start();
  AcceptConnect();
  EXPECT_EQ(peer_->Names(), "") << "before CONNACK";
  SendConnAck();
  Ack(peer_->Expect<Publish>().packet_id);
  EXPECT_THAT(*result_, IsOk());
}

TEST_F(ClientPublishTest, TheOfflineQueueHasALimitOfMessages) {
  options_.maximum_queued_messages = 2;
  MakeClient();
  std::optional<CodeOr> results[3];
  for (auto& result : results) client_->Publish(Message("t", ""), Into(result));
  Run();
  EXPECT_FALSE(results[1].has_value());
  EXPECT_THAT(*results[2], StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("2 messages")));
}

TEST_F(ClientPublishTest, TheOfflineQueueHasALimitOfBytes) {
  options_.maximum_queued_bytes = 1000;
  MakeClient();
  std::optional<CodeOr> fits, over, small;
  client_->Publish(Message("t", std::string(900, 'x')), Into(fits));
  client_->Publish(Message("t", std::string(100, 'x')), Into(over));
  client_->Publish(Message("t", std::string(98, 'x')), Into(small));
  Run();
  EXPECT_FALSE(fits.has_value());
  EXPECT_THAT(*over, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_FALSE(small.has_value());
}

// MQTT-4.4.0-1, MQTT-4.6.0-1, MQTT-3.3.1-1, MQTT-4.3.2-3
TEST_F(ClientPublishTest, AResumedSessionGetsWhatIsUnacknowledgedAgainInOrderWithDup) {
  StartConnected();
  std::optional<CodeOr> results[4];
  for (int i = 0; i < 3; ++i) client_->Publish(Message("t", std::to_string(i)), Into(results[i]));
  Run();
  PacketId ids[3];
  for (PacketId& id : ids) id = peer_->Expect<Publish>().packet_id;
  Ack(ids[1]);
  peer_->Drop();
  Run();
  client_->Publish(Message("t", "3"), Into(results[3]));
  WaitForNextTry();
  AcceptConnect();
  SendConnAck(true);
  for (const int i : {0, 2}) {
    const Publish& again = peer_->Expect<Publish>();
    EXPECT_EQ(again.packet_id, ids[i]);
    EXPECT_EQ(again.payload, std::to_string(i));
    EXPECT_TRUE(again.dup);
  }
  const Publish& fresh = peer_->Expect<Publish>();
  EXPECT_EQ(fresh.payload, "3");
  EXPECT_FALSE(fresh.dup);
  Ack(ids[0]);
  Ack(ids[2]);
  Ack(fresh.packet_id);
  for (const auto& result : results) EXPECT_THAT(*result, IsOk());
}

// MQTT-3.2.2-5
TEST_F(ClientPublishTest, ALostSessionGetsThemAsNewMessagesBeforeTheQueue) {
  StartConnected();
  std::optional<CodeOr> result;
  client_->Publish(Message("t", "0"), Into(result));
  client_->Publish(Message("t", "1"), [](const CodeOr&) {});
  Run();
  peer_->Drop();
  Run();
  client_->Publish(Message("t", "2"), [](const CodeOr&) {});
  WaitForNextTry();
  AcceptConnect();
  SendConnAck(false);
  PacketId first = 0;
  for (int i = 0; i < 3; ++i) {
    const Publish& publish = peer_->Expect<Publish>();
    EXPECT_EQ(publish.payload, std::to_string(i));
    EXPECT_FALSE(publish.dup);
    if (i == 0) first = publish.packet_id;
  }
  Ack(first);
  EXPECT_THAT(*result, IsOk());
}

// MQTT-4.9.0-2
TEST_F(ClientPublishTest, RepetitionKeepsToASmallerReceiveMaximum) {
  StartConnected();
  for (int i = 0; i < 3; ++i) client_->Publish(Message("t", std::to_string(i)), [](const CodeOr&) {});
  Run();
  Properties properties;
  properties.Set(property::kReceiveMaximum, 1);
  Reconnect(true, properties);
  EXPECT_EQ(peer_->Names(), "PUBLISH");
  Ack(peer_->Expect<Publish>().packet_id);
  EXPECT_EQ(peer_->Expect<Publish>().payload, "1");
  EXPECT_EQ(peer_->Names(), "");
}

TEST_F(ClientPublishTest, MoreThanTheBufferHoldsIsSentAsTheTransportTakesIt) {
  StartConnected();
  peer_->PauseReading();
  const std::string payload(100'000, 'x');
  int completed = 0;
  for (int i = 0; i < 50; ++i) {
    client_->Publish(Message("t", payload, QoS::kAtMostOnce),
                     [&](const CodeOr& result) { completed += result.ok() ? 1 : 0; });
  }
  Run();
  EXPECT_LT(completed, 10);
  peer_->ResumeReading();
  Run();
  EXPECT_EQ(completed, 50);
  EXPECT_GT(peer_->bytes_received(), 5'000'000u);
}

// Who publishes whenever the last message is out does not keep the event loop.
TEST_F(ClientPublishTest, LetsOthersRunWhileACompletionAlwaysPublishesTheNext) {
  StartConnected();
  int published = 0;
  std::optional<int> when_others_ran;
  std::function<void()> next = [&] {
    if (published++ == 10'000) return;
    client_->Publish(Message("a", "x", QoS::kAtMostOnce), [&](const CodeOr&) { next(); });
  };
  next();
  asio::post(io_, [&] { asio::post(io_, [&] { when_others_ran = published; }); });
  Run();
  EXPECT_EQ(published, 10'001);
  ASSERT_TRUE(when_others_ran.has_value());
  EXPECT_LT(*when_others_ran, 100);
}

}  // namespace
}  // namespace mqttrpc::mqtt
