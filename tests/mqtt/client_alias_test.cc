// Topic Aliases, which the client manages by itself.
#include <string>

#include "client_fixture.h"
#include "topic_aliases.h"

namespace mqttrpc::mqtt {
namespace {

using testing::ElementsAre;

const std::string kLong = "site/4/floor/2/room/17/lamp/42/state";

class ClientAliasTest : public ClientTest {
 protected:
  static Properties Maximum(std::uint16_t maximum) {
    Properties properties;
    properties.Set(property::kTopicAliasMaximum, maximum);
    return properties;
  }
  // "name", "name:alias" or ":alias"
  std::string ExpectTopic() {
    const Publish& publish = peer_->Expect<Publish>();
    const auto alias = publish.properties.Get(property::kTopicAlias);
    return std::string(publish.topic_name) + (alias.has_value() ? ":" + std::to_string(*alias) : "");
  }
  std::string Send(const std::string& topic_name, QoS qos = QoS::kAtMostOnce) {
    client_->Publish(Message(topic_name, "x", qos), [](const CodeOr&) {});
    Run();
    return ExpectTopic();
  }
  void SendAliased(std::string_view topic_name, std::uint16_t alias) {
    Properties properties;
    properties.Add(property::kUserProperty, {"k", "v"});
    properties.Set(property::kTopicAlias, alias);
    Publish publish;
    publish.topic_name = topic_name;
    publish.properties = properties;
    Tell(publish);
  }
};

// MQTT-3.3.2-9, MQTT-3.2.2-17, MQTT-3.3.2-8
TEST_F(ClientAliasTest, ATopicThatComesAgainGetsOneAndThenNeedsNoName) {
  StartConnected(Maximum(1));
  EXPECT_EQ(Send(kLong), kLong);
  EXPECT_EQ(Send(kLong), kLong + ":1");
  EXPECT_EQ(Send(kLong), ":1");
  EXPECT_EQ(Send("short"), "short");
  EXPECT_EQ(Send("short"), "short") << "gains nothing";
  EXPECT_EQ(Send(kLong + "/2"), kLong + "/2");
  EXPECT_EQ(Send(kLong + "/2"), kLong + "/2") << "the only alias is worth more where it is";
}

// MQTT-3.2.2-18
TEST_F(ClientAliasTest, WithoutAMaximumTheBrokerGetsNone) {
  StartConnected();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Send(kLong), kLong);
}

TEST_F(ClientAliasTest, OursIsALimitToo) {
  options_.outgoing_topic_aliases = 0;
  StartConnected(Maximum(10));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Send(kLong), kLong);
}

// MQTT-3.3.2-7
TEST_F(ClientAliasTest, ARepetitionAndANewConnectionUseTheName) {
  StartConnected(Maximum(1));
  for (int i = 0; i < 3; ++i) Send(kLong, QoS::kAtLeastOnce);
  Reconnect(true, Maximum(1));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ExpectTopic(), kLong);
  EXPECT_EQ(Send(kLong), kLong);
  EXPECT_EQ(Send(kLong), kLong + ":1");
}

TEST_F(ClientAliasTest, AnIntroductionThatWasNotSentIsNotCountedOn) {
  Properties properties = Maximum(1);
  properties.Set(property::kMaximumPacketSize, 100);
  StartConnected(properties);
  Send(kLong);
  std::optional<CodeOr> result;
  client_->Publish(Message(kLong, std::string(100, 'x')), Into(result));
  Run();
  EXPECT_THAT(*result, HasReasonCode(ReasonCode::kPacketTooLarge));
  EXPECT_EQ(Send(kLong), kLong + ":1");
  EXPECT_EQ(Send(kLong), ":1");
}

TEST_F(ClientAliasTest, AnAliasMovesToATopicThatIsUsedMore) {
  OutgoingAliases aliases;
  aliases.Reset(1);
  aliases.Choose("first/topic");
  EXPECT_EQ(aliases.Choose("first/topic").alias, 1);
  bool moved = false;
  for (int i = 0; i < 40 && !moved; ++i) moved = aliases.Choose("second/topic").introduce;
  EXPECT_TRUE(moved);
  EXPECT_FALSE(aliases.Choose("second/topic").introduce);
  EXPECT_EQ(aliases.Choose("first/topic").alias, 0);
}

// MQTT-3.3.2-10
TEST_F(ClientAliasTest, TakesEveryAliasUpToItsMaximum) {
  options_.topic_alias_maximum = 2;
  StartConnected();
  SubscribeTo("#");
  SendAliased("a", 1);
  SendAliased("b", 2);
  SendAliased("", 1);
  SendAliased("", 2);
  SendAliased("c", 1);
  SendAliased("", 1);
  EXPECT_THAT(messages_, ElementsAre("a=", "b=", "a=", "b=", "c=", "c="));
}

TEST_F(ClientAliasTest, TheHandlerSeesTheMessageWithoutTheAlias) {
  StartConnected();
  std::vector<Message> taken;
  SubscribeTo("#", [&](const MessageView& message) { taken.push_back(message.ToMessage()); });
  SendAliased("a", 1);
  Properties properties;
  properties.Set(property::kTopicAlias, 1);
  properties.Set(property::kContentType, "text");
  Publish publish;
  publish.properties = properties;
  Tell(publish);
  properties.Set(property::kResponseTopic, "r");
  Properties middle;
  middle.Set(property::kContentType, "text");
  middle.Set(property::kTopicAlias, 1);
  middle.Set(property::kResponseTopic, "r");
  publish.properties = middle;
  Tell(publish);
  ASSERT_EQ(taken.size(), 3u);
  for (const Message& message : taken) {
    EXPECT_EQ(message.topic_name, "a");
    EXPECT_FALSE(message.properties.view().Has(PropertyId::kTopicAlias));
  }
  EXPECT_EQ(taken[0].properties.UserProperty("k"), "v");
  EXPECT_EQ(taken[1].properties.Get(property::kContentType), "text");
  EXPECT_EQ(taken[2].properties.Get(property::kResponseTopic), "r");
}

TEST_F(ClientAliasTest, AnAliasThatStandsForNothingIsAnError) {
  StartConnected();
  SendAliased("", 1);
  EXPECT_EQ(peer_->Expect<Disconnect>().reason_code, ReasonCode::kProtocolError);
}

TEST_F(ClientAliasTest, AnAliasOverTheMaximumIsAnError) {
  StartConnected();
  SendAliased("a", static_cast<std::uint16_t>(options_.topic_alias_maximum + 1));
  EXPECT_EQ(peer_->Expect<Disconnect>().reason_code, ReasonCode::kTopicAliasInvalid);
}

// MQTT-3.3.2-7
TEST_F(ClientAliasTest, TheBrokersAliasesEndWithTheConnection) {
  StartConnected();
  SubscribeTo("#");
  SendAliased("a", 1);
  Reconnect(true);
  SendAliased("", 1);
  EXPECT_EQ(peer_->Expect<Disconnect>().reason_code, ReasonCode::kProtocolError);
}

}  // namespace
}  // namespace mqttrpc::mqtt
