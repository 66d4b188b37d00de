// MQTT 5.0, chapter 4: sessions, QoS, order, topics, shares, flow control.
#include "server_fixture.h"

namespace mqttrpc::test {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using ::testing::ElementsAre;

class ServerOperationTest : public ServerTest {
 protected:
  static std::vector<std::string> Payloads(RawClient& client) {
    std::vector<std::string> payloads;
    while (client.waiting() > 0) payloads.emplace_back(client.Next<mqtt::Publish>().payload);
    return payloads;
  }
};

// MQTT-4.1.0-1
TEST_F(ServerOperationTest, ASessionLastsAsLongAsItsConnectionWhateverItsExpiry) {
  auto client = Client("me");  // Session Expiry Interval 0.
  Listen(*client, "t", "01");
  auto lasting = Fresh("lasting");
  Listen(*lasting, "t", "01");
  clock_.Advance(hours(1000));
  Say(*Client("publisher"), "32 ( <t> 0001 () 'x' )");
  Hear(*client, "32 ( <t> 0001 () 'x' )");
  Hear(*lasting, "32 ( <t> 0001 () 'x' )");
}

// MQTT-4.1.0-2
TEST_F(ServerOperationTest, ASessionWithoutAnExpiryEndsWithItsConnection) {
  auto client = Client("me");
  Listen(*client, "t", "01");
  Lose(client);
  Fresh("me");  // Session Present 0.
  auto publisher = Client("publisher");
  Say(*publisher, "32 ( <t> 0001 () 'x' )");
  Hear(*publisher, "40 ( 0001 10 )");  // Nobody subscribes.
}

// MQTT-4.3.2-3, MQTT-4.3.3-3: unacknowledged until the answer comes.
TEST_F(ServerOperationTest, WhatIsNotAcknowledgedComesAgainInEveryConnection) {
  auto client = Fresh("me");
  Listen(*client, "t", "02");
  Say(*Client("publisher"), "32 ( <t> 0001 () 'x' ) 34 ( <t> 0002 () 'y' )");
  Hear(*client, "32 ( <t> 0001 () 'x' )");
  Hear(*client, "34 ( <t> 0002 () 'y' )");
  for (int i = 0; i < 3; ++i) {
    Lose(client);
    client = Resumed("me");
    Hear(*client, "3A ( <t> 0001 () 'x' )");
    Hear(*client, "3C ( <t> 0002 () 'y' )");
  }
  Say(*client, "40 ( 0001 ) 50 ( 0002 )");
  Hear(*client, "62 ( 0002 )");
  Lose(client);
  client = Resumed("me");
  Hear(*client, "62 ( 0002 )");
  HearNothing(*client);
}

// MQTT-4.3.2-5
TEST_F(ServerOperationTest, AfterPubAckTheIdentifierBeginsANewMessage) {
  auto witness = Client("witness");
  Listen(*witness, "t");
  auto client = Client("me");
  Say(*client, "32 ( <t> 0007 () 'one' )");
  Hear(*client, "40 ( 0007 )");
  Say(*client, "3A ( <t> 0007 () 'two' )");  // DUP or not.
  Hear(*client, "40 ( 0007 )");
  EXPECT_THAT(Payloads(*witness), ElementsAre("one", "two"));
}

// MQTT-4.3.3-4 to MQTT-4.3.3-6
TEST_F(ServerOperationTest, AfterPubRecTheMessageIsNeverSentAgain) {
  auto client = Fresh("me");
  Listen(*client, "t", "02");
  Say(*Client("publisher"), "34 ( <t> 0001 () 'x' )");
  Hear(*client, "34 ( <t> 0001 () 'x' )");
  Say(*client, "50 ( 0001 )");
  Hear(*client, "62 ( 0001 )");
  for (int i = 0; i < 3; ++i) {  // PUBREL is, until PUBCOMP comes.
    Lose(client);
    client = Resumed("me");
    Hear(*client, "62 ( 0001 )");
    HearNothing(*client);
  }
  Say(*client, "70 ( 0001 )");
  Lose(client);
  client = Resumed("me");
  HearNothing(*client);
}

// MQTT-4.3.3-7
TEST_F(ServerOperationTest, OnceSentAMessageOfQoS2DoesNotExpire) {
  auto client = Fresh("me");
  Listen(*client, "t", "02");
  Say(*Client("publisher"), "34 ( <t> 0001 ( 02 0000000A ) 'x' )");
  Hear(*client, "34 ( <t> 0001 ( 02 0000000A ) 'x' )");
  Lose(client);
  clock_.Advance(seconds(60));
  client = Resumed("me");
  const auto again = client->Next<mqtt::Publish>();
  EXPECT_EQ(again.payload, "x");
  EXPECT_TRUE(again.dup);
  Say(*client, "50 ( 0001 )");
  Hear(*client, "62 ( 0001 )");
}

// MQTT-4.3.3-9
TEST_F(ServerOperationTest, AfterARefusingPubRecTheIdentifierBeginsANewMessage) {
  auto witness = Client("witness");
  Listen(*witness, "t");
  auto client = Client("me");
  Say(*client, "34 ( <$SYS/x> 0007 () )");
  Hear(*client, "50 ( 0007 87 )");
  Say(*client, "34 ( <t> 0007 () 'new' )");
  Hear(*client, "50 ( 0007 )");
  Hear(*witness, "30 ( <t> () 'new' )");
}

// MQTT-4.3.3-10 to MQTT-4.3.3-12
TEST_F(ServerOperationTest, UntilPubRelARepeatedIdentifierIsTheSameMessage) {
  auto witness = Client("witness");
  Listen(*witness, "t");
  auto client = Fresh("me");
  Say(*client, "34 ( <t> 0007 () 'x' ) 3C ( <t> 0007 () 'x' )");
  Hear(*client, "50 ( 0007 )");
  Hear(*client, "50 ( 0007 )");
  Lose(client);
  client = Resumed("me");
  Say(*client, "3C ( <t> 0007 () 'x' ) 62 ( 0007 )");
  Hear(*client, "50 ( 0007 )");
  Hear(*client, "70 ( 0007 )");
  Say(*client, "34 ( <t> 0007 () 'y' )");
  Hear(*client, "50 ( 0007 )");
  EXPECT_THAT(Payloads(*witness), ElementsAre("x", "y"));
}

// MQTT-4.3.3-13
TEST_F(ServerOperationTest, TheHandshakeOfQoS2GoesOnAfterTheMessageExpired) {
  auto client = Fresh("me");
  Say(*client, "34 ( <t> 0007 ( 02 00000001 ) 'x' )");
  Hear(*client, "50 ( 0007 10 )");
  clock_.Advance(seconds(10));
  Say(*client, "3C ( <t> 0007 ( 02 00000001 ) 'x' ) 62 ( 0007 )");
  Hear(*client, "50 ( 0007 )");
  Hear(*client, "70 ( 0007 )");
}

// MQTT-4.4.0-1
TEST_F(ServerOperationTest, NothingIsSentAgainWhileTheConnectionStands) {
  auto client = Fresh("me");
  Listen(*client, "t", "02");
  Say(*Client("publisher"), "32 ( <t> 0001 () 'x' ) 34 ( <t> 0002 () 'y' ) 34 ( <t> 0003 () 'z' )");
  EXPECT_THAT(Payloads(*client), ElementsAre("x", "y", "z"));
  Say(*client, "50 ( 0003 )");
  Hear(*client, "62 ( 0003 )");
  clock_.Advance(hours(100));
  HearNothing(*client);
}

// MQTT-4.4.0-2
TEST_F(ServerOperationTest, WhatAClientRefusedIsNotSentAgain) {
  auto client = Fresh("me");
  Listen(*client, "t", "02");
  Say(*Client("publisher"), "32 ( <t> 0001 () 'x' ) 34 ( <t> 0002 () 'y' )");
  EXPECT_THAT(Payloads(*client), ElementsAre("x", "y"));
  Say(*client, "40 ( 0001 80 ) 50 ( 0002 97 )");
  HearNothing(*client);  // No PUBREL.
  Lose(client);
  client = Resumed("me");
  HearNothing(*client);
}

// MQTT-4.5.0-1
TEST_F(ServerOperationTest, EverySessionThatMatchesGetsTheMessage) {
  auto away = Fresh("away");
  Listen(*away, "a/#", "01");
  Lose(away);
  auto exact = Client("exact");
  Listen(*exact, "a/b", "01");
  auto wild = Client("wild");
  Listen(*wild, "+/+", "01");
  Say(*Client("publisher"), "32 ( <a/b> 0001 () 'x' )");
  away = Resumed("away");
  for (RawClient* client : {away.get(), exact.get(), wild.get()}) Hear(*client, "32 ( <a/b> 0001 () 'x' )");
}

// MQTT-4.6.0-5, MQTT-4.6.0-6
TEST_F(ServerOperationTest, EachPublishersMessagesKeepTheirOrderAlsoWhenSentAgain) {
  for (const std::string qos : {"0", "1", "2"}) {
    const std::string first = qos == "0" ? "30" : qos == "1" ? "32" : "34";
    auto client = Fresh("me" + qos, "21 0005");
    Listen(*client, "t/#", "0" + qos);
    auto publisher = Client("publisher");
    std::vector<std::string> sent;
    for (int i = 10; i < 60; ++i) {
      const std::string id = qos == "0" ? "" : "00" + std::to_string(i);
      Say(*publisher, first + " ( <t/x> " + id + " () '" + std::to_string(i) + "' )");
      sent.push_back(std::to_string(i));
    }
    std::vector<std::string> got;
    if (qos != "0") {  // The first five came; they come again.
      EXPECT_EQ(client->waiting(), 5u);
      Lose(client);
      client = Resumed("me" + qos, "21 0005");
    }
    while (client->waiting() > 0) {
      const auto publish = client->Next<mqtt::Publish>();
      got.emplace_back(publish.payload);
      const std::string id = Hex(std::string{'\0', static_cast<char>(publish.packet_id)});
      if (qos == "1") Say(*client, "40 ( " + id + " )");
      if (qos == "2") Say(*client, "50 ( " + id + " 80 )");  // Without a PUBREL between them.
    }
    EXPECT_EQ(got, sent) << "QoS " << qos;
  }
}

// MQTT-4.7.2-1
TEST_F(ServerOperationTest, AFilterThatBeginsWithAWildcardMatchesNoDollarTopic) {
  auto client = Client("me");
  for (const char* filter : {"#", "+/x", "+", "+/#"}) Listen(*client, filter);
  auto other = Client("other");
  Listen(*other, "$local/+");
  Say(*client, "30 ( <$local/x> () ) 30 ( <$local> () )");
  HearNothing(*client);
  Hear(*other, "30 ( <$local/x> () )");
}

// MQTT-4.7.3-4
TEST_F(ServerOperationTest, TopicsAreComparedByteByByte) {
  auto client = Client("me");
  Listen(*client, "a/b");
  Say(*client, "82 ( 0002 () 0002 C3A9 00 )");  // U+00E9
  client->Next<mqtt::SubAck>();
  Say(*client, "30 ( <A/b> () ) 30 ( </a/b> () ) 30 ( <a/b/> () ) 30 ( <a//b> () ) 30 ( <a/b > () ) 30 ( <a> () )");
  Say(*client, "30 ( 0003 65CC81 () )");  // U+0065 U+0301 looks the same.
  HearNothing(*client);
}

class ServerShareTest : public ServerOperationTest {};

// MQTT-4.8.2-3
TEST_F(ServerShareTest, EachMemberIsServedWithinItsOwnQoS) {
  auto zero = Client("zero");
  Listen(*zero, "$share/g/t", "00");
  auto one = Client("one");
  Listen(*one, "$share/g/t", "01");
  auto publisher = Client("publisher");
  for (int i = 0; i < 10; ++i) Say(*publisher, "34 ( <t> 0001 () ) 62 ( 0001 )");
  ASSERT_GT(zero->waiting(), 0u);
  ASSERT_GT(one->waiting(), 0u);
  EXPECT_EQ(zero->waiting() + one->waiting(), 10u);
  while (zero->waiting() > 0) EXPECT_EQ(zero->Next<mqtt::Publish>().qos, mqtt::QoS::kAtMostOnce);
  while (one->waiting() > 0) EXPECT_EQ(one->Next<mqtt::Publish>().qos, mqtt::QoS::kAtLeastOnce);
}

// MQTT-4.8.2-4
TEST_F(ServerShareTest, QoS2IsCompletedWithTheMemberItBeganWith) {
  auto first = Fresh("first");
  Listen(*first, "$share/g/t", "02");
  auto publisher = Client("publisher");
  Say(*publisher, "34 ( <t> 0001 () 'x' )");
  Hear(*first, "34 ( <t> 0001 () 'x' )");
  auto second = Fresh("second");
  Listen(*second, "$share/g/t", "02");
  Lose(first);
  HearNothing(*second);
  first = Resumed("first");
  Hear(*first, "3C ( <t> 0001 () 'x' )");
}

// MQTT-4.8.2-5
TEST_F(ServerShareTest, QoS2GoesToNoOtherMemberWhenTheSessionEnds) {
  auto first = Client("first");
  Listen(*first, "$share/g/t", "02");
  Say(*Client("publisher"), "34 ( <t> 0001 () 'x' )");
  Hear(*first, "34 ( <t> 0001 () 'x' )");
  auto second = Client("second");
  Listen(*second, "$share/g/t", "02");
  Lose(first);
  clock_.Advance(hours(1));
  HearNothing(*second);
}

// MQTT-4.8.2-6
TEST_F(ServerShareTest, WhatAMemberRefusesGoesToNoOther) {
  for (const std::string qos : {"1", "2"}) {
    auto first = Client("first");
    Listen(*first, "$share/g/t", "02");
    Say(*Client("publisher"), qos == "1" ? "32 ( <t> 0001 () 'x' )" : "34 ( <t> 0001 () 'x' )");
    EXPECT_THAT(Payloads(*first), ElementsAre("x"));
    auto second = Client("second");
    Listen(*second, "$share/g/t", "02");
    Say(*first, qos == "1" ? "40 ( 0001 80 )" : "50 ( 0001 80 )");
    HearNothing(*first);
    HearNothing(*second);
    Lose(first);
    HearNothing(*second);
  }
}

// MQTT-6.0.0-2: wherever the stream is cut, its packets are the same.
TEST_F(ServerOperationTest, PacketsNeedNotComeInOnePieceNorAlone) {
  const std::string bytes = Bytes(ConnectText("me") + " 82 ( 0001 () <t> 01 ) 32 ( <t> 0001 () 'x' ) C0 ( )");
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    auto client = NewClient();
    client->SendBytes(bytes.substr(0, cut));
    Settle();
    client->SendBytes(bytes.substr(cut));
    Settle();
    client->Next<mqtt::ConnAck>();
    Hear(*client, "90 ( 0001 () 01 )");
    EXPECT_EQ(client->waiting(), 3u);
    Lose(client);
  }
}

// 6: an HTTP request, as a WebSocket begins, is no MQTT.
TEST_F(ServerOperationTest, AnHttpRequestIsClosed) {
  auto client = NewClient();
  client->SendBytes(
      "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n");
  Settle();
  EXPECT_TRUE(client->closed());
}

}  // namespace
}  // namespace mqttrpc::test
