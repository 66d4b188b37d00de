#include <string>

#include "client_fixture.h"

namespace mqttrpc::mqtt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ClientSubscribeTest : public ClientTest {
 protected:
  MessageHandler Record(std::string name) {
    return [this, name = std::move(name)](const MessageView& message) {
      messages_.push_back(name + ":" + std::string(message.topic_name));
    };
  }
  void AnswerUnsubscribe(ReasonCode code = ReasonCode::kSuccess) {
    UnsubAck ack;
    ack.packet_id = peer_->Expect<Unsubscribe>().packet_id;
    ack.reason_codes = {code};
    peer_->Send(ack);
    Run();
  }
  std::optional<CodeOr> result_;
};

TEST_F(ClientSubscribeTest, RefusesASubscriptionWithoutAHandler) {
  StartConnected();
  std::optional<CodeOr> result;
  client_->Subscribe(Subscription("t"), MessageHandler(), Into(result));
  Run();
  EXPECT_THAT(*result, StatusIs(absl::StatusCode::kInvalidArgument, testing::HasSubstr("handler")));
}

TEST_F(ClientSubscribeTest, SendsFilterOptionsAndPropertiesWithAnIdentifier) {
  StartConnected();
  Subscription subscription("a/+", QoS::kAtMostOnce);
  subscription.no_local = true;
  subscription.retain_as_published = true;
  subscription.retain_handling = 2;
  subscription.properties.Add(property::kUserProperty, {"k", "v"});
  client_->Subscribe(subscription, [](const MessageView&) {}, Into(result_));
  Run();
  const Subscribe& subscribe = peer_->Expect<Subscribe>();
  ASSERT_EQ(subscribe.entries.size(), 1u);
  EXPECT_EQ(subscribe.entries[0].topic_filter, "a/+");
  EXPECT_EQ(subscribe.entries[0].qos, QoS::kAtMostOnce);
  EXPECT_TRUE(subscribe.entries[0].no_local);
  EXPECT_TRUE(subscribe.entries[0].retain_as_published);
  EXPECT_EQ(subscribe.entries[0].retain_handling, 2);
  EXPECT_EQ(subscribe.properties.UserProperty("k"), "v");
  EXPECT_EQ(subscribe.properties.Get(property::kSubscriptionIdentifier), 1u);
}

TEST_F(ClientSubscribeTest, SendsNoIdentifierToABrokerWithoutThem) {
  Properties properties;
  properties.Set(property::kSubscriptionIdentifierAvailable, 0);
  StartConnected(properties);
  client_->Subscribe(Subscription("a"), [](const MessageView&) {}, Into(result_));
  Run();
  EXPECT_FALSE(peer_->Expect<Subscribe>().properties.Has(PropertyId::kSubscriptionIdentifier));
}

