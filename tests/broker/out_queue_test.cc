#include "out_queue.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mqttrpc::broker {
namespace {

using mqtt::QoS;
using std::chrono::seconds;
using Outcome = OutQueue::Outcome;

class OutQueueTest : public ::testing::Test {
 protected:
  ~OutQueueTest() override {
    queue_ = nullptr;
    EXPECT_EQ(budget_.used(), 0u);  // Every byte that was counted was given back.
  }

  OutQueue& queue() {
    if (queue_ == nullptr) queue_ = std::make_unique<OutQueue>(limits_, budget_, buffers_, counters_);
    return *queue_;
  }

  Delivery DeliveryOf(std::string_view payload, QoS qos = QoS::kAtMostOnce, std::uint32_t expiry = 0) {
    mqtt::Properties properties;
    if (expiry != 0) properties.Set(mqtt::property::kMessageExpiryInterval, expiry);
    mqtt::Publish publish;
    publish.payload = payload;
    publish.qos = qos;
    publish.properties = properties;
    return Delivery(SharedMessage::Copy(budget_, publish, "t", now_), qos);
  }

  // What one write would carry. Leaves it under way.
  std::string Collected() {
    queue().Collect(now_, gather_);
    std::string bytes;
    for (const auto& piece : gather_) bytes += mqtt::AsText(piece);
    return bytes;
  }
  std::string Written() {
    const std::string bytes = Collected();
    if (queue().writing()) queue().Written();
    return bytes;
  }

  // The payloads of small PUBLISH packets with the topic "t" and no properties.
  static std::vector<std::string> PayloadsIn(std::string_view bytes) {
    std::vector<std::string> payloads;
    while (!bytes.empty()) {
      const std::size_t size = 2 + static_cast<std::size_t>(bytes[1]);
      const std::size_t header = (bytes[0] & 0x06) != 0 ? 8 : 6;
      payloads.emplace_back(bytes.substr(header, size - header));
      bytes.remove_prefix(size);
    }
    return payloads;
  }

