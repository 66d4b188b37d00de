#include "packet_writer.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mqttrpc::broker {
namespace {

using mqtt::QoS;
using std::chrono::seconds;
using Outcome = Outbox::Outcome;
using Known = Outbox::Known;

// A session's messages and the connection that they are written to.
class OutboxTest : public ::testing::Test {
 protected:
  ~OutboxTest() override {
    writer_ = nullptr;
    outbox_ = nullptr;
    EXPECT_EQ(budget_.used(), 0u);  // Every byte that was counted was given back.
  }

  Outbox& outbox() {
    if (outbox_ == nullptr) {
      outboxes_ = std::make_unique<Outbox::Host>(limits_, budget_, counters_);
      outbox_ = std::make_unique<Outbox>(*outboxes_);
      Attach();
    }
    return *outbox_;
  }
  PacketWriter& writer() {
    outbox();
    return *writer_;
  }

  // A new connection, with the limits of peer_.
  void Attach() {
    writer_ = std::make_unique<PacketWriter>(writers_);
    writer_->SetPeer(peer_);
    outbox_->Attach(peer_);
  }
  void Reconnect() {
    outbox().Detach();
    Attach();
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
    writer().Collect(&outbox(), now_, gather_);
    std::string bytes;
    for (const auto& piece : gather_) bytes += mqtt::AsText(piece);
    return bytes;
  }
  void EndWrite() {
    writer().Written();
    outbox().OnWritten();
  }
  std::string Written() {
    const std::string bytes = Collected();
    if (writer().writing()) EndWrite();
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

  Outbox::Limits limits_{100, 100'000};
  PeerLimits peer_;
  MemoryBudget budget_{1'000'000};
  Counters counters_;
  mqtt::TimePoint now_{std::chrono::hours(1)};
  std::vector<std::span<const std::byte>> gather_;

 private:
  std::unique_ptr<Outbox::Host> outboxes_;
  PacketWriter::Host writers_{budget_, counters_};
  std::unique_ptr<Outbox> outbox_;
  std::unique_ptr<PacketWriter> writer_;
};

TEST_F(OutboxTest, WritesSmallMessagesAsOnePiece) {
  outbox().Push(DeliveryOf("one"));
  outbox().Push(DeliveryOf("two"));
  EXPECT_THAT(PayloadsIn(Collected()), ::testing::ElementsAre("one", "two"));
  EXPECT_EQ(gather_.size(), 1u);
}

TEST_F(OutboxTest, ReferencesLargeMessagesInsteadOfCopyingThem) {
  const std::string large(10'000, 'x');
  const Delivery delivery = DeliveryOf(large);
  outbox().Push(DeliveryOf("before"));
  outbox().Push(delivery);
  outbox().Push(DeliveryOf("after"));
  const std::string bytes = Collected();
  ASSERT_EQ(gather_.size(), 3u);
  EXPECT_EQ(static_cast<const void*>(gather_[1].data()), delivery.message->payload().data());
  EXPECT_NE(bytes.find(large), std::string::npos);
}

TEST_F(OutboxTest, WritesNothingWhileAWriteIsUnderWay) {
  outbox().Push(DeliveryOf("one"));
  Collected();
  outbox().Push(DeliveryOf("two"));
  EXPECT_EQ(Collected(), "");
  EndWrite();
  EXPECT_THAT(PayloadsIn(Collected()), ::testing::ElementsAre("two"));
}

TEST_F(OutboxTest, SendsOwnPacketsFirst) {
  outbox().Push(DeliveryOf("message"));
  ASSERT_TRUE(writer().Append(mqtt::PingResp()).ok());
  EXPECT_EQ(Collected().substr(0, 2), std::string_view("\xD0\x00", 2));
}

TEST_F(OutboxTest, HoldsQoS1AtTheReceiveMaximumAndNothingElse) {  // MQTT-3.3.4-9, MQTT-3.3.4-10
  peer_.receive_maximum = 2;
  for (const std::string_view payload : {"1", "2", "3", "4"}) outbox().Push(DeliveryOf(payload, QoS::kAtLeastOnce));
  outbox().Push(DeliveryOf("zero"));
  EXPECT_THAT(PayloadsIn(Written()), ::testing::ElementsAre("1", "2", "zero"));
  EXPECT_EQ(Written(), "");
  EXPECT_EQ(outbox().OnPubAck(77), Known::kNo);
  EXPECT_EQ(outbox().OnPubAck(2), Known::kYes);
  outbox().Push(DeliveryOf("5", QoS::kAtLeastOnce));
  EXPECT_THAT(PayloadsIn(Written()), ::testing::ElementsAre("3"));
  EXPECT_EQ(outbox().OnPubAck(1), Known::kYes);
  EXPECT_EQ(outbox().OnPubAck(3), Known::kYes);
  EXPECT_THAT(PayloadsIn(Written()), ::testing::ElementsAre("4", "5"));
}

// MQTT-4.6.0-2: nobody has a reason to acknowledge the others first.
TEST_F(OutboxTest, DropsTheNewestBeyondItsMessages) {
  limits_ = Outbox::Limits(2, 100'000);
  EXPECT_EQ(outbox().Push(DeliveryOf("1")), Outcome::kQueued);
  EXPECT_EQ(outbox().Push(DeliveryOf("2")), Outcome::kQueued);
  EXPECT_EQ(outbox().Push(DeliveryOf("3")), Outcome::kFull);
  EXPECT_FALSE(outbox().HasRoomFor(DeliveryOf("3")));
  EXPECT_THAT(PayloadsIn(Written()), ::testing::ElementsAre("1", "2"));
  EXPECT_EQ(outbox().Push(DeliveryOf("4")), Outcome::kQueued);
}

TEST_F(OutboxTest, CountsBytesUnderWayTowardsItsLimit) {
  limits_ = Outbox::Limits(1000, 1'000);
  EXPECT_EQ(outbox().Push(DeliveryOf(std::string(800, 'x'))), Outcome::kQueued);
  Collected();
  EXPECT_EQ(outbox().Push(DeliveryOf(std::string(800, 'x'))), Outcome::kFull);
  EndWrite();
  EXPECT_EQ(outbox().Push(DeliveryOf(std::string(800, 'x'))), Outcome::kQueued);
}

TEST_F(OutboxTest, TakesOneMessageOverItsLimit) {
  limits_ = Outbox::Limits(1000, 1'000);
  EXPECT_EQ(outbox().Push(DeliveryOf(std::string(5'000, 'x'))), Outcome::kQueued);
  EXPECT_EQ(outbox().Push(DeliveryOf("x")), Outcome::kFull);
}

TEST_F(OutboxTest, DropsWhenTheWholeBrokerIsFull) {
  const Delivery fills_it = DeliveryOf(std::string(1'000'000, 'x'));
  EXPECT_TRUE(budget_.exhausted());
  EXPECT_EQ(outbox().Push(DeliveryOf("x")), Outcome::kFull);
}

TEST_F(OutboxTest, RefusesWhatIsTooLargeForTheClient) {  // MQTT-3.1.2-24, MQTT-3.1.2-25
  peer_.maximum_packet_size = 10;
  EXPECT_EQ(outbox().Push(DeliveryOf("1234")), Outcome::kQueued);  // 6 + 4 bytes.
  EXPECT_EQ(outbox().Push(DeliveryOf("12345")), Outcome::kTooLarge);
  mqtt::SubAck ack;
  ack.packet_id = 1;
  ack.reason_codes.assign(20, mqtt::ReasonCode::kGrantedQoS0);
  EXPECT_FALSE(writer().Append(ack).ok());
  EXPECT_THAT(PayloadsIn(Written()), ::testing::ElementsAre("1234"));
}

TEST_F(OutboxTest, CountsExpiryDownAndDropsTheExpired) {  // MQTT-3.3.2-5, MQTT-3.3.2-6
  outbox().Push(DeliveryOf("short", QoS::kAtMostOnce, 5));
  outbox().Push(DeliveryOf(std::string(600, 'l'), QoS::kAtMostOnce, 0x01020304));
  now_ += seconds(5);
  const std::string bytes = Written();
  EXPECT_EQ(bytes.find("short"), std::string::npos);
  EXPECT_NE(bytes.find(std::string_view("\x02\x01\x02\x02\xFF", 5)), std::string::npos);
  EXPECT_EQ(counters_.Dropped(DropReason::kExpired).value(), 1u);
  EXPECT_EQ(counters_.messages_sent.value(), 1u);
}

TEST_F(OutboxTest, CutsOneWriteToWhatASystemCallTakes) {
  limits_ = Outbox::Limits(1000, 10'000'000);
  const Delivery large = DeliveryOf(std::string(2'000, 'x'));
  for (int i = 0; i < 70; ++i) ASSERT_EQ(outbox().Push(large), Outcome::kQueued);
  std::size_t bytes = 0;
  int writes = 0;
  for (std::string piece = Written(); !piece.empty(); piece = Written()) {
    bytes += piece.size();
    ++writes;
    EXPECT_LE(gather_.size(), 64u);
  }
  EXPECT_EQ(bytes, 70 * PacketBytes(large, mqtt::ProtocolVersion::k5));
  EXPECT_GT(writes, 1);
}

TEST_F(OutboxTest, ForgetsPubAcksThatTheClientMayHaveSeen) {
  writer().AppendPubAck(1, mqtt::ReasonCode::kSuccess);
  writer().AppendPubAck(2, mqtt::ReasonCode::kNoMatchingSubscribers);
  EXPECT_EQ(writer().unsent_pub_acks(), 2u);
  Written();
  EXPECT_EQ(writer().unsent_pub_acks(), 0u);
}

// One that is not acknowledged makes all behind it take their places.
TEST_F(OutboxTest, ChargesThePlacesOfIdentifiersThatWereEnded) {
  constexpr mqtt::PacketId kMessages = 90;
  for (int i = 0; i < kMessages; ++i) outbox().Push(DeliveryOf("", QoS::kAtLeastOnce));
  while (!Written().empty()) {
  }
  for (mqtt::PacketId id = 2; id <= kMessages; ++id) outbox().OnPubAck(id);
  EXPECT_GT(budget_.used(), kMessages * sizeof(Delivery));
  outbox().OnPubAck(1);
}

// As a client does that thinks about one message for long.
TEST_F(OutboxTest, GoesOnWhenOneIsNotAcknowledgedForThousands) {
  peer_.receive_maximum = 10;
  outbox().Push(DeliveryOf("kept", QoS::kAtLeastOnce));
  Written();
  for (int i = 0; i < 70'000; ++i) {
    const auto id = static_cast<mqtt::PacketId>(2 + i % 65'534);  // 1 is in use (MQTT-2.2.1-4).
    outbox().Push(DeliveryOf("", QoS::kAtLeastOnce));
    ASSERT_FALSE(Written().empty()) << i;
    ASSERT_EQ(outbox().OnPubAck(id), Known::kYes) << i;
  }
  EXPECT_LT(budget_.used(), 20'000u);
  EXPECT_EQ(outbox().OnPubAck(1), Known::kYes);
}

TEST_F(OutboxTest, LeavesFewPlacesUnusedWhenMemoryIsShort) {
  constexpr std::size_t kElsewhere = 700'000;
  constexpr mqtt::PacketId kUnacknowledged = 20;
  for (mqtt::PacketId id = 1; id <= 90; ++id) {
    outbox().Push(DeliveryOf("", QoS::kAtLeastOnce));
    Written();
    if (id > kUnacknowledged) outbox().OnPubAck(id);
  }
  EXPECT_TRUE(outbox().HasWindowFor(1));
  budget_.Take(kElsewhere);
  EXPECT_FALSE(outbox().HasWindowFor(1));
  for (mqtt::PacketId id = 1; id <= kUnacknowledged; ++id) outbox().OnPubAck(id);
  EXPECT_TRUE(outbox().HasWindowFor(1));
  budget_.Give(kElsewhere);
}

TEST_F(OutboxTest, KeepsASharedMessageUntilTheLastOfItsWritesEnded) {
  {
    const Delivery delivery = DeliveryOf(std::string(5'000, 'x'));
    outbox().Push(delivery);
  }
  EXPECT_GT(budget_.used(), 5'000u);
  Collected();
  EXPECT_GT(budget_.used(), 5'000u);
  EndWrite();
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(OutboxTest, SendsAgainInOrderWhatWasNotAcknowledged) {  // MQTT-4.4.0-1, MQTT-4.6.0-1
  for (const std::string_view payload : {"1", "2", "3"}) outbox().Push(DeliveryOf(payload, QoS::kAtLeastOnce));
  Written();
  EXPECT_EQ(outbox().OnPubAck(2), Known::kYes);
  outbox().Push(DeliveryOf("4", QoS::kAtLeastOnce));
  Reconnect();
  const std::string bytes = Written();
  EXPECT_THAT(PayloadsIn(bytes), ::testing::ElementsAre("1", "3", "4"));
  EXPECT_EQ(bytes[0] & 0x08, 0x08);  // DUP (MQTT-3.3.1-1).
}

TEST_F(OutboxTest, SendsNoMoreAgainThanTheNewReceiveMaximum) {  // 4.9
  for (const std::string_view payload : {"1", "2", "3"}) outbox().Push(DeliveryOf(payload, QoS::kAtLeastOnce));
  Written();
  peer_.receive_maximum = 1;
  Reconnect();
  EXPECT_THAT(PayloadsIn(Written()), ::testing::ElementsAre("1"));
  EXPECT_EQ(outbox().OnPubAck(1), Known::kYes);
  EXPECT_THAT(PayloadsIn(Written()), ::testing::ElementsAre("2"));
}

TEST_F(OutboxTest, SendsPubRelAgainAndNotTheMessage) {  // MQTT-4.3.3-4 to MQTT-4.3.3-6
  outbox().Push(DeliveryOf("x", QoS::kExactlyOnce));
  Written();
  EXPECT_EQ(outbox().OnPubComp(1), Known::kMisplaced);
  EXPECT_EQ(outbox().OnPubRec(1, false), Known::kYes);
  EXPECT_EQ(outbox().OnPubRec(1, false), Known::kAgain);
  Reconnect();
  EXPECT_EQ(Written(), std::string_view("\x62\x02\x00\x01", 4));
  EXPECT_EQ(outbox().OnPubComp(1), Known::kYes);
  EXPECT_TRUE(outbox().empty());
}

TEST_F(OutboxTest, EndsAMessageThatTheClientRefused) {
  peer_.receive_maximum = 1;
  outbox().Push(DeliveryOf("1", QoS::kExactlyOnce));
  outbox().Push(DeliveryOf("2", QoS::kExactlyOnce));
  Written();
  EXPECT_EQ(outbox().OnPubRec(1, true), Known::kYes);
  EXPECT_THAT(PayloadsIn(Written()), ::testing::ElementsAre("2"));
}

TEST_F(OutboxTest, KeepsNoQoS0ForAClientThatIsAway) {
  outbox().Push(DeliveryOf("waits", QoS::kAtMostOnce));
  outbox().Detach();
  EXPECT_EQ(outbox().Push(DeliveryOf("late", QoS::kAtMostOnce)), Outcome::kNotKept);
  EXPECT_EQ(outbox().Push(DeliveryOf("kept", QoS::kAtLeastOnce)), Outcome::kQueued);
  Attach();
  EXPECT_THAT(PayloadsIn(Written()), ::testing::ElementsAre("kept"));
  EXPECT_EQ(counters_.Dropped(DropReason::kDisconnected).value(), 1u);
}

TEST_F(OutboxTest, GivesBackWhatItsShareGroupMayGiveToOthers) {  // MQTT-4.8.2-4, MQTT-4.8.2-5
  const auto push = [&](std::string_view payload, QoS qos, ShareGroupId group) {
    Delivery delivery = DeliveryOf(payload, qos);
    delivery.group = group;
    outbox().Push(std::move(delivery));
  };
  push("under way", QoS::kAtLeastOnce, 7);
  push("exactly once", QoS::kExactlyOnce, 7);
  push("own", QoS::kAtLeastOnce, 0);
  Written();
  push("waits", QoS::kAtLeastOnce, 7);
  std::vector<std::string> payloads;
  for (const Delivery& each : outbox().TakeShared()) payloads.emplace_back(each.message->payload());
  EXPECT_THAT(payloads, ::testing::ElementsAre("under way", "waits"));
  Reconnect();
  EXPECT_THAT(PayloadsIn(Written()), ::testing::ElementsAre("exactly once", "own"));
}

}  // namespace
}  // namespace mqttrpc::broker