TEST_F(ClientSubscribeTest, RefusesBadFiltersAndWhatItCannotDo) {
  StartConnected();
  const auto subscribe = [&](Subscription subscription) {
    std::optional<CodeOr> result;
    client_->Subscribe(std::move(subscription), [](const MessageView&) {}, Into(result));
    Run();
    return result.value_or(ReasonCode::kSuccess);
  };
  const auto invalid = StatusIs(absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(subscribe(Subscription("")), invalid);
  EXPECT_THAT(subscribe(Subscription("a/#/b")), invalid);
  EXPECT_THAT(subscribe(Subscription("$share//a")), invalid);
  Subscription no_local("$share/g/a");  // MQTT-3.8.3-4
  no_local.no_local = true;
  EXPECT_THAT(subscribe(no_local), invalid);
  Subscription retain("a");
  retain.retain_handling = 3;
  EXPECT_THAT(subscribe(retain), invalid);
  std::optional<CodeOr> unsubscribed;
  client_->Unsubscribe("a/#/b", Into(unsubscribed));
  Run();
  EXPECT_THAT(*unsubscribed, invalid);
  EXPECT_EQ(peer_->Names(), "");
}

TEST_F(ClientSubscribeTest, AsksNoBrokerForWhatItSaysItHasNot) {
  Properties properties;
  properties.Set(property::kSharedSubscriptionAvailable, 0);
  properties.Set(property::kWildcardSubscriptionAvailable, 0);
  StartConnected(properties);
  std::optional<CodeOr> shared, wildcard;
  client_->Subscribe(Subscription("$share/g/a"), [](const MessageView&) {}, Into(shared));
  client_->Subscribe(Subscription("a/#"), [](const MessageView&) {}, Into(wildcard));
  Run();
  EXPECT_THAT(*shared, HasReasonCode(ReasonCode::kSharedSubscriptionsNotSupported));
  EXPECT_THAT(*wildcard, HasReasonCode(ReasonCode::kWildcardSubscriptionsNotSupported));
  EXPECT_EQ(peer_->Names(), "");
}

// MQTT-3.2.2-15
TEST_F(ClientSubscribeTest, SendsNoRequestOverTheBrokersMaximumPacketSize) {
  Properties properties;
  properties.Set(property::kMaximumPacketSize, 50u);
  StartConnected(properties);
  std::optional<CodeOr> unsubscribed;
  client_->Subscribe(Subscription(std::string(60, 'a')), [](const MessageView&) {}, Into(result_));
  client_->Unsubscribe(std::string(60, 'a'), Into(unsubscribed));
  Run();
  EXPECT_THAT(*result_, HasReasonCode(ReasonCode::kPacketTooLarge));
  EXPECT_THAT(*unsubscribed, HasReasonCode(ReasonCode::kPacketTooLarge));
  EXPECT_EQ(peer_->Names(), "");
}

TEST_F(ClientSubscribeTest, ARefusedSubscriptionIsAnErrorAndDropsTheHandler) {
  StartConnected();
  auto held = std::make_shared<int>();
  client_->Subscribe(Subscription("a"), [held](const MessageView&) {}, Into(result_));
  Run();
  EXPECT_EQ(held.use_count(), 2);
  AnswerSubscribe(ReasonCode::kNotAuthorized);
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("subscribe to a")));
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(ClientSubscribeTest, DispatchesByIdentifierToEachHandlerItNames) {
  StartConnected();
  SubscribeTo("a/+", Record("plus"));
  SubscribeTo("a/#", Record("hash"));
  SubscribeTo("$share/g/a/b", Record("shared"));
  SendMessage("a/b", "", 0, 1);
  SendMessage("a/b", "", 0, 3);
  EXPECT_THAT(messages_, ElementsAre("plus:a/b", "shared:a/b"));
}

// A broker may name it as often as a packet holds; the work stays the same.
TEST_F(ClientSubscribeTest, ARepeatedIdentifierCallsItsHandlerOnce) {
  StartConnected();
  SubscribeTo("a", Record("once"));
  Properties properties;
  for (int i = 0; i < 100; ++i) properties.Add(property::kSubscriptionIdentifier, 1);
  Publish publish;
  publish.topic_name = "a";
  publish.properties = properties;
  peer_->Send(publish);
  Run();
  EXPECT_THAT(messages_, ElementsAre("once:a"));
}

TEST_F(ClientSubscribeTest, DispatchesByFilterWithoutIdentifiers) {
  Properties properties;
  properties.Set(property::kSubscriptionIdentifierAvailable, 0);
  StartConnected(properties);
  SubscribeTo("a/+", Record("plus"));
  SubscribeTo("$share/g/b", Record("shared"));
  SendMessage("a/x", "");
  SendMessage("b", "");
  SendMessage("c", "");
  EXPECT_THAT(messages_, ElementsAre("plus:a/x", "shared:b"));
}

