// MQTT 5.0, 3.1 and 3.2: CONNECT and CONNACK.
#include <set>

#include "server_fixture.h"

namespace mqttrpc::test {
namespace {

using mqtt::ReasonCode;
using std::chrono::seconds;
namespace property = mqtt::property;

class ServerConnectTest : public ServerTest {
 protected:
  // A client with a will to `will`, payload 'gone'.
  static std::string WillText(std::string_view flags, std::string_view will_properties = "",
                              std::string_view properties = "") {
    return "10 ( <MQTT> 05 " + std::string(flags) + " 0000 ( " + std::string(properties) + " ) <mortal> ( " +
           std::string(will_properties) + " ) <will> <gone> )";
  }
  std::unique_ptr<RawClient> Witness() {
    auto witness = Client("witness");
    Listen(*witness, "will", "0A");  // QoS 2, Retain As Published.
    return witness;
  }
};

// MQTT-3.1.2-1
TEST_F(ServerConnectTest, RefusesEveryOtherProtocolName) {
  for (const char* name : {"<AMQP>", "<mqtt>", "<MQTt>", "<MQTT5>", "<>"}) {
    ExpectConnectRefused("10 ( " + std::string(name) + " 05 02 0000 () <me> )",
                         ReasonCode::kUnsupportedProtocolVersion);
  }
}

// MQTT-3.1.2-3
TEST_F(ServerConnectTest, RefusesTheReservedFlag) {
  ExpectConnectRefused("10 ( <MQTT> 05 03 0000 () <me> )", ReasonCode::kMalformedPacket);
  ExpectConnectRefused("10 ( <MQTT> 05 01 0000 () <me> )", ReasonCode::kMalformedPacket);
}

// MQTT-3.1.2-6, MQTT-3.2.2-3
TEST_F(ServerConnectTest, ResumingNothingBeginsASessionThatLasts) {
  auto client = Fresh("me");  // Session Present 0.
  Listen(*client, "t", "01");
  Lose(client);
  Say(*Client("publisher"), "32 ( <t> 0001 () 'x' )");
  client = Resumed("me");  // Session Present 1.
  Hear(*client, "32 ( <t> 0001 () 'x' )");
}

// MQTT-3.1.2-4, MQTT-3.1.4-4, MQTT-3.2.2-2
TEST_F(ServerConnectTest, ACleanStartDropsWhatWasThere) {
  auto client = Fresh("me");
  Listen(*client, "t", "01");
  Lose(client);
  Say(*Client("publisher"), "32 ( <t> 0001 () 'x' )");
  client = Accepted(LastingText("me", "", "02"), false);
  Say(*client, "C0 ( )");
  Hear(*client, "D0 ( )");
  HearNothing(*client);
}

// MQTT-3.1.2-7, MQTT-3.1.2-8, MQTT-3.1.2-14, MQTT-3.1.2-10: published once.
TEST_F(ServerConnectTest, AWillIsPublishedOnceWhenTheConnectionIsLost) {
  auto witness = Witness();
  auto mortal = Accepted(WillText("06"));
  HearNothing(*witness);
  Lose(mortal);
  Hear(*witness, "30 ( <will> () 'gone' )");
  mortal = Client("mortal");
  Lose(mortal);
  clock_.Advance(seconds(100'000));
  HearNothing(*witness);
}

// MQTT-3.1.2-12, MQTT-3.1.2-14, MQTT-3.1.2-15
TEST_F(ServerConnectTest, AWillHasTheQoSAndTheRetainFlagThatItWasGiven) {
  auto witness = Witness();
  auto mortal = Accepted(WillText("0E"));  // QoS 1.
  Lose(mortal);
  Hear(*witness, "32 ( <will> 0001 () 'gone' )");
  mortal = Accepted(WillText("36"));  // QoS 2, retained.
  Lose(mortal);
  Hear(*witness, "35 ( <will> 0002 () 'gone' )");
  auto late = Client("late");
  Listen(*late, "will");
  Hear(*late, "31 ( <will> () 'gone' )");
}

// MQTT-3.1.2-10, MQTT-3.14.4-3
TEST_F(ServerConnectTest, ANormalDisconnectRemovesTheWillForGood) {
  auto witness = Witness();
  auto mortal = Accepted(WillText("04", "18 0000000A", "11 00000E10"));
  Say(*mortal, "E0 ( )");
  clock_.Advance(seconds(7200));
  HearNothing(*witness);
}

// MQTT-3.1.3-9
TEST_F(ServerConnectTest, AReturnWithinTheDelayCancelsTheWill) {
  auto witness = Witness();
  auto mortal = Accepted(WillText("04", "18 0000000A", "11 00000E10"));
  Lose(mortal);
  clock_.Advance(seconds(9));
  mortal = Accepted(LastingText("mortal"), true);
  clock_.Advance(seconds(60));
  HearNothing(*witness);
}

// MQTT-3.1.2-11, MQTT-3.1.2-13
TEST_F(ServerConnectTest, RefusesWillFlagsWithoutAWill) {
  for (const char* flags : {"0A", "12", "1A", "22", "2A"}) {
    ExpectConnectRefused(ConnectText("me", "", flags), ReasonCode::kMalformedPacket);
  }
}

// MQTT-3.1.2-12
TEST_F(ServerConnectTest, RefusesWillQoS3) { ExpectConnectRefused(WillText("1E"), ReasonCode::kMalformedPacket); }

// MQTT-3.1.2-16 to MQTT-3.1.2-19
TEST_F(ServerConnectTest, UserNameAndPasswordStandThereExactlyIfTheirFlagsSaySo) {
  for (const auto& [flags, fields] :
       {std::pair("02", ""), std::pair("82", "<u>"), std::pair("42", "<p>"), std::pair("C2", "<u> <p>")}) {
    const std::string head = "10 ( <MQTT> 05 " + std::string(flags) + " 0000 () <me> ";
    Accepted(head + fields + " )");
    ExpectConnectRefused(head + fields + " <more> )", ReasonCode::kMalformedPacket);
    if (*fields != '\0') ExpectConnectRefused(head + ")", ReasonCode::kMalformedPacket);
  }
  ExpectConnectRefused("10 ( <MQTT> 05 C2 0000 () <me> <one> )", ReasonCode::kMalformedPacket);
}

// MQTT-3.1.2-22, MQTT-3.2.2-22
TEST_F(ServerConnectTest, TheClientsKeepAliveIsAppliedAsIfTheNetworkHadFailed) {
  auto witness = Witness();
  auto mortal = Accepted("10 ( <MQTT> 05 06 000A () <mortal> () <will> <gone> )");
  clock_.Advance(seconds(14));
  EXPECT_FALSE(mortal->closed());
  HearNothing(*witness);
  clock_.Advance(seconds(2));
  EXPECT_TRUE(mortal->closed());
  Hear(*witness, "30 ( <will> () 'gone' )");
}

// MQTT-3.1.2-23, MQTT-4.1.0-2
TEST_F(ServerConnectTest, ASessionLastsForItsExpiryAndNoLonger) {
  auto client = Fresh("me");
  Lose(client);
  clock_.Advance(seconds(3599));
  client = Resumed("me");
  Lose(client);
  clock_.Advance(seconds(3600));
  Fresh("me");
}

// MQTT-3.1.2-24, MQTT-3.1.2-25
TEST_F(ServerConnectTest, AMessageThatIsTooLargeForAClientCountsAsSent) {
  auto small = Accepted(ConnectText("small", "27 00000028 21 0001"));  // 40 bytes, one at a time.
  Listen(*small, "t", "01");
  auto publisher = Client("publisher");
  Say(*publisher, "32 ( <t> 0001 () '0123456789012345678901234567890123' )");  // 42 bytes.
  HearNothing(*small);
  Say(*publisher, "32 ( <t> 0002 () 'small' )");
  Hear(*small, "32 ( <t> 0001 () 'small' )");  // The large one holds no window.
}

// MQTT-3.1.2-26, MQTT-3.3.2-11, MQTT-3.3.2-8
TEST_F(ServerConnectTest, AliasesStayWithinTheClientsMaximum) {
  auto client = Accepted(ConnectText("me", "22 0003"));
  Listen(*client, "#");
  std::set<std::uint16_t> seen;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 40; ++i) {
      Say(*client, "30 ( <a/rather/long/topic/" + std::to_string(i) + "> () )");
      const auto publish = client->Next<mqtt::Publish>();
      const auto alias = publish.properties.Get(property::kTopicAlias);
      if (alias) seen.insert(*alias);
      EXPECT_TRUE(alias || !publish.topic_name.empty());
    }
  }
  ASSERT_FALSE(seen.empty());
  EXPECT_GE(*seen.begin(), 1);
  EXPECT_LE(*seen.rbegin(), 3);
}

// MQTT-3.1.2-27
TEST_F(ServerConnectTest, WithoutAMaximumThereAreNoAliases) {
  for (const char* properties : {"", "22 0000"}) {
    auto client = Accepted(ConnectText("me", properties));
    Listen(*client, "a/rather/long/topic");
    for (int i = 0; i < 5; ++i) {
      Say(*client, "30 ( <a/rather/long/topic> () )");
      Hear(*client, "30 ( <a/rather/long/topic> () )");
    }
  }
}

// MQTT-3.1.2-28
TEST_F(ServerConnectTest, ResponseInformationGoesToThoseWhoAskOnly) {
  for (const auto& [properties, wanted] : {std::pair("", false), std::pair("19 00", false), std::pair("19 01", true)}) {
    auto client = NewClient();
    Say(*client, ConnectText("me", properties));
    EXPECT_EQ(client->Next<mqtt::ConnAck>().properties.Has(mqtt::PropertyId::kResponseInformation), wanted);
  }
}

// MQTT-3.1.2-29
TEST_F(ServerConnectTest, WithoutProblemInformationOnlyThreePacketsExplainThemselves) {
  options_.maximum_subscriptions = 0;
  auto client = Accepted(ConnectText("me", "17 00"));
  Say(*client, "82 ( 0001 () <t> 00 )");
  Hear(*client, "90 ( 0001 () 97 )");
  Say(*client, "32 ( <t> 0001 () )");
  Hear(*client, "40 ( 0001 10 )");
  Say(*client, "62 ( 0001 )");
  Hear(*client, "70 ( 0001 92 )");
}

// MQTT-3.1.3-2
TEST_F(ServerConnectTest, EachClientIdHasASessionOfItsOwn) {
  auto one = Fresh("one");
  Listen(*one, "t", "01");
  auto other = Fresh("One");  // Compared byte by byte.
  Lose(one);
  Lose(other);
  Say(*Client("publisher"), "32 ( <t> 0001 () 'x' )");
  other = Resumed("One");
  HearNothing(*other);
  one = Resumed("one");
  Hear(*one, "32 ( <t> 0001 () 'x' )");
}

// MQTT-3.1.3-5
TEST_F(ServerConnectTest, TakesEveryClientIdOf23LettersAndDigits) {
  const std::string letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (std::size_t from = 0; from < letters.size(); ++from) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{23}}) Client(letters.substr(from, size));
  }
}

