// The bytes the client sends, and what it makes of bytes that break the rules for all packets.
#include <string>

#include "client_fixture.h"
#include "support/wire_text.h"

namespace mqttrpc::mqtt {
namespace {

using test::Bytes;
using test::Hex;

// --- Sent -------------------------------------------------------------------------

class ClientSendsTest : public ClientTest {
 protected:
  std::string Next() { return Hex(peer_->ExpectBytes()); }
  static std::string Text(std::string_view text) { return Hex(Bytes(text)); }
  std::string ConnectBytes() {
    MakeClient();
    client_->Start();
    Run();
    peer_ = connector_.Accept();
    return Next();
  }
  std::optional<CodeOr> result_;
};

// MQTT-3.1.0-1, MQTT-3.1.2-1, MQTT-3.1.3-3, MQTT-3.1.2-11, MQTT-3.1.2-13, MQTT-3.1.2-16, MQTT-3.1.2-18
TEST_F(ClientSendsTest, ConnectFirstAndWithoutFieldsThatWereNotGiven) {
  options_.topic_alias_maximum = 0;
  MakeClient();
  client_->Publish(Message("t", "x"), Into(result_));
  client_->Start();
  Run();
  peer_ = connector_.Accept();
  EXPECT_EQ(Next(), Text("10 <MQTT> 05 02 003c ( 21 0400 27 00100000 ) <c>"));
  EXPECT_EQ(peer_->Names(), "");
}

// MQTT-3.1.3-1, MQTT-3.1.2-9, MQTT-3.1.2-17, MQTT-3.1.2-19, MQTT-2.2.2-1
TEST_F(ClientSendsTest, ConnectWithAllItsFieldsInOrder) {
  options_.topic_alias_maximum = 0;
  options_.will = Message("w", "bye");
  options_.user_name = "u";
  options_.password = "p";
  EXPECT_EQ(ConnectBytes(), Text("10 <MQTT> 05 ce 003c ( 21 0400 27 00100000 ) <c> () <w> <bye> <u> <p>"));
}

// MQTT-1.5.4-1, MQTT-1.5.4-2, MQTT-3.1.3-4, MQTT-3.1.3-11, MQTT-3.1.3-12
TEST_F(ClientSendsTest, NoConnectWithIllFormedText) {
  const auto refused = [this](auto change) {
    ClientOptions options = options_;
    change(options);
    Client client(io_.get_executor(), options);
    client.Start();
    Run();
    return client.state().why;
  };
  const auto invalid = StatusIs(absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(refused([](ClientOptions& o) { o.client_id = "\xED\xA0\x80"; }), invalid);
  EXPECT_THAT(refused([](ClientOptions& o) { o.client_id = std::string("a\0b", 3); }), invalid);
  EXPECT_THAT(refused([](ClientOptions& o) { o.user_name = "\xFF"; }), invalid);
  EXPECT_THAT(refused([](ClientOptions& o) { o.will = Message("w\xFF", ""); }), invalid);
  EXPECT_EQ(connector_.dialled(), 0);
}

// MQTT-2.1.3-1, MQTT-2.2.1-2, MQTT-2.2.2-1, MQTT-3.3.1-2, MQTT-3.3.2-1, MQTT-4.3.1-1
TEST_F(ClientSendsTest, PublishWithQoS0HasNoDupAndNoIdAndAnEmptyPropertySet) {
  StartConnected();
  client_->Publish(Message("a/b", "hi", QoS::kAtMostOnce), Into(result_));
  Run();
  EXPECT_EQ(Next(), Text("30 <a/b> () 'hi'"));
}

// MQTT-4.3.2-1, MQTT-4.3.2-2, MQTT-4.3.3-1, MQTT-4.3.3-2, MQTT-3.3.1-4, MQTT-2.2.1-3
TEST_F(ClientSendsTest, EachNewMessageAndRequestHasAnIdOfItsOwn) {
  StartConnected();
  client_->Publish(Message("t", "", QoS::kAtLeastOnce), [](const CodeOr&) {});
  Run();
  client_->Publish(Message("t", "", QoS::kExactlyOnce), [](const CodeOr&) {});
  Run();
  client_->Subscribe(Subscription("a/+"), [](const MessageView&) {}, Into(result_));
  Run();
  client_->Unsubscribe("b", [](const CodeOr&) {});
  Run();
  EXPECT_EQ(Next(), Text("32 <t> 0001 ()"));
  EXPECT_EQ(Next(), Text("34 <t> 0002 ()"));
  EXPECT_EQ(Next(), Text("82 0003 ( 0b 01 ) <a/+> 01"));
  EXPECT_EQ(Next(), Text("a2 0004 () <b>"));
}

// MQTT-2.1.3-1, MQTT-3.8.1-1, MQTT-3.8.3-2, MQTT-3.10.1-1, MQTT-3.10.3-2
TEST_F(ClientSendsTest, SubscribeAndUnsubscribeHaveTheirFlagsAndOneFilter) {
  StartConnected();
  client_->Subscribe(Subscription("a", QoS::kExactlyOnce), [](const MessageView&) {}, Into(result_));
  Run();
  client_->Unsubscribe("a", [](const CodeOr&) {});
  Run();
  EXPECT_EQ(Next(), Text("82 0001 ( 0b 01 ) <a> 02"));
  EXPECT_EQ(Next(), Text("a2 0002 () <a>"));
}

// MQTT-2.1.3-1, MQTT-3.6.1-1, MQTT-3.4.2-2, MQTT-3.4.2-3, MQTT-3.5.2-2, MQTT-3.5.2-3, MQTT-3.6.2-2, MQTT-3.6.2-3
// MQTT-3.7.2-2, MQTT-3.7.2-3, MQTT-2.2.1-5
TEST_F(ClientSendsTest, AnswersAreShortWithoutReasonStringsAndUserProperties) {
  StartConnected();
  client_->Publish(Message("t", "", QoS::kExactlyOnce), Into(result_));
  Run();
  peer_->Expect<Publish>();
  Respond<PubRec>(1);
  SendMessage("a", "", 0x102);
  SendMessage("a", "", 0x103, QoS::kExactlyOnce);
  Respond<PubRel>(0x103);
  Respond<PubRel>(0x104);
  EXPECT_EQ(Next(), Text("62 0001"));
  EXPECT_EQ(Next(), Text("40 0102"));
  EXPECT_EQ(Next(), Text("50 0103"));
  EXPECT_EQ(Next(), Text("70 0103"));
  EXPECT_EQ(Next(), Text("70 0104 92"));
}

// MQTT-3.3.1-3
TEST_F(ClientSendsTest, AMessagePassedOnIsNoRetransmission) {
  StartConnected();
  SubscribeTo("a", [this](const MessageView& message) {
    EXPECT_TRUE(message.dup);
    Message on = message.ToMessage();
    on.properties.Remove(PropertyId::kSubscriptionIdentifier);
    client_->Publish(std::move(on), [](const CodeOr&) {});
  });
  SendMessage("a", "x", 7, QoS::kAtLeastOnce, true, 1);
  peer_->Expect<PubAck>();
  const Publish& publish = peer_->Expect<Publish>();
  EXPECT_FALSE(publish.dup);
  EXPECT_TRUE(publish.properties.empty());
}

// MQTT-1.5.7-1, MQTT-3.3.2-13, MQTT-3.3.2-14, MQTT-3.3.2-19, MQTT-3.3.2-2, MQTT-3.3.4-6
// MQTT-4.7.0-1, MQTT-4.7.3-1, MQTT-4.7.3-2, MQTT-4.7.3-3
TEST_F(ClientSendsTest, NoPublishWithForbiddenTextAnywhere) {
  StartConnected();
  const auto refused = [this](auto change) {
    Message message("t", "x");
    change(message);
    std::optional<CodeOr> result;
    client_->Publish(message, Into(result));
    Run();
    return result.has_value() && result->status().code() == absl::StatusCode::kInvalidArgument;
  };
  const std::string nul("a\0b", 3);
  EXPECT_TRUE(refused([](Message& m) { m.topic_name = ""; }));
  EXPECT_TRUE(refused([](Message& m) { m.topic_name = "a/+"; }));
  EXPECT_TRUE(refused([](Message& m) { m.topic_name = "#"; }));
  EXPECT_TRUE(refused([&](Message& m) { m.topic_name = nul; }));
  EXPECT_TRUE(refused([](Message& m) { m.topic_name = std::string(65'536, 'a'); }));
  EXPECT_TRUE(refused([](Message& m) { m.properties.Set(property::kResponseTopic, "r/+"); }));
  EXPECT_TRUE(refused([](Message& m) { m.properties.Set(property::kResponseTopic, "\xFF"); }));
  EXPECT_TRUE(refused([](Message& m) { m.properties.Set(property::kContentType, "\xFF"); }));
  EXPECT_TRUE(refused([](Message& m) { m.properties.Add(property::kUserProperty, {"\xFF", "v"}); }));
  EXPECT_TRUE(refused([&](Message& m) { m.properties.Add(property::kUserProperty, {"k", nul}); }));
  EXPECT_TRUE(refused([](Message& m) { m.properties.Add(property::kSubscriptionIdentifier, 1); }));
  EXPECT_EQ(peer_->Names(), "");
}

// MQTT-3.8.3-1, MQTT-3.10.3-1, MQTT-3.8.3-4, MQTT-4.7.1-1, MQTT-4.7.1-2, MQTT-4.7.3-1, MQTT-4.7.3-2, MQTT-4.7.3-3
// MQTT-4.8.2-1, MQTT-4.8.2-2
TEST_F(ClientSendsTest, NoRequestWithAFilterAgainstTheRules) {
  StartConnected();
  const std::string filters[] = {"",
                                 "a#",
                                 "a/#/b",
                                 "a+",
                                 "a/+b",
                                 "$share/",
                                 "$share/g",
                                 "$share//a",
                                 "$share/g+/a",
                                 "$share/g#/a",
                                 "$share/g/",
                                 "\xFF",
                                 std::string("a\0b", 3),
                                 std::string(65'536, 'a')};
  for (const std::string& filter : filters) {
    std::optional<CodeOr> subscribed, unsubscribed;
    client_->Subscribe(Subscription(filter), [](const MessageView&) {}, Into(subscribed));
    client_->Unsubscribe(filter, Into(unsubscribed));
    Run();
    EXPECT_THAT(*subscribed, StatusIs(absl::StatusCode::kInvalidArgument)) << filter.substr(0, 20);
    EXPECT_THAT(*unsubscribed, StatusIs(absl::StatusCode::kInvalidArgument)) << filter.substr(0, 20);
  }
  Subscription no_local("$share/g/a");
  no_local.no_local = true;
  client_->Subscribe(no_local, [](const MessageView&) {}, Into(result_));
  Run();
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(peer_->Names(), "");
}

// MQTT-1.5.5-1
TEST_F(ClientSendsTest, LengthsInTheirShortestForm) {
  StartConnected();
  const std::size_t before = peer_->bytes_received();
  client_->Publish(Message("t", std::string(123, 'x'), QoS::kAtMostOnce), Into(result_));  // 127 bytes follow.
  Run();
  EXPECT_EQ(peer_->bytes_received() - before, 2u + 127u);
}

// --- Received -----------------------------------------------------------------------

class ClientReadsTest : public ClientTest {
 protected:
  // What the client says to `bytes`, the text form of which is test::Bytes'.
  ReasonCode AnswerTo(std::string_view bytes) {
    if (client_ == nullptr) {
      StartConnected();
    } else {
      WaitForNextTry();
      AcceptConnect();
      SendConnAck();
    }
    peer_->SendBytes(Bytes(bytes));
    Run();
    EXPECT_TRUE(peer_->closed().has_value()) << bytes;
    return peer_->Expect<Disconnect>().reason_code;
  }
};

// MQTT-1.5.4-1, MQTT-1.5.4-2, MQTT-1.5.7-1, MQTT-3.3.2-1, MQTT-3.3.2-13, MQTT-3.3.2-19
TEST_F(ClientReadsTest, IllFormedTextIsMalformed) {
  EXPECT_EQ(AnswerTo("30 ( 0003 ed a0 80 () )"), ReasonCode::kMalformedPacket);
  EXPECT_EQ(AnswerTo("30 ( 0003 61 00 62 () )"), ReasonCode::kMalformedPacket);
  EXPECT_EQ(AnswerTo("30 ( <t> ( 26 0001 ff <v> ) )"), ReasonCode::kMalformedPacket);
  EXPECT_EQ(AnswerTo("30 ( <t> ( 26 <k> 0001 00 ) )"), ReasonCode::kMalformedPacket);
  EXPECT_EQ(AnswerTo("30 ( <t> ( 08 0001 ff ) )"), ReasonCode::kMalformedPacket);
  EXPECT_EQ(AnswerTo("30 ( <t> ( 03 0001 ff ) )"), ReasonCode::kMalformedPacket);
}

// MQTT-1.5.4-3
TEST_F(ClientReadsTest, AByteOrderMarkIsKept) {
  StartConnected();
  SubscribeTo("#");
  peer_->SendBytes(Bytes("30 ( 0004 ef bb bf 61 () )"));
  Run();
  EXPECT_THAT(messages_, testing::ElementsAre("\xEF\xBB\xBF"
                                              "a="));
}

// MQTT-1.5.5-1
TEST_F(ClientReadsTest, ALengthThatIsLongerThanItMustIsMalformed) {
  EXPECT_EQ(AnswerTo("30 84 00 <t> ( ) "), ReasonCode::kMalformedPacket);
}

// MQTT-2.1.3-1, MQTT-3.6.1-1, MQTT-3.15.1-1, MQTT-3.14.1-1, MQTT-3.3.1-4, MQTT-3.3.1-2
TEST_F(ClientReadsTest, WrongFlagsAreMalformed) {
  EXPECT_EQ(AnswerTo("41 ( 0001 )"), ReasonCode::kMalformedPacket);
  EXPECT_EQ(AnswerTo("60 ( 0001 )"), ReasonCode::kMalformedPacket);
  EXPECT_EQ(AnswerTo("f1 ( )"), ReasonCode::kMalformedPacket);
  EXPECT_EQ(AnswerTo("e1 ( )"), ReasonCode::kMalformedPacket);
  EXPECT_EQ(AnswerTo("36 ( <t> 0001 () )"), ReasonCode::kMalformedPacket);
  EXPECT_EQ(AnswerTo("38 ( <t> () )"), ReasonCode::kMalformedPacket);
}

// MQTT-3.3.2-2, MQTT-4.7.0-1, MQTT-3.3.2-8
TEST_F(ClientReadsTest, WildcardsInATopicNameAndAliasZeroAreErrors) {
  EXPECT_EQ(AnswerTo("30 ( <a/+> () )"), ReasonCode::kTopicNameInvalid);
  EXPECT_EQ(AnswerTo("30 ( <a> ( 23 0000 ) )"), ReasonCode::kTopicAliasInvalid);
}

// MQTT-3.4.2-1, MQTT-3.5.2-1, MQTT-3.6.2-1, MQTT-3.7.2-1, MQTT-3.15.2-1, MQTT-3.14.2-1
TEST_F(ClientReadsTest, AReasonCodeThePacketDoesNotKnowIsAnError) {
  for (const char* bytes :
       {"40 ( 0001 8e )", "50 ( 0001 8e )", "62 ( 0001 8e )", "70 ( 0001 8e )", "f0 ( 8e ( 15 <m> ) )", "e0 ( 01 )"}) {
    EXPECT_TRUE(IsError(AnswerTo(bytes))) << bytes;
  }
}

}  // namespace
}  // namespace mqttrpc::mqtt