// A session from before this process has identifiers of its own.
TEST_F(ClientSubscribeTest, AnIdentifierThatDoesNotFitTheTopicIsNotTrusted) {
  StartConnected();
  SubscribeTo("a", Record("a"));
  SubscribeTo("b", Record("b"));
  SendMessage("b", "", 0, 1);
  SendMessage("a", "", 0, 77);
  EXPECT_THAT(messages_, ElementsAre("b:b", "a:a"));
}

TEST_F(ClientSubscribeTest, AcknowledgesAfterTheHandlerReturned) {
  StartConnected();
  bool acknowledged_before = true;
  SubscribeTo("a", [&](const MessageView& message) {
    EXPECT_EQ(message.payload, "x");
    EXPECT_EQ(message.qos, QoS::kAtLeastOnce);
    acknowledged_before = !peer_->Names().empty();
  });
  SendMessage("a", "x", 9, 1);
  EXPECT_FALSE(acknowledged_before);
  EXPECT_EQ(peer_->Expect<PubAck>().packet_id, 9);
}

// MQTT-4.5.0-2
TEST_F(ClientSubscribeTest, AcknowledgesAlsoWhatNobodyWants) {
  StartConnected();
  SendMessage("stray", "x", 5);
  EXPECT_EQ(peer_->Expect<PubAck>().packet_id, 5);
}

// 3.8.4: messages may come before the SUBACK.
TEST_F(ClientSubscribeTest, TakesMessagesThatComeBeforeTheSubAck) {
  StartConnected();
  client_->Subscribe(Subscription("a"), Record("a"), Into(result_));
  Run();
  SendMessage("a", "", 0, 1);
  EXPECT_THAT(messages_, ElementsAre("a:a"));
}

TEST_F(ClientSubscribeTest, TheSameFilterAgainReplacesTheHandlerOnceGranted) {
  StartConnected();
  SubscribeTo("a", Record("old"));
  client_->Subscribe(Subscription("a"), Record("new"), Into(result_));
  Run();
  SendMessage("a", "", 0, 1);
  AnswerSubscribe();
  SendMessage("a", "", 0, 1);
  EXPECT_THAT(messages_, ElementsAre("old:a", "new:a"));
}

TEST_F(ClientSubscribeTest, ARefusedReplacementLeavesTheOldHandler) {
  StartConnected();
  SubscribeTo("a", Record("old"));
  client_->Subscribe(Subscription("a"), Record("new"), Into(result_));
  Run();
  AnswerSubscribe(ReasonCode::kQuotaExceeded);
  SendMessage("a", "", 0, 1);
  EXPECT_THAT(messages_, ElementsAre("old:a"));
}

TEST_F(ClientSubscribeTest, UnsubscribeEndsTheHandlerWhenItCompletes) {
  StartConnected();
  SubscribeTo("a", Record("a"));
  client_->Unsubscribe("a", Into(result_));
  Run();
  SendMessage("a", "", 0, 1);
  AnswerUnsubscribe();
  EXPECT_THAT(*result_, IsOkAndHolds(ReasonCode::kSuccess));
  SendMessage("a", "", 0, 1);
  EXPECT_THAT(messages_, ElementsAre("a:a"));
}

TEST_F(ClientSubscribeTest, UnsubscribeTellsThatThereWasNothing) {
  StartConnected();
  client_->Unsubscribe("a", Into(result_));
  Run();
  AnswerUnsubscribe(ReasonCode::kNoSubscriptionExisted);
  EXPECT_THAT(*result_, IsOkAndHolds(ReasonCode::kNoSubscriptionExisted));
}

TEST_F(ClientSubscribeTest, SubscribingRightBehindUnsubscribeKeepsTheNewHandler) {
  StartConnected();
  SubscribeTo("a", Record("old"));
  client_->Unsubscribe("a", [](const CodeOr&) {});
  client_->Subscribe(Subscription("a"), Record("new"), Into(result_));
  Run();
  AnswerUnsubscribe();
  AnswerSubscribe();
  SendMessage("a", "", 0, 1);
  EXPECT_THAT(messages_, ElementsAre("new:a"));
}