  OutQueue::Limits limits_{100, 100'000};
  MemoryBudget budget_{1'000'000};
  BufferPool buffers_;
  Counters counters_;
  mqtt::TimePoint now_{std::chrono::hours(1)};
  std::vector<std::span<const std::byte>> gather_;

 private:
  std::unique_ptr<OutQueue> queue_;
};

TEST_F(OutQueueTest, WritesSmallMessagesAsOnePiece) {
  queue().Push(DeliveryOf("one"));
  queue().Push(DeliveryOf("two"));
  EXPECT_THAT(PayloadsIn(Collected()), ::testing::ElementsAre("one", "two"));
  EXPECT_EQ(gather_.size(), 1u);
}

TEST_F(OutQueueTest, ReferencesLargeMessagesInsteadOfCopyingThem) {
  const std::string large(10'000, 'x');
  const Delivery delivery = DeliveryOf(large);
  queue().Push(DeliveryOf("before"));
  queue().Push(delivery);
  queue().Push(DeliveryOf("after"));
  const std::string bytes = Collected();
  ASSERT_EQ(gather_.size(), 3u);
  EXPECT_EQ(static_cast<const void*>(gather_[1].data()), delivery.message->payload().data());
  EXPECT_NE(bytes.find(large), std::string::npos);
}

TEST_F(OutQueueTest, WritesNothingWhileAWriteIsUnderWay) {
  queue().Push(DeliveryOf("one"));
  Collected();
  queue().Push(DeliveryOf("two"));
  EXPECT_EQ(Collected(), "");
  queue().Written();
  EXPECT_THAT(PayloadsIn(Collected()), ::testing::ElementsAre("two"));
}

TEST_F(OutQueueTest, SendsOwnPacketsFirst) {
  queue().Push(DeliveryOf("message"));
  ASSERT_TRUE(queue().Append(mqtt::PingResp()).ok());
  EXPECT_EQ(Collected().substr(0, 2), std::string_view("\xD0\x00", 2));
}

TEST_F(OutQueueTest, HoldsQoS1AtTheReceiveMaximumAndNothingElse) {  // MQTT-3.3.4-9, MQTT-3.3.4-10
  queue().SetPeerLimits(2, 1000);
  for (const std::string_view payload : {"1", "2", "3", "4"}) queue().Push(DeliveryOf(payload, QoS::kAtLeastOnce));
  queue().Push(DeliveryOf("zero"));
  EXPECT_THAT(PayloadsIn(Written()), ::testing::ElementsAre("1", "2", "zero"));
  EXPECT_EQ(Written(), "");
  EXPECT_FALSE(queue().Acknowledge(77));
  EXPECT_TRUE(queue().Acknowledge(2));
  queue().Push(DeliveryOf("5", QoS::kAtLeastOnce));
  EXPECT_THAT(PayloadsIn(Written()), ::testing::ElementsAre("3"));
  EXPECT_TRUE(queue().Acknowledge(1));
  EXPECT_TRUE(queue().Acknowledge(3));
  EXPECT_THAT(PayloadsIn(Written()), ::testing::ElementsAre("4", "5"));
}

// A client that never acknowledges one message uses up the run of identifiers.
TEST_F(OutQueueTest, StopsWhenNoPacketIdentifierIsFree) {
  queue().SetPeerLimits(10, 1000);
  int sent = 0;
  for (int i = 0; i < 70'000; ++i) {
    queue().Push(DeliveryOf("x", QoS::kAtLeastOnce));
    if (Written().empty()) break;
    ++sent;
    if (i > 0) queue().Acknowledge(static_cast<mqtt::PacketId>(i + 1));
  }
  EXPECT_EQ(sent, 65'535);
  EXPECT_TRUE(queue().Acknowledge(1));
  EXPECT_NE(Written(), "");
}

TEST_F(OutQueueTest, DropsTheNewestBeyondItsMessages) {
  limits_ = OutQueue::Limits(2, 100'000);
  EXPECT_EQ(queue().Push(DeliveryOf("1")), Outcome::kQueued);
  EXPECT_EQ(queue().Push(DeliveryOf("2")), Outcome::kQueued);
  EXPECT_EQ(queue().Push(DeliveryOf("3")), Outcome::kFull);
  EXPECT_EQ(queue().ReadinessFor(DeliveryOf("3")), OutQueue::Readiness::kNever);
  EXPECT_THAT(PayloadsIn(Written()), ::testing::ElementsAre("1", "2"));
  EXPECT_EQ(queue().Push(DeliveryOf("4")), Outcome::kQueued);
}

TEST_F(OutQueueTest, CountsBytesUnderWayTowardsItsLimit) {
  limits_ = OutQueue::Limits(1000, 1'000);
  EXPECT_EQ(queue().Push(DeliveryOf(std::string(800, 'x'))), Outcome::kQueued);
  Collected();
  EXPECT_EQ(queue().Push(DeliveryOf(std::string(800, 'x'))), Outcome::kFull);
  queue().Written();
  EXPECT_EQ(queue().Push(DeliveryOf(std::string(800, 'x'))), Outcome::kQueued);
}

TEST_F(OutQueueTest, TakesOneMessageOverItsLimit) {
  limits_ = OutQueue::Limits(1000, 1'000);
  EXPECT_EQ(queue().Push(DeliveryOf(std::string(5'000, 'x'))), Outcome::kQueued);
  EXPECT_EQ(queue().Push(DeliveryOf("x")), Outcome::kFull);
}

TEST_F(OutQueueTest, DropsWhenTheWholeBrokerIsFull) {
  const Delivery fills_it = DeliveryOf(std::string(1'000'000, 'x'));
  EXPECT_TRUE(budget_.exhausted());
  EXPECT_EQ(queue().Push(DeliveryOf("x")), Outcome::kFull);
}

TEST_F(OutQueueTest, RefusesWhatIsTooLargeForTheClient) {  // MQTT-3.1.2-24, MQTT-3.1.2-25
  queue().SetPeerLimits(10, 10);
  EXPECT_EQ(queue().Push(DeliveryOf("1234")), Outcome::kQueued);  // 6 + 4 bytes.
  EXPECT_EQ(queue().Push(DeliveryOf("12345")), Outcome::kTooLarge);
  mqtt::SubAck ack;
  ack.packet_id = 1;
  ack.reason_codes.assign(20, mqtt::ReasonCode::kGrantedQoS0);
  EXPECT_FALSE(queue().Append(ack).ok());
  EXPECT_THAT(PayloadsIn(Written()), ::testing::ElementsAre("1234"));
}

TEST_F(OutQueueTest, CountsExpiryDownAndDropsTheExpired) {  // MQTT-3.3.2-5, MQTT-3.3.2-6
  queue().Push(DeliveryOf("short", QoS::kAtMostOnce, 5));
  queue().Push(DeliveryOf(std::string(600, 'l'), QoS::kAtMostOnce, 0x01020304));
  now_ += seconds(5);
  const std::string bytes = Written();
  EXPECT_EQ(bytes.find("short"), std::string::npos);
  EXPECT_NE(bytes.find(std::string_view("\x02\x01\x02\x02\xFF", 5)), std::string::npos);
  EXPECT_EQ(counters_.messages_dropped.value(), 1u);
  EXPECT_EQ(counters_.messages_sent.value(), 1u);
}

TEST_F(OutQueueTest, CutsOneWriteToWhatASystemCallTakes) {
  limits_ = OutQueue::Limits(1000, 10'000'000);
  const Delivery large = DeliveryOf(std::string(2'000, 'x'));
  for (int i = 0; i < 100; ++i) ASSERT_EQ(queue().Push(large), Outcome::kQueued);
  std::size_t bytes = 0;
  int writes = 0;
  for (std::string piece = Written(); !piece.empty(); piece = Written()) {
    bytes += piece.size();
    ++writes;
    EXPECT_LE(gather_.size(), 64u);
  }
  EXPECT_EQ(bytes, 100 * PacketBytes(large));
  EXPECT_GT(writes, 1);
}

TEST_F(OutQueueTest, ForgetsPubAcksThatTheClientMayHaveSeen) {
  queue().AppendPubAck(1, mqtt::ReasonCode::kSuccess);
  queue().AppendPubAck(2, mqtt::ReasonCode::kNoMatchingSubscribers);
  EXPECT_EQ(queue().unsent_pub_acks(), 2u);
  Written();
  EXPECT_EQ(queue().unsent_pub_acks(), 0u);
}

TEST_F(OutQueueTest, KeepsASharedMessageUntilTheLastOfItsWritesEnded) {
  {
    const Delivery delivery = DeliveryOf(std::string(5'000, 'x'));
    queue().Push(delivery);
  }
  EXPECT_GT(budget_.used(), 5'000u);
  Collected();
  EXPECT_GT(budget_.used(), 5'000u);
  queue().Written();
  EXPECT_EQ(budget_.used(), 0u);
}

}  // namespace
}  // namespace mqttrpc::broker
