// Turns, a frame each, within what the broker takes.
#include "frame_pacer.h"

#include <deque>
#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace mqttrpc {
namespace {

class FramePacerTest : public testing::Test, public FramePacerShell {
 protected:
  void SendFragment(CallFlow& flow) override {
    const FragmentOut fragment = flow.sending().Take();
    sent_ += NameOf(flow);
    sizes_.push_back(fragment.size);
    if (acknowledges_at_once_) AcknowledgeOne();
  }
  void AcknowledgeOne() {
    const std::size_t size = sizes_.front();
    sizes_.pop_front();
    pacer_.Sent(size);
  }

  // A responder's side: it may send at once.
  CallFlow& NewFlow(std::size_t room = 100, bool caller = false) {
    FlowOptions options;
    options.caller = caller;
    flows_.push_back(std::make_unique<CallFlow>(options, mqtt::TimePoint{}));
    flows_.back()->sending().set_room(room);
    flows_.back()->sending().Grant(1'000'000);
    return *flows_.back();
  }
  void Write(CallFlow& flow, int count, std::size_t bytes = 1) {
    for (int i = 0; i < count; ++i) flow.sending().Write(std::string(bytes, 'x'));
    pacer_.Wake(flow);
  }
  char NameOf(const CallFlow& flow) const {
    for (std::size_t i = 0; i < flows_.size(); ++i) {
      if (flows_[i].get() == &flow) return static_cast<char>('a' + i);
    }
    return '?';
  }
  void TearDown() override {
    for (const auto& flow : flows_) FramePacer::Forget(*flow);
  }

  std::deque<std::unique_ptr<CallFlow>> flows_;
  std::string sent_;
  std::deque<std::size_t> sizes_;  // Not acknowledged.
  bool acknowledges_at_once_ = false;
  FramePacer pacer_{*this};
};

TEST_F(FramePacerTest, NothingGoesWithoutAConnection) {
  CallFlow& a = NewFlow();
  Write(a, 3);
  EXPECT_EQ(sent_, "");
  pacer_.Connected(100);
  EXPECT_EQ(sent_, "aaa");
  pacer_.Disconnected();
  Write(a, 1);
  EXPECT_EQ(sent_, "aaa");
  pacer_.Connected(100);
  EXPECT_EQ(sent_, "aaaa");
}

TEST_F(FramePacerTest, CallsTakeTurns) {
  CallFlow& a = NewFlow();
  CallFlow& b = NewFlow();
  CallFlow& c = NewFlow();
  Write(a, 4);
  Write(b, 2);
  Write(c, 1);
  pacer_.Connected(100);
  EXPECT_EQ(sent_, "abcabaa");
}

TEST_F(FramePacerTest, OneWithMuchToSayDoesNotHoldUpOneWithLittle) {
  CallFlow& a = NewFlow();
  CallFlow& b = NewFlow();
  pacer_.Connected(8);
  Write(a, 1'000);
  EXPECT_EQ(sent_, "aaaa");
  Write(b, 1);
  AcknowledgeOne();
  AcknowledgeOne();
  EXPECT_EQ(sent_, "aaaaab");
}

// The other half is for frames that steer, which it does not count, and for other calls.
TEST_F(FramePacerTest, HalfOfWhatTheBrokerTakesIsUnderWay) {
  CallFlow& a = NewFlow();
  pacer_.Connected(20);
  Write(a, 100);
  EXPECT_EQ(sent_.size(), 10u);
  AcknowledgeOne();
  EXPECT_EQ(sent_.size(), 11u);
}

TEST_F(FramePacerTest, ABrokerThatTakesOneAtATimeIsServedToo) {
  CallFlow& a = NewFlow();
  pacer_.Connected(1);
  Write(a, 3);
  EXPECT_EQ(sent_, "a");
  AcknowledgeOne();
  AcknowledgeOne();
  EXPECT_EQ(sent_, "aaa");
}

TEST_F(FramePacerTest, NoMoreThanSoManyFramesAreUnderWayWhateverTheBrokerTakes) {
  CallFlow& a = NewFlow();
  pacer_.Connected(65'535);
  Write(a, 2'000);
  EXPECT_EQ(sent_.size(), 512u);
}

TEST_F(FramePacerTest, AboutAMebibyteIsUnderWay) {
  CallFlow& a = NewFlow(200'000);
  a.sending().set_most_kept_bytes(20 * 200'000);
  pacer_.Connected(65'535);
  Write(a, 20, 200'000);
  EXPECT_EQ(sent_.size(), 6u);  // The last one passes it.
  AcknowledgeOne();
  EXPECT_EQ(sent_.size(), 7u);
}

TEST_F(FramePacerTest, OneLargeFrameGoesAlone) {
  CallFlow& a = NewFlow(3'000'000);
  CallFlow& b = NewFlow();
  pacer_.Connected(65'535);
  Write(a, 1, 3'000'000);
  Write(b, 1);
  EXPECT_EQ(sent_, "a");
  AcknowledgeOne();
  EXPECT_EQ(sent_, "ab");
}

TEST_F(FramePacerTest, AnAcknowledgementInsideTheSendingIsCounted) {
  acknowledges_at_once_ = true;
  CallFlow& a = NewFlow();
  pacer_.Connected(4);
  Write(a, 1'000);
  EXPECT_EQ(sent_.size(), 1'000u);
}

TEST_F(FramePacerTest, ACallerThatIsNotAcceptedWaits) {
  CallFlow& a = NewFlow(100, true);
  pacer_.Connected(100);
  Write(a, 2);
  EXPECT_EQ(sent_, "");
  a.Heard(mqtt::TimePoint{});
  pacer_.Wake(a);
  EXPECT_EQ(sent_, "aa");
}

TEST_F(FramePacerTest, OneThatIsForgottenSendsNothing) {
  CallFlow& a = NewFlow();
  CallFlow& b = NewFlow();
  pacer_.Connected(2);
  Write(a, 3);
  Write(b, 1);
  FramePacer::Forget(a);
  AcknowledgeOne();
  AcknowledgeOne();
  EXPECT_EQ(sent_, "ab");
}

TEST_F(FramePacerTest, OneWhoseFramesWereAcknowledgedMeanwhileIsPassedOver) {
  CallFlow& a = NewFlow();
  CallFlow& b = NewFlow();
  pacer_.Connected(2);
  Write(a, 2);
  AcknowledgeOne();
  a.sending().Rewind();  // Asked for again: both wait for their turn.
  pacer_.Wake(a);
  Write(b, 1);
  ASSERT_TRUE(a.sending().Acknowledge(2, 1'000'000).ok());
  AcknowledgeOne();
  EXPECT_EQ(sent_, "aab");
}

TEST_F(FramePacerTest, FramesOfALostConnectionAreAcknowledgedLate) {
  CallFlow& a = NewFlow();
  pacer_.Connected(4);
  Write(a, 5);
  pacer_.Disconnected();
  AcknowledgeOne();
  AcknowledgeOne();
  EXPECT_EQ(sent_, "aa");
  pacer_.Connected(2);  // A smaller broker.
  EXPECT_EQ(sent_, "aaa");
}

}  // namespace
}  // namespace mqttrpc