TEST_F(ClientSubscribeTest, AHandlerMayUnsubscribeItself) {
  StartConnected();
  SubscribeTo("a", [this](const MessageView& message) {
    client_->Unsubscribe("a", [](const CodeOr&) {});
    messages_.push_back(std::string(message.payload));
  });
  SendMessage("a", "1", 0, 1);
  AnswerUnsubscribe();
  SendMessage("a", "2", 0, 1);
  EXPECT_THAT(messages_, ElementsAre("1"));
}

// --- Over reconnects ----------------------------------------------------------

TEST_F(ClientSubscribeTest, AResumedSessionNeedsNoNewSubscription) {
  StartConnected();
  SubscribeTo("a", Record("a"));
  Reconnect(true);
  EXPECT_EQ(peer_->Names(), "");
  SendMessage("a", "", 0, 1);
  EXPECT_THAT(messages_, ElementsAre("a:a"));
}

TEST_F(ClientSubscribeTest, ALostSessionIsSubscribedAgainBeforeAnythingQueuedIsPublished) {
  StartConnected();
  SubscribeTo("a", Record("a"));
  SubscribeTo("b", Record("b"));
  peer_->Drop();
  Run();
  client_->Publish(Message("t", "x"), Into(result_));
  std::string order;
  const auto watch = client_->WatchState([&](const ConnectionState& state) {
    if (state.kind == ConnectionState::Kind::kConnected) order = "told, out: " + peer_->Names();
  });
  WaitForNextTry();
  AcceptConnect();
  SendConnAck(false);
  EXPECT_EQ(order, "told, out: ") << "the application hears of it before anything is sent";
  EXPECT_EQ(peer_->Names(), "SUBSCRIBE SUBSCRIBE") << "publishing waits for the SUBACKs";
  AnswerSubscribe();
  EXPECT_EQ(peer_->Names(), "SUBSCRIBE");
  AnswerSubscribe();
  EXPECT_EQ(peer_->Names(), "PUBLISH");
}

TEST_F(ClientSubscribeTest, ASubscriptionThatWasUnderWayIsAskedForAgain) {
  StartConnected();
  client_->Subscribe(Subscription("a"), Record("a"), Into(result_));
  Run();
  EXPECT_EQ(peer_->Names(), "SUBSCRIBE");
  Reconnect(true);
  EXPECT_FALSE(result_.has_value());
  AnswerSubscribe();
  EXPECT_THAT(*result_, IsOk());
}

TEST_F(ClientSubscribeTest, ResubscribingIsTakenUpAgainWhenItWasCutOff) {
  StartConnected();
  SubscribeTo("a", Record("a"));
  Reconnect(false);
  EXPECT_EQ(peer_->Names(), "SUBSCRIBE");
  Reconnect(true);
  EXPECT_EQ(peer_->Names(), "SUBSCRIBE");
}

TEST_F(ClientSubscribeTest, ARefusedResubscriptionIsLoggedAndTriedAtTheNextSession) {
  StartConnected();
  SubscribeTo("a", Record("a"));
  Reconnect(false);
  AnswerSubscribe(ReasonCode::kNotAuthorized);
  EXPECT_THAT(log_.lines().back(), HasSubstr("warning event=subscription_lost topic_filter=\"a\""));
  client_->Publish(Message("t", ""), [](const CodeOr&) {});
  Run();
  EXPECT_EQ(peer_->Names(), "PUBLISH");
  Reconnect(false);
  EXPECT_EQ(peer_->Names(), "SUBSCRIBE");
}

TEST_F(ClientSubscribeTest, AnUnsubscribedFilterStaysSo) {
  StartConnected();
  SubscribeTo("a", Record("a"));
  client_->Unsubscribe("a", Into(result_));
  Run();
  AnswerUnsubscribe();
  Reconnect(false);
  EXPECT_EQ(peer_->Names(), "");
}

}  // namespace
}  // namespace mqttrpc::mqtt