// MQTT-3.1.3-6, MQTT-3.1.3-7, MQTT-3.2.2-16
TEST_F(ServerConnectTest, AnAssignedClientIdIsUniqueAndKeepsASession) {
  std::set<std::string> ids;
  for (int i = 0; i < 20; ++i) {
    auto client = NewClient();
    Say(*client, LastingText(""));
    const auto ack = client->Next<mqtt::ConnAck>();
    ids.emplace(ack.properties.Get(property::kAssignedClientIdentifier).value());
  }
  ASSERT_EQ(ids.size(), 20u);
  Resumed(*ids.begin());
}

// MQTT-3.1.3-10
TEST_F(ServerConnectTest, TheWillsUserPropertiesKeepTheirOrder) {
  auto witness = Witness();
  auto mortal = Accepted(WillText("06", "26 <b> <1> 26 <a> <2> 26 <b> <1>"));
  Lose(mortal);
  Hear(*witness, "30 ( <will> ( 26 <b> <1> 26 <a> <2> 26 <b> <1> ) 'gone' )");
}

// MQTT-3.1.4-1
TEST_F(ServerConnectTest, ClosesOnAConnectThatIsCutShortOrTooLong) {
  const std::string whole = Bytes("( <MQTT> 05 02 0000 ( 11 00000E10 ) <me> )");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    if (size == whole.size() - 1) continue;  // The whole body.
    auto client = NewClient();
    std::string bytes = "\x10";
    bytes += static_cast<char>(size);
    client->SendBytes(bytes + whole.substr(1, size));
    Settle();
    EXPECT_TRUE(client->closed()) << size;
  }
  ExpectConnectRefused("10 ( <MQTT> 05 02 0000 ( 11 00000E10 ) <me> 00 )", ReasonCode::kMalformedPacket);
}

