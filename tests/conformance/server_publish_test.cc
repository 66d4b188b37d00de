// MQTT 5.0, 3.3 to 3.7: PUBLISH and what acknowledges it.
#include <algorithm>

#include "server_fixture.h"

namespace mqttrpc::test {
namespace {

using mqtt::ReasonCode;
using std::chrono::seconds;

class ServerPublishTest : public ServerTest {};

// MQTT-3.3.1-1, MQTT-4.4.0-1
TEST_F(ServerPublishTest, DupIsSetOnWhatIsSentAgain) {
  auto client = Fresh("me");
  Listen(*client, "t", "02");
  auto publisher = Client("publisher");
  Say(*publisher, "32 ( <t> 0001 () 'x' ) 34 ( <t> 0002 () 'y' )");
  Hear(*client, "32 ( <t> 0001 () 'x' )");
  Hear(*client, "34 ( <t> 0002 () 'y' )");
  Lose(client);
  client = Resumed("me");
  Hear(*client, "3A ( <t> 0001 () 'x' )");
  Hear(*client, "3C ( <t> 0002 () 'y' )");
}

// MQTT-3.3.1-2, MQTT-4.3.1-1
TEST_F(ServerPublishTest, DupIsNeverSetOnQoS0) {
  ExpectRefused("38 ( <t> () )", ReasonCode::kMalformedPacket);
  auto client = Client("me");
  Listen(*client, "t", "00");
  Say(*client, "3A ( <t> 0001 () 'x' )");
  Hear(*client, "40 ( 0001 )");
  Hear(*client, "30 ( <t> () 'x' )");
}

// MQTT-3.3.1-3, MQTT-4.3.2-2, MQTT-4.3.3-2
TEST_F(ServerPublishTest, TheDupOfAPublisherIsNotPassedOn) {
  auto client = Client("me");
  Listen(*client, "t", "02");
  Say(*client, "3A ( <t> 0001 () 'x' ) 3C ( <t> 0002 () 'y' )");
  Hear(*client, "40 ( 0001 )");
  Hear(*client, "50 ( 0002 )");
  Hear(*client, "32 ( <t> 0001 () 'x' )");
  Hear(*client, "34 ( <t> 0002 () 'y' )");
}

// MQTT-3.3.1-4
TEST_F(ServerPublishTest, QoS3IsMalformed) {
  for (const char* first : {"36", "37", "3E", "3F"}) {
    ExpectRefused(first + std::string(" ( <t> 0001 () )"), ReasonCode::kMalformedPacket);
  }
}

// MQTT-3.3.1-6, MQTT-3.3.1-7
TEST_F(ServerPublishTest, AnEmptyRetainedMessageIsPassedOnAndNeverKept) {
  auto client = Client("me");
  Say(*client, "31 ( <t> () 'x' ) 31 ( <t> () ) 31 ( <never> () )");
  Listen(*client, "#", "08");
  HearNothing(*client);
  Say(*client, "31 ( <t> () )");
  Hear(*client, "31 ( <t> () )");
}

// MQTT-3.3.2-1
TEST_F(ServerPublishTest, TheTopicNameComesFirstAndIsText) {
  auto client = Client("me");
  Listen(*client, "#");
  Say(*client, "30 ( <t/opic> ( 01 01 ) 'x' )");
  Hear(*client, "30 ( <t/opic> ( 01 01 ) 'x' )");
  ExpectRefused("30 ( 0002 C328 () )", ReasonCode::kMalformedPacket);
  ExpectRefused("30 ( 0009 'short' )", ReasonCode::kMalformedPacket);
}

// MQTT-3.3.2-2, MQTT-4.7.0-1
TEST_F(ServerPublishTest, RefusesWildcardsInATopicName) {
  for (const char* topic : {"#", "+", "a/#", "a/+/b", "a+", "#a"}) {
    ExpectRefused("30 ( <" + std::string(topic) + "> () )", ReasonCode::kTopicNameInvalid);
    ExpectConnectRefused("10 ( <MQTT> 05 06 0000 () <me> () <" + std::string(topic) + "> <x> )",
                         ReasonCode::kTopicNameInvalid);
  }
}

// MQTT-3.3.2-3
TEST_F(ServerPublishTest, ASubscriberGetsNamesThatMatchItsFilterOnly) {
  auto client = Client("me");
  Listen(*client, "a/+/c");
  Say(*client, "30 ( <a/b/c> () ) 30 ( <a/b> () ) 30 ( <a/b/d> () ) 30 ( <a//c> () ) 30 ( <a/b/c/d> () )");
  Hear(*client, "30 ( <a/b/c> () )");
  Hear(*client, "30 ( <a//c> () )");
  HearNothing(*client);
}

// MQTT-3.3.2-4
TEST_F(ServerPublishTest, ThePayloadFormatIsPassedOn) {
  auto client = Client("me");
  Listen(*client, "t");
  for (const char* bytes : {"30 ( <t> ( 01 00 ) 'x' )", "30 ( <t> ( 01 01 ) 'x' )", "30 ( <t> () 'x' )"}) {
    Say(*client, bytes);
    Hear(*client, bytes);
  }
}

// MQTT-3.3.2-5, MQTT-3.3.2-6
TEST_F(ServerPublishTest, TheExpiryCountsDownAndThenTheMessageIsGone) {
  auto client = Fresh("me");
  Listen(*client, "t", "01");
  Lose(client);
  Say(*Client("publisher"), "32 ( <t> 0001 ( 02 0000000A ) 'short' ) 32 ( <t> 0001 ( 02 00000064 ) 'long' )");
  clock_.Advance(seconds(30));
  client = Resumed("me");
  Hear(*client, "32 ( <t> 0001 ( 02 00000046 ) 'long' )");
  HearNothing(*client);
}

// MQTT-3.3.2-7
TEST_F(ServerPublishTest, AliasesEndWithTheirConnection) {
  auto client = Fresh("me", "22 000A");
  Listen(*client, "a/rather/long/topic", "01");
  Say(*client, "32 ( <a/rather/long/topic> 0001 ( 23 0001 ) 'x' )");
  Hear(*client, "40 ( 0001 )");
  Hear(*client, "32 ( <a/rather/long/topic> 0001 ( 23 0001 ) 'x' )");
  Lose(client);
  client = Resumed("me", "22 000A");
  // Ours: the name is there again.
  Hear(*client, "3A ( <a/rather/long/topic> 0001 ( 23 0001 ) 'x' )");
  // The client's: it stands for nothing.
  Say(*client, "30 ( <> ( 23 0001 ) )");
  ExpectDisconnected(*client, ReasonCode::kProtocolError);
}

// MQTT-3.3.2-8, MQTT-3.3.2-9
TEST_F(ServerPublishTest, RefusesAliasZeroAndThoseOverItsMaximum) {
  ExpectRefused("30 ( <t> ( 23 0000 ) )", ReasonCode::kTopicAliasInvalid);
  ExpectRefused("30 ( <t> ( 23 0021 ) )", ReasonCode::kTopicAliasInvalid);
  ExpectRefused("30 ( <t> ( 23 FFFF ) )", ReasonCode::kTopicAliasInvalid);
}

// MQTT-3.3.2-12
TEST_F(ServerPublishTest, TakesEveryAliasUpToItsMaximum) {
  auto client = Client("me");
  Listen(*client, "#");
  for (int i = 1; i <= options_.topic_alias_maximum; ++i) {
    const std::string alias = Hex(std::string{'\0', static_cast<char>(i)});
    Say(*client, "30 ( <t" + std::to_string(i) + "> ( 23 " + alias + " ) )");
    Hear(*client, "30 ( <t" + std::to_string(i) + "> () )");
  }
  for (int i = 1; i <= options_.topic_alias_maximum; ++i) {
    const std::string alias = Hex(std::string{'\0', static_cast<char>(i)});
    Say(*client, "30 ( <> ( 23 " + alias + " ) )");
    Hear(*client, "30 ( <t" + std::to_string(i) + "> () )");
  }
}

// MQTT-3.3.2-13, MQTT-3.3.2-14, MQTT-3.3.2-19
TEST_F(ServerPublishTest, RefusesBadResponseTopicsAndContentTypes) {
  ExpectRefused("30 ( <t> ( 08 0002 C328 ) )", ReasonCode::kMalformedPacket);
  ExpectRefused("30 ( <t> ( 03 0002 C328 ) )", ReasonCode::kMalformedPacket);
  for (const char* topic : {"#", "a/+", "a/#"}) {
    auto client = Client("hostile");
    Say(*client, "30 ( <t> ( 08 <" + std::string(topic) + "> ) )");
    EXPECT_TRUE(mqtt::IsError(client->Next<mqtt::Disconnect>().reason_code)) << topic;
    EXPECT_TRUE(client->closed());
  }
}

// MQTT-3.3.2-15 to MQTT-3.3.2-18, MQTT-3.3.2-20
TEST_F(ServerPublishTest, WhatAPublisherSaysAboutAMessageIsPassedOnUnchanged) {
  auto client = Client("me");
  Listen(*client, "t");
  for (const char* bytes : {
           "30 ( <t> ( 08 <reply/here> ) )",
           "30 ( <t> ( 09 0003 00FF80 ) )",
           "30 ( <t> ( 03 <text/plain> ) )",
           "30 ( <t> ( 26 <b> <1> 26 <a> <2> 26 <b> <1> 26 <> <> ) )",
       }) {
    Say(*client, bytes);
    Hear(*client, bytes);
  }
}

// MQTT-3.3.4-1, MQTT-4.3.2-4, MQTT-4.3.3-8
TEST_F(ServerPublishTest, AnswersAsTheQoSDemands) {
  auto client = Client("me");
  Say(*client, "30 ( <t> () )");
  HearNothing(*client);
  Say(*client, "32 ( <t> 0007 () )");
  Hear(*client, "40 ( 0007 10 )");
  Say(*client, "34 ( <t> 0008 () )");
  Hear(*client, "50 ( 0008 10 )");
}

// MQTT-3.3.4-2 to MQTT-3.3.4-4
TEST_F(ServerPublishTest, OneCopyWithTheHighestQoSAndAllIdentifiers) {
  auto client = Client("me");
  Say(*client, "82 ( 0001 ( 0B 01 ) <a/b> 00 ) 82 ( 0002 ( 0B 8001 ) <a/+> 01 ) 82 ( 0003 () <#> 00 )");
  for (int i = 0; i < 3; ++i) client->Next<mqtt::SubAck>();
  Say(*Client("publisher"), "34 ( <a/b> 0001 () 'x' )");
  const auto got = client->Next<mqtt::Publish>();
  EXPECT_EQ(got.qos, mqtt::QoS::kAtLeastOnce);
  std::vector<std::uint32_t> identifiers;
  got.properties.ForEach([&](const mqtt::PropertyView& each) { identifiers.push_back(each.number); });
  EXPECT_THAT(identifiers, ::testing::UnorderedElementsAre(1, 128));
  HearNothing(*client);
}

// MQTT-3.3.4-5: a share group gives a copy of its own.
TEST_F(ServerPublishTest, SeveralCopiesHaveTheirOwnIdentifiers) {
  auto client = Client("me");
  Say(*client, "82 ( 0001 ( 0B 05 ) <t> 00 ) 82 ( 0002 ( 0B 06 ) <$share/g/t> 00 )");
  Hear(*client, "90 ( 0001 () 00 )");
  Hear(*client, "90 ( 0002 () 00 )");
  Say(*Client("publisher"), "30 ( <t> () 'x' )");
  std::vector<std::string> got;
  while (client->waiting() > 0) got.push_back(Hex(client->NextRaw()->bytes));
  EXPECT_THAT(got, ::testing::UnorderedElementsAre(Hex(Bytes("30 ( <t> ( 0B 05 ) 'x' )")),
                                                   Hex(Bytes("30 ( <t> ( 0B 06 ) 'x' )"))));
}

// 3.3.4: a client sends none (MQTT-3.3.4-6).
TEST_F(ServerPublishTest, RefusesASubscriptionIdentifierFromAClient) {
  ExpectRefused("30 ( <t> ( 0B 01 ) )", ReasonCode::kProtocolError);
}

// MQTT-3.3.4-9, MQTT-3.3.4-10, MQTT-4.9.0-1 to MQTT-4.9.0-3
TEST_F(ServerPublishTest, TheClientsReceiveMaximumHoldsBackQoS1And2AndNothingElse) {
  auto client = Accepted(ConnectText("me", "21 0002"));
  Listen(*client, "t", "02");
  auto publisher = Client("publisher");
  Say(*publisher, "32 ( <t> 0001 () '1' ) 34 ( <t> 0002 () '2' ) 32 ( <t> 0003 () '3' ) 30 ( <t> () '0' )");
  Hear(*client, "32 ( <t> 0001 () '1' )");
  Hear(*client, "34 ( <t> 0002 () '2' )");
  Hear(*client, "30 ( <t> () '0' )");
  HearNothing(*client);
  Say(*client, "C0 ( ) 82 ( 0009 () <u> 00 )");
  Hear(*client, "D0 ( )");
  Hear(*client, "90 ( 0009 () 00 )");
  Say(*client, "50 ( 0002 )");
  Hear(*client, "62 ( 0002 )");
  HearNothing(*client);  // PUBREC alone gives no room.
  Say(*client, "70 ( 0002 )");
  Hear(*client, "32 ( <t> 0003 () '3' )");
}

class ServerAcknowledgesTest : public ServerTest {
 protected:
  // Every value in a packet that takes those of `allowed`.
  void ExpectListedCodesOnly(const std::string& first_byte, const std::vector<int>& allowed) {
    for (int code = 0; code < 256; ++code) {
      auto client = Client("me");
      Say(*client, first_byte + " ( 0001 " + Hex(std::string(1, static_cast<char>(code))) + " ) C0 ( )");
      const bool taken = std::find(allowed.begin(), allowed.end(), code) != allowed.end();
      EXPECT_EQ(client->closed(), !taken) << first_byte << " " << code;
      if (taken) continue;
      EXPECT_EQ(client->Next<mqtt::Disconnect>().reason_code, ReasonCode::kProtocolError);
    }
  }
};

// MQTT-3.4.2-1. 0x10 is the server's alone.
TEST_F(ServerAcknowledgesTest, TakesTheListedReasonCodesInPubAck) {
  ExpectListedCodesOnly("40", {0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99});
}

// MQTT-3.5.2-1
TEST_F(ServerAcknowledgesTest, TakesTheListedReasonCodesInPubRec) {
  ExpectListedCodesOnly("50", {0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99});
}

// MQTT-3.6.2-1
TEST_F(ServerAcknowledgesTest, TakesTheListedReasonCodesInPubRel) { ExpectListedCodesOnly("62", {0x00, 0x92}); }

// MQTT-3.7.2-1
TEST_F(ServerAcknowledgesTest, TakesTheListedReasonCodesInPubComp) { ExpectListedCodesOnly("70", {0x00, 0x92}); }

// MQTT-3.6.1-1
TEST_F(ServerAcknowledgesTest, RefusesOtherFlagsOfPubRel) {
  for (const char* first : {"60", "61", "63", "64", "6A", "6F"}) {
    ExpectRefused(first + std::string(" ( 0001 )"), ReasonCode::kMalformedPacket);
  }
}

// MQTT-3.4.2-2, MQTT-3.4.2-3, MQTT-3.5.2-2, MQTT-3.5.2-3, MQTT-3.6.2-2, MQTT-3.6.2-3, MQTT-3.7.2-2, MQTT-3.7.2-3
TEST_F(ServerAcknowledgesTest, AcknowledgementsFitTheSmallestClient) {
  auto small = Accepted(ConnectText("small", "27 00000040"));  // Room for CONNACK and little more.
  Say(*small, "32 ( <$SYS/refused> 0001 () )");
  Hear(*small, "40 ( 0001 87 )");
  Say(*small, "34 ( <$SYS/refused> 0002 () )");
  Hear(*small, "50 ( 0002 87 )");
  Say(*small, "50 ( 0063 )");
  Hear(*small, "62 ( 0063 92 )");
  Say(*small, "62 ( 0063 )");
  Hear(*small, "70 ( 0063 92 )");
}

}  // namespace
}  // namespace mqttrpc::test
