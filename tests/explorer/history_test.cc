// The checks themselves, on histories made by hand: what they must find, and what
// they must let pass.
#include "history.h"

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mqttrpc::explorer {
namespace {

using mqtt::QoS;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using Kind = Event::Kind;

constexpr int kPublisher = 0;
constexpr int kSubscriber = 1;
constexpr int kWitness = 2;

// One publisher, one subscriber whose session is kept for 30 s, one witness.
class HistoryTest : public ::testing::Test {
 protected:
  HistoryTest() {
    for (const char* name : {"pub", "sub", "witness"}) {
      history_.clients.emplace_back();
      history_.clients.back().name = name;
    }
    history_.clients[kSubscriber].session_expiry = 30;
    history_.clients[kSubscriber].will_delay = 5;
    history_.witness = kWitness;
    Connect(kPublisher, 1);
    Connect(kSubscriber, 2, true);
  }

  Event& Add(Kind kind, int client = -1) {
    Event& event = history_.events.emplace_back(kind, client);
    event.time = now_;
    return event;
  }
  void Connect(int client, std::uint64_t connection, bool clean_start = false, bool session_present = false) {
    Event& connect = Add(Kind::kConnect, client);
    connect.connection = connection;
    connect.clean_start = clean_start;
    Event& connected = Add(Kind::kConnected, client);
    connected.connection = connection;
    connected.session_present = session_present;
  }
  void Disconnect(int client, std::uint64_t connection) { Add(Kind::kDisconnected, client).connection = connection; }
  void Subscribe(const std::string& topic_filter, QoS qos, std::uint64_t connection = 2) {
    for (const Kind kind : {Kind::kSubscribe, Kind::kSubscribed}) {
      Event& event = Add(kind, kSubscriber);
      event.connection = connection;
      event.packet_id = 7;
      event.text = topic_filter;
      event.qos = qos;
    }
  }
  int Publish(QoS qos, std::optional<std::uint32_t> expiry = std::nullopt, bool good = true) {
    MessagePlan plan;
    plan.topic = "t";
    plan.qos = qos;
    plan.expiry = expiry;
    return Publish(plan, good);
  }
  int Publish(const MessagePlan& plan, bool good = true) {
    const int number = static_cast<int>(history_.messages.size());
    history_.messages.push_back(plan);
    Add(Kind::kPublish, kPublisher).message = number;
    Add(Kind::kSending, kPublisher).message = number;
    Event& published = Add(Kind::kPublished, kPublisher);
    published.message = number;
    published.good = good;
    return number;
  }
  void Deliver(int message, QoS qos, bool retain = false) {
    Event& event = Add(Kind::kDelivered, kSubscriber);
    event.message = message;
    event.text = history_.messages[message].topic;
    event.qos = qos;
    event.retain = retain;
  }
  void Send(int message, std::optional<std::uint32_t> left) {
    Event& event = Add(Kind::kSent, kSubscriber);
    event.message = message;
    event.qos = history_.messages[message].qos;
    event.seconds = left;
  }
  void Will() {
    Event& event = Add(Kind::kDelivered, kWitness);
    event.text = "w/sub";
  }
  void Quiet() { Add(Kind::kQuiet).healthy = 0b111; }
  void Wait(seconds time) { now_ += time; }

  History history_;
  mqtt::Duration now_{};
};

TEST_F(HistoryTest, NothingIsWrongWithAPlainRun) {
  Subscribe("t", QoS::kExactlyOnce);
  for (const QoS qos : {QoS::kAtMostOnce, QoS::kAtLeastOnce, QoS::kExactlyOnce}) Deliver(Publish(qos), qos);
  Quiet();
  EXPECT_THAT(Check(history_), IsEmpty());
}

TEST_F(HistoryTest, FindsWhatWasLost) {
  Subscribe("t", QoS::kAtLeastOnce);
  Publish(QoS::kAtLeastOnce);
  Quiet();
  EXPECT_THAT(Check(history_), ElementsAre(StartsWith("lost: m0")));
}

TEST_F(HistoryTest, MayLoseWhatWasNotAcknowledgedOrNotSubscribed) {
  Publish(QoS::kAtLeastOnce);  // Before the subscription.
  Subscribe("t", QoS::kAtLeastOnce);
  Publish(QoS::kAtLeastOnce, std::nullopt, false);
  Publish(QoS::kAtMostOnce);
  Quiet();
  EXPECT_THAT(Check(history_), IsEmpty());
}

TEST_F(HistoryTest, MayLoseWhatWaitsForASessionThatEnds) {
  Subscribe("t", QoS::kAtLeastOnce);
  Disconnect(kSubscriber, 2);
  Publish(QoS::kAtLeastOnce);
  Wait(seconds(5));
  Will();
  Wait(seconds(26));
  Connect(kSubscriber, 3);
  Quiet();
  EXPECT_THAT(Check(history_), IsEmpty());
}

TEST_F(HistoryTest, MayNotLoseWhatWaitsForASessionThatIsKept) {
  Subscribe("t", QoS::kAtLeastOnce);
  Disconnect(kSubscriber, 2);
  Publish(QoS::kAtLeastOnce);
  Wait(seconds(3));
  Connect(kSubscriber, 3, false, true);
  Quiet();
  EXPECT_THAT(Check(history_), ElementsAre(StartsWith("lost: m0")));
}

TEST_F(HistoryTest, MayLoseWhatExpired) {
  Subscribe("t", QoS::kAtLeastOnce);
  Disconnect(kSubscriber, 2);
  Publish(QoS::kAtLeastOnce, 2);
  Wait(seconds(3));
  Connect(kSubscriber, 3, false, true);
  Quiet();
  EXPECT_THAT(Check(history_), IsEmpty());
}

TEST_F(HistoryTest, FindsWhatCameTwice) {
  Subscribe("t", QoS::kExactlyOnce);
  for (const QoS qos : {QoS::kAtMostOnce, QoS::kAtLeastOnce, QoS::kExactlyOnce}) {
    const int message = Publish(qos);
    Deliver(message, qos);
    Deliver(message, qos);
  }
  EXPECT_THAT(Check(history_), ElementsAre(StartsWith("twice: m0"), StartsWith("twice: m1"), StartsWith("twice: m2")));
}

TEST_F(HistoryTest, ALostConnectionExplainsQoS1TwiceButNotQoS2) {
  Subscribe("t", QoS::kExactlyOnce);
  const int once = Publish(QoS::kAtLeastOnce);
  const int never = Publish(QoS::kExactlyOnce);
  Deliver(once, QoS::kAtLeastOnce);
  Deliver(never, QoS::kExactlyOnce);
  Disconnect(kSubscriber, 2);
  Connect(kSubscriber, 3, false, true);
  Deliver(once, QoS::kAtLeastOnce);
  Deliver(never, QoS::kExactlyOnce);
  EXPECT_THAT(Check(history_), ElementsAre(StartsWith("twice: m1")));
}

TEST_F(HistoryTest, FindsAnotherOrderOfTheSameQoSOnly) {
  Subscribe("t", QoS::kExactlyOnce);
  const int first = Publish(QoS::kAtLeastOnce);
  const int other = Publish(QoS::kExactlyOnce);
  const int second = Publish(QoS::kAtLeastOnce);
  Deliver(second, QoS::kAtLeastOnce);
  Deliver(other, QoS::kExactlyOnce);
  Deliver(first, QoS::kAtLeastOnce);
  EXPECT_THAT(Check(history_), ElementsAre(StartsWith("order: m0")));
}

TEST_F(HistoryTest, FindsWhatNobodyAskedFor) {
  Deliver(Publish(QoS::kAtLeastOnce), QoS::kAtLeastOnce);
  EXPECT_THAT(Check(history_), ElementsAre(StartsWith("unexpected: m0")));
}

TEST_F(HistoryTest, FindsAnotherQoSThanGranted) {
  Subscribe("t", QoS::kAtLeastOnce);
  Deliver(Publish(QoS::kExactlyOnce), QoS::kExactlyOnce);
  EXPECT_THAT(Check(history_), ElementsAre(StartsWith("unexpected: m0")));
}

TEST_F(HistoryTest, FindsWhatWasSentTooLateOrWithTooMuchTime) {
  Subscribe("t", QoS::kAtLeastOnce);
  Disconnect(kSubscriber, 2);
  const int late = Publish(QoS::kAtLeastOnce, 2);
  const int generous = Publish(QoS::kAtLeastOnce, 20);
  const int right = Publish(QoS::kAtLeastOnce, 20);
  Wait(seconds(3));
  Connect(kSubscriber, 3, false, true);
  Send(late, 0);
  Send(generous, 18);
  Send(right, 17);
  EXPECT_THAT(Check(history_), ElementsAre(StartsWith("expired: m0"), StartsWith("expired: m1")));
}

TEST_F(HistoryTest, FindsASessionThatIsGoneTooEarlyOrThereTooLong) {
  Disconnect(kSubscriber, 2);
  Wait(seconds(3));
  Connect(kSubscriber, 3, false, false);  // Too early.
  Disconnect(kSubscriber, 3);
  Wait(seconds(31));
  Will();
  Connect(kSubscriber, 4, false, true);  // Too late.
  EXPECT_THAT(Check(history_), ElementsAre(StartsWith("session: that of sub at 3.000s is gone"),
                                           StartsWith("session: that of sub at 34.000s is there"), StartsWith("will:"),
                                           StartsWith("will:")));
}

TEST_F(HistoryTest, TakesTheWillAtItsTime) {
  Disconnect(kSubscriber, 2);
  Wait(seconds(5));
  Will();
  Wait(seconds(10));
  Quiet();
  EXPECT_THAT(Check(history_), IsEmpty());
}

TEST_F(HistoryTest, FindsAWillThatIsMissing) {
  Disconnect(kSubscriber, 2);
  Wait(seconds(15));
  Quiet();
  EXPECT_THAT(Check(history_), ElementsAre(StartsWith("will: that of sub was due and did not come at 5.000s")));
}

TEST_F(HistoryTest, FindsAWillOfSomeoneWhoCameBackOrSaidGoodbye) {
  Disconnect(kSubscriber, 2);
  Wait(seconds(3));
  Connect(kSubscriber, 3, false, true);
  Wait(seconds(2));
  Will();
  Event& goodbye = Add(Kind::kGoodbye, kSubscriber);
  goodbye.connection = 3;
  goodbye.good = true;
  Disconnect(kSubscriber, 3);
  Wait(seconds(5));
  Will();
  EXPECT_THAT(Check(history_), ElementsAre(StartsWith("will: that of sub came though it was not due at 5.000s"),
                                           StartsWith("will: that of sub came though it was not due at 10.000s")));
}

// The last message to a topic with RETAIN, as a probe finds it.
class RetainedHistoryTest : public HistoryTest {
 protected:
  RetainedHistoryTest() { history_.probe = kSubscriber; }

  int Retain(bool empty = false) {
    MessagePlan plan;
    plan.topic = "t";
    plan.qos = QoS::kAtLeastOnce;
    plan.retain = true;
    plan.empty = empty;
    return Publish(plan);
  }
};

TEST_F(RetainedHistoryTest, TheLastOneIsThere) {
  Retain();
  const int last = Retain();
  Subscribe("t", QoS::kAtLeastOnce);
  Deliver(last, QoS::kAtLeastOnce, true);
  EXPECT_THAT(Check(history_), IsEmpty());
}

TEST_F(RetainedHistoryTest, FindsNone) {
  Retain();
  Subscribe("t", QoS::kAtLeastOnce);
  EXPECT_THAT(Check(history_), ElementsAre(StartsWith("retained: for t the broker has nothing, not m0")));
}

TEST_F(RetainedHistoryTest, FindsAnOldOne) {
  const int old = Retain();
  Retain();
  Subscribe("t", QoS::kAtLeastOnce);
  Deliver(old, QoS::kAtLeastOnce, true);
  EXPECT_THAT(Check(history_), ElementsAre(StartsWith("retained: sub got m0"), StartsWith("retained: for t")));
}

TEST_F(RetainedHistoryTest, FindsOneThatWasCleared) {
  const int old = Retain();
  Retain(true);
  Subscribe("t", QoS::kAtLeastOnce);
  Deliver(old, QoS::kAtLeastOnce, true);
  EXPECT_THAT(Check(history_), ElementsAre(StartsWith("retained: sub got m0"), StartsWith("retained: for t")));
}

}  // namespace
}  // namespace mqttrpc::explorer