// MQTT-3.1.4-2
TEST_F(ServerConnectTest, ClosesOnAConnectThatFailsItsChecks) {
  options_.maximum_connections = 1;
  ExpectConnectRefused(ConnectText("me", "15 <unknown>"), ReasonCode::kBadAuthenticationMethod);
  auto first = Client("first");
  ExpectConnectRefused(ConnectText("second"), ReasonCode::kQuotaExceeded);
}

// MQTT-3.1.4-3
TEST_F(ServerConnectTest, TheOlderConnectionOfAClientIdIsTaken) {
  auto older = Client("me");
  auto newer = Client("me");
  const auto told = older->Next<mqtt::Disconnect>();
  EXPECT_EQ(told.reason_code, ReasonCode::kSessionTakenOver);
  EXPECT_TRUE(older->closed());
  EXPECT_FALSE(newer->closed());
}

// MQTT-3.1.4-5, MQTT-3.2.2-1
TEST_F(ServerConnectTest, AcceptsWithReasonCodeZeroAndReservedFlagsZero) {
  for (const bool present : {false, true}) {
    auto client = NewClient();
    Say(*client, LastingText("me"));
    const std::string bytes = client->NextRaw()->bytes;
    EXPECT_EQ(Hex(bytes.substr(0, 1)), "20");
    EXPECT_EQ(Hex(bytes.substr(2, 2)), present ? "01 00" : "00 00");
  }
}

