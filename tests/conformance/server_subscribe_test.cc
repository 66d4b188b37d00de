// MQTT 5.0, 3.8 to 3.11: SUBSCRIBE, UNSUBSCRIBE and their answers.
#include "server_fixture.h"

namespace mqttrpc::test {
namespace {

using mqtt::ReasonCode;

class ServerSubscribeTest : public ServerTest {};

// MQTT-3.8.1-1
TEST_F(ServerSubscribeTest, RefusesOtherFlagsOfSubscribe) {
  for (const char* first : {"80", "81", "83", "84", "8A", "8F"}) {
    ExpectRefused(first + std::string(" ( 0001 () <t> 00 )"), ReasonCode::kMalformedPacket);
  }
}

// MQTT-3.8.3-1, MQTT-3.8.3-2
TEST_F(ServerSubscribeTest, WantsAFilterAndWellFormedOnes) {
  ExpectRefused("82 ( 0001 () )", ReasonCode::kProtocolError);
  ExpectRefused("82 ( 0001 () 0002 C328 00 )", ReasonCode::kMalformedPacket);
}

// MQTT-3.8.3-3
TEST_F(ServerSubscribeTest, NoLocalKeepsAMessageFromTheClientIdThatSentIt) {
  auto client = Fresh("me");
  Listen(*client, "t", "05");
  Say(*client, "32 ( <t> 0001 () 'mine' )");
  client->Next<mqtt::PubAck>();
  Lose(client);
  client = Resumed("me");  // Another connection, the same client id.
  Say(*client, "32 ( <t> 0001 () 'mine' )");
  client->Next<mqtt::PubAck>();
  HearNothing(*client);
  Say(*Client("other"), "32 ( <t> 0001 () 'theirs' )");
  Hear(*client, "32 ( <t> 0001 () 'theirs' )");
}

// MQTT-3.8.3-4
TEST_F(ServerSubscribeTest, RefusesNoLocalOnASharedSubscription) {
  ExpectRefused("82 ( 0001 () <$share/g/t> 04 )", ReasonCode::kProtocolError);
}

// MQTT-3.8.3-5
TEST_F(ServerSubscribeTest, RefusesReservedBitsOfTheOptions) {
  for (const char* options : {"40", "80", "C0", "41"}) {
    ExpectRefused("82 ( 0001 () <t> " + std::string(options) + " )", ReasonCode::kMalformedPacket);
  }
}

// 3.8.3.1: a Protocol Error each.
TEST_F(ServerSubscribeTest, RefusesQoS3RetainHandling3AndIdentifier0) {
  ExpectRefused("82 ( 0001 () <t> 03 )", ReasonCode::kProtocolError);
  ExpectRefused("82 ( 0001 () <t> 30 )", ReasonCode::kProtocolError);
  ExpectRefused("82 ( 0001 ( 0B 00 ) <t> 00 )", ReasonCode::kProtocolError);
}

// MQTT-3.8.4-1, MQTT-3.8.4-2, MQTT-3.8.4-5 to MQTT-3.8.4-7, MQTT-3.9.3-1
TEST_F(ServerSubscribeTest, OneAnswerHasACodeForEachFilterInOrder) {
  options_.maximum_subscriptions = 3;
  auto client = Client("me");
  Say(*client, "82 ( BEEF () <a> 02 <b> 00 <c> 01 <d> 00 )");
  const auto ack = client->Next<mqtt::SubAck>();
  EXPECT_EQ(ack.packet_id, 0xBEEF);
  EXPECT_THAT(ack.reason_codes, ::testing::ElementsAre(ReasonCode::kGrantedQoS2, ReasonCode::kGrantedQoS0,
                                                       ReasonCode::kGrantedQoS1, ReasonCode::kQuotaExceeded));
  Say(*client, "30 ( <a> () ) 30 ( <b> () ) 30 ( <c> () ) 30 ( <d> () )");
  EXPECT_EQ(client->waiting(), 3u);  // As if each had come alone.
}

// MQTT-3.8.4-3
TEST_F(ServerSubscribeTest, AnEqualFilterReplacesTheOlderSubscription) {
  auto client = Client("me");
  Say(*client, "82 ( 0001 ( 0B 01 ) <t> 01 ) 82 ( 0002 ( 0B 02 ) <t> 00 )");
  Hear(*client, "90 ( 0001 () 01 )");
  Hear(*client, "90 ( 0002 () 00 )");
  Say(*Client("publisher"), "32 ( <t> 0001 () 'x' )");
  Hear(*client, "30 ( <t> ( 0B 02 ) 'x' )");
  HearNothing(*client);
}

// MQTT-3.8.4-4, MQTT-3.3.1-9
TEST_F(ServerSubscribeTest, AReplacementLosesNothingAndGetsTheRetainedAgain) {
  auto client = Accepted(ConnectText("me", "21 0001"));  // One at a time.
  Listen(*client, "t", "01");
  auto publisher = Client("publisher");
  Say(*publisher, "33 ( <t> 0001 () '1' ) 32 ( <t> 0001 () '2' )");
  Hear(*client, "32 ( <t> 0001 () '1' )");
  Say(*client, "82 ( 0002 () <t> 01 )");  // '2' waits.
  Hear(*client, "90 ( 0002 () 01 )");
  Say(*publisher, "32 ( <t> 0001 () '3' )");
  std::vector<std::string> got;
  for (const char* ack : {"40 ( 0001 )", "40 ( 0002 )", "40 ( 0003 )"}) {
    Say(*client, ack);
    const auto publish = client->Next<mqtt::Publish>();
    got.push_back(std::string(publish.payload) + (publish.retain ? " retained" : ""));
  }
  EXPECT_THAT(got, ::testing::UnorderedElementsAre("2", "1 retained", "3"));
}

// MQTT-3.8.4-8
TEST_F(ServerSubscribeTest, TheQoSIsTheLowerOfPublishedAndGranted) {
  for (int granted = 0; granted <= 2; ++granted) {
    auto client = Client("me");
    Listen(*client, "t", "0" + std::to_string(granted));
    auto publisher = Client("publisher");
    Say(*publisher, "30 ( <t> () ) 32 ( <t> 0001 () ) 34 ( <t> 0002 () )");
    for (int published = 0; published <= 2; ++published) {
      EXPECT_EQ(static_cast<int>(client->Next<mqtt::Publish>().qos), std::min(granted, published));
    }
  }
}

// MQTT-3.9.2-1, MQTT-3.9.2-2
TEST_F(ServerSubscribeTest, SubAckLeavesItsReasonOutForASmallClient) {
  options_.maximum_subscriptions = 0;
  auto large = Client("large");
  Say(*large, "82 ( 0001 () <t> 00 )");
  EXPECT_TRUE(large->Next<mqtt::SubAck>().properties.Has(mqtt::PropertyId::kReasonString));
  auto small = Accepted(ConnectText("small", "27 00000020"));
  Say(*small, "82 ( 0001 () <t> 00 )");
  Hear(*small, "90 ( 0001 () 97 )");
}

// MQTT-3.10.1-1
TEST_F(ServerSubscribeTest, RefusesOtherFlagsOfUnsubscribe) {
  for (const char* first : {"A0", "A1", "A3", "A4", "AA", "AF"}) {
    ExpectRefused(first + std::string(" ( 0001 () <t> )"), ReasonCode::kMalformedPacket);
  }
}

// MQTT-3.10.3-1, MQTT-3.10.3-2
TEST_F(ServerSubscribeTest, WantsAFilterToUnsubscribe) {
  ExpectRefused("A2 ( 0001 () )", ReasonCode::kProtocolError);
  ExpectRefused("A2 ( 0001 () 0002 C328 )", ReasonCode::kMalformedPacket);
}

// MQTT-3.10.4-1
TEST_F(ServerSubscribeTest, OnlyTheVeryFilterIsUnsubscribed) {
  auto client = Client("me");
  Say(*client, "82 ( 0001 () <a/+> 00 <a/#> 00 <A/b> 00 )");
  Hear(*client, "90 ( 0001 () 00 00 00 )");
  Say(*client, "A2 ( 0002 () <a/b> <a/b/> <#> <A/B> )");
  Hear(*client, "B0 ( 0002 () 11 11 11 11 )");
  Say(*client, "30 ( <a/b> () )");
  Hear(*client, "30 ( <a/b> () )");
  Say(*client, "A2 ( 0003 () <a/+> <a/#> )");
  Hear(*client, "B0 ( 0003 () 00 00 )");
  Say(*client, "30 ( <a/b> () )");
  HearNothing(*client);
}

// MQTT-3.10.4-2, MQTT-3.10.4-3
TEST_F(ServerSubscribeTest, UnsubscribingEndsNothingThatHasBegun) {
  auto client = Fresh("me");
  Listen(*client, "t", "02");
  auto publisher = Client("publisher");
  Say(*publisher, "34 ( <t> 0001 () 'x' ) 32 ( <t> 0002 () 'y' )");
  Say(*client, "A2 ( 0001 () <t> )");
  Say(*publisher, "32 ( <t> 0002 () 'later' )");
  Hear(*client, "34 ( <t> 0001 () 'x' )");
  Hear(*client, "32 ( <t> 0002 () 'y' )");
  Hear(*client, "B0 ( 0001 () 00 )");
  HearNothing(*client);
  Lose(client);
  client = Resumed("me");
  Hear(*client, "3C ( <t> 0001 () 'x' )");
  Hear(*client, "3A ( <t> 0002 () 'y' )");
  Say(*client, "50 ( 0001 )");
  Hear(*client, "62 ( 0001 )");
}

// MQTT-3.10.4-4 to MQTT-3.10.4-6, MQTT-3.11.3-1, MQTT-3.11.3-2
TEST_F(ServerSubscribeTest, OneUnsubAckHasACodeForEachFilterInOrder) {
  auto client = Client("me");
  Say(*client, "A2 ( CAFE () <never> )");
  Hear(*client, "B0 ( CAFE () 11 )");
  Listen(*client, "b");
  Say(*client, "A2 ( 0102 () <a> <b> <b> )");
  Hear(*client, "B0 ( 0102 () 11 00 11 )");
}

// MQTT-3.11.2-1, MQTT-3.11.2-2
TEST_F(ServerSubscribeTest, UnsubAckExplainsNothing) {
  auto small = Accepted(ConnectText("small", "27 00000020"));
  Say(*small, "A2 ( 0001 () <never> )");
  Hear(*small, "B0 ( 0001 () 11 )");
}

// MQTT-4.7.1-1, MQTT-4.7.1-2
TEST_F(ServerSubscribeTest, RefusesWildcardsThatDoNotFillALevel) {
  for (const char* filter : {"a#", "a/#/b", "#/a", "##", "a+", "+a", "a/b+/c", "++"}) {
    ExpectRefused("82 ( 0001 () <" + std::string(filter) + "> 00 )", ReasonCode::kTopicFilterInvalid);
    ExpectRefused("A2 ( 0001 () <" + std::string(filter) + "> )", ReasonCode::kTopicFilterInvalid);
  }
  auto client = Client("me");
  for (const char* filter : {"#", "+", "a/#", "+/a/+", "/+", "+/#", "/", "//"}) Listen(*client, filter);
}

// MQTT-4.7.3-1
TEST_F(ServerSubscribeTest, RefusesEmptyNamesAndFilters) {
  ExpectRefused("30 ( <> () )", ReasonCode::kProtocolError);
  ExpectRefused("82 ( 0001 () <> 00 )", ReasonCode::kTopicFilterInvalid);
  ExpectRefused("A2 ( 0001 () <> )", ReasonCode::kTopicFilterInvalid);
}

// MQTT-4.7.3-2
TEST_F(ServerSubscribeTest, RefusesNulInNamesAndFilters) {
  ExpectRefused("30 ( 0003 610062 () )", ReasonCode::kMalformedPacket);
  ExpectRefused("82 ( 0001 () 0003 610062 00 )", ReasonCode::kMalformedPacket);
  ExpectRefused("A2 ( 0001 () 0003 610062 )", ReasonCode::kMalformedPacket);
}

// MQTT-4.7.3-3: their length has two bytes; the longest is served.
TEST_F(ServerSubscribeTest, ServesTheLongestTopic) {
  const std::string topic(65'535, 't');
  auto client = Client("me");
  Listen(*client, topic);
  Say(*client, "30 ( <" + topic + "> () 'x' )");
  Hear(*client, "30 ( <" + topic + "> () 'x' )");
}

// MQTT-4.8.2-1, MQTT-4.8.2-2
TEST_F(ServerSubscribeTest, RefusesSharesWithoutANameOrAFilter) {
  for (const char* filter :
       {"$share/", "$share//t", "$share/g", "$share/g/", "$share/g+/t", "$share/#/t", "$share/+/t"}) {
    ExpectRefused("82 ( 0001 () <" + std::string(filter) + "> 00 )", ReasonCode::kTopicFilterInvalid);
  }
  auto client = Client("me");
  Listen(*client, "$share/g/#");
  Listen(*client, "$share/a b/t");
}

}  // namespace
}  // namespace mqttrpc::test