// MQTT-3.2.0-1
TEST_F(ServerConnectTest, ConnAckComesBeforeEverythingThatWaits) {
  auto client = Fresh("me");
  Listen(*client, "t", "02");
  Lose(client);
  auto publisher = Client("publisher");
  Say(*publisher, "32 ( <t> 0001 () 'x' ) 34 ( <t> 0002 () 'y' )");
  client = NewClient();
  client->SendBytes(Bytes(LastingText("me") + " C0 ( )"));  // Not waiting for the answer.
  Settle();
  EXPECT_TRUE(client->Next<mqtt::ConnAck>().session_present);
  EXPECT_EQ(client->waiting(), 3u);
}

// MQTT-3.2.0-2
TEST_F(ServerConnectTest, ASecondConnectGetsNoSecondConnAck) {
  auto client = Client("me");
  Say(*client, ConnectText("me"));
  ExpectDisconnected(*client, ReasonCode::kProtocolError);
}

// MQTT-3.2.2-6, MQTT-3.2.2-7
TEST_F(ServerConnectTest, ARefusalSaysNoSessionPresentAndCloses) {
  auto client = Fresh("me");
  Lose(client);
  ExpectConnectRefused(LastingText("me", "15 <unknown>"), ReasonCode::kBadAuthenticationMethod);
  Resumed("me");  // It is still there.
}

// MQTT-3.2.2-9, MQTT-3.2.2-10
TEST_F(ServerConnectTest, AServerWithoutQoS2SaysSoAndStillTakesSubscriptionsThatAskForIt) {
  options_.maximum_qos = mqtt::QoS::kAtMostOnce;
  auto client = NewClient();
  Say(*client, ConnectText("me"));
  EXPECT_EQ(client->Next<mqtt::ConnAck>().properties.Get(property::kMaximumQoS), 0);
  Say(*client, "82 ( 0001 () <a> 00 <b> 01 <c> 02 )");
  Hear(*client, "90 ( 0001 () 00 00 00 )");
}

// MQTT-3.2.2-19, MQTT-3.2.2-20
TEST_F(ServerConnectTest, ConnAckLeavesItsReasonOutForASmallClient) {
  auto client = NewClient();
  Say(*client, ConnectText("me", "27 00000008 15 <unknown>"));
  Hear(*client, "20 ( 00 8C () )");
  EXPECT_TRUE(client->closed());
}

}  // namespace
}  // namespace mqttrpc::test
