// What the recorder keeps, and how it reads.
#include "mqttrpc/testing/recorder.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mqttrpc/testing/matchers.h"
#include "mqttrpc/testing/world.h"

namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace mqttrpc::testing;
namespace mqtt = mqttrpc::mqtt;

class RecorderTest : public ::testing::Test {
 protected:
  RecorderTest() : lamp_(world_.NewClient("lamp-42")) { world_.RunUntilQuiet(); }

  World world_;
  RecordingOnFailure print_{world_};
  mqtt::Client& lamp_;
};

TEST_F(RecorderTest, KeepsBothWaysOfAFlow) {
  mqtt::Message message("a/b", "21.5");
  message.properties.Set(mqtt::property::kMessageExpiryInterval, 60);
  ASSERT_TRUE(world_.Run(lamp_.Publish(message)).ok());
  const auto from = world_.recorder().From("lamp-42");
  ASSERT_THAT(from, ElementsAre(OfKind(PacketKind::kConnect), OfKind(PacketKind::kPublish)));
  EXPECT_THAT(from[1], AllOf(IsPublish("a/b", "21.5"), WithQoS(mqtt::QoS::kAtLeastOnce), Not(WithRetain()),
                             WithProperty(mqtt::property::kMessageExpiryInterval, 60u)));
  EXPECT_THAT(world_.recorder().To("lamp-42"), ElementsAre(OfKind(PacketKind::kConnAck), OfKind(PacketKind::kPubAck)));
}

TEST_F(RecorderTest, ReadsAsLines) {
  world_.Advance(std::chrono::seconds(12));
  ASSERT_TRUE(world_.Run(lamp_.Publish(mqtt::Message("a/b", "21.5\n"))).ok());
  const std::string text = world_.recorder().ToString();
  EXPECT_THAT(text, HasSubstr("0.000s lamp-42 - connected (connection 1)\n"));
  EXPECT_THAT(text, HasSubstr("0.000s lamp-42 > CONNECT client_id=lamp-42 clean_start=1 keep_alive=60"));
  EXPECT_THAT(text, HasSubstr("12.000s lamp-42 > PUBLISH id=1 qos=1 topic=a/b payload=\"21.5\\n\"\n"));
  EXPECT_THAT(text, HasSubstr("12.000s lamp-42 < PUBACK id=1 reason=0x10\n"));
}

TEST_F(RecorderTest, ShowsTheLastLinesOfALongOne) {
  world_.Advance(std::chrono::hours(1));
  const std::string text = world_.recorder().ToString(2);
  EXPECT_THAT(text, HasSubstr(" before\n"));
  EXPECT_THAT(text, HasSubstr("3600.000s lamp-42 < PINGRESP\n"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
}

TEST_F(RecorderTest, ForgetsTheOldestBeyondItsLimit) {
  world_.recorder().set_limit(4);
  world_.Advance(std::chrono::hours(1));
  EXPECT_EQ(world_.recorder().Packets().size(), 4u);
}

TEST_F(RecorderTest, TellsAWatcherAsItHappens) {
  std::vector<PacketKind> kinds;
  std::vector<std::string> events;
  world_.recorder().set_limit(0);
  world_.recorder().Watch([&](const RecordedPacket& packet) { kinds.push_back(packet.kind); },
                          [&](const RecordedEvent& event) { events.push_back(event.what); });
  ASSERT_TRUE(world_.Run(lamp_.Publish(mqtt::Message("a", "b"))).ok());
  world_.faults().Cut("lamp-42");
  world_.recorder().Watch(nullptr, nullptr);
  EXPECT_THAT(kinds, ElementsAre(PacketKind::kPublish, PacketKind::kPubAck));
  EXPECT_THAT(events, ElementsAre("cut"));
}

TEST_F(RecorderTest, KnowsWhatTopicAliasesStandFor) {
  const std::string topic_name = "lamp/kitchen/brightness";
  for (const char* payload : {"1", "2", "3"}) {
    ASSERT_TRUE(world_.Run(lamp_.Publish(mqtt::Message(topic_name, payload))).ok());
  }
  const auto published = world_.recorder().From("lamp-42", PacketKind::kPublish);
  EXPECT_THAT(published,
              ElementsAre(IsPublish(topic_name, "1"), IsPublish(topic_name, "2"), IsPublish(topic_name, "3")));
  EXPECT_TRUE(published[2].topic_omitted);
  EXPECT_THAT(world_.recorder().ToString(), HasSubstr(" (topic=lamp/kitchen/brightness) payload=\"3\""));
}

TEST_F(RecorderTest, ForgetsAllWhenTold) {
  world_.recorder().Clear();
  EXPECT_TRUE(world_.recorder().Packets().empty());
  ASSERT_TRUE(world_.Run(lamp_.Publish(mqtt::Message("a", "b"))).ok());
  EXPECT_EQ(world_.recorder().Packets().size(), 2u);
}

TEST_F(RecorderTest, TellsConnectionsApart) {
  world_.faults().Cut("lamp-42");
  ASSERT_TRUE(world_.UntilConnected(lamp_).ok());
  const auto connects = world_.recorder().From("lamp-42", PacketKind::kConnect);
  ASSERT_EQ(connects.size(), 2u);
  EXPECT_EQ(connects[0].connection, 1u);
  EXPECT_EQ(connects[1].connection, 2u);
  ASSERT_EQ(world_.recorder().Events().size(), 3u);
  EXPECT_EQ(world_.recorder().Events()[1].what, "cut");
}

// A client of another library, or of MQTT 3: bytes on a stream of the world's.
class ByteClient final : public mqtt::Transport::Handler {
 public:
  ByteClient(World& world, std::string_view name) {
    attempt_ = world.connector(name).Connect(mqtt::Endpoint(), world.io().get_executor(), [this](auto transport) {
      transport_ = *std::move(transport);
      transport_->Start(*this);
    });
    world.RunUntilQuiet();
  }

  void Send(World& world, std::string_view bytes) {
    const auto piece = std::as_bytes(std::span(bytes));
    EXPECT_TRUE(transport_->Write(std::span(&piece, 1)));
    world.RunUntilQuiet();
  }

  void OnBytes(std::span<const std::byte>) override {}
  void OnWritten() override {}
  void OnClosed(absl::Status) override {}

 private:
  std::unique_ptr<mqtt::Connector::Attempt> attempt_;
  std::unique_ptr<mqtt::Transport> transport_;
};

constexpr std::string_view kConnect311("\x10\x0F\x00\x04MQTT\x04\x02\x00\x3C\x00\x03old", 17);

TEST_F(RecorderTest, ReadsClientsOfMqtt3) {
  ByteClient old(world_, "old");
  old.Send(world_, kConnect311);
  old.Send(world_, {"\x82\x09\x00\x07\x00\x04news\x01", 11});
  mqtt::Message message("news", "rain");
  message.properties.Set(mqtt::property::kContentType, "text/plain");
  ASSERT_TRUE(world_.Run(lamp_.Publish(message)).ok());
  old.Send(world_, {"\x40\x02\x00\x01", 4});
  old.Send(world_, {"\xA2\x08\x00\x08\x00\x04news", 10});
  EXPECT_THAT(world_.recorder().From("old"),
              ElementsAre(OfKind(PacketKind::kConnect), AllOf(OfKind(PacketKind::kSubscribe), WithFilter("news")),
                          AllOf(OfKind(PacketKind::kPubAck), WithPacketId(1)),
                          AllOf(OfKind(PacketKind::kUnsubscribe), WithFilter("news"))));
  EXPECT_THAT(world_.recorder().To("old"),
              ElementsAre(AllOf(OfKind(PacketKind::kConnAck), HasReason(mqtt::ReasonCode::kSuccess)),
                          AllOf(OfKind(PacketKind::kSubAck), HasReason(mqtt::ReasonCode::kGrantedQoS1)),
                          AllOf(IsPublish("news", "rain"), WithQoS(mqtt::QoS::kAtLeastOnce)),
                          AllOf(OfKind(PacketKind::kUnsubAck), WithPacketId(8))));
  EXPECT_THAT(world_.recorder().ToString(), HasSubstr("old > CONNECT client_id=old clean_start=1 keep_alive=60 "
                                                      "version=3.1.1\n"));
}

TEST_F(RecorderTest, TellsRefusalsOfMqtt3AsReasonCodes) {
  ByteClient old(world_, "old");
  // No client id, and a session that should last.
  old.Send(world_, {"\x10\x0C\x00\x04MQTT\x04\x00\x00\x3C\x00\x00", 14});
  EXPECT_THAT(world_.recorder().To("old"),
              ElementsAre(AllOf(OfKind(PacketKind::kConnAck), HasReason(mqtt::ReasonCode::kClientIdentifierNotValid))));
}

TEST_F(RecorderTest, LetsFaultsFindPacketsOfMqtt3) {
  ByteClient old(world_, "old");
  world_.faults().To("old").Nth(1, PacketKind::kPublish).Drop();
  old.Send(world_, kConnect311);
  old.Send(world_, {"\x82\x09\x00\x07\x00\x04news\x00", 11});
  for (const char* payload : {"lost", "kept"})
    ASSERT_TRUE(world_.Run(lamp_.Publish(mqtt::Message("news", payload))).ok());
  const auto published = world_.recorder().To("old", PacketKind::kPublish);
  ASSERT_THAT(published, ElementsAre(IsPublish("news", "lost"), IsPublish("news", "kept")));
  EXPECT_EQ(published[0].fault, "dropped");
  EXPECT_EQ(published[1].fault, "");
}

// Whole packets that are none, bytes that never become one, half a packet.
TEST(ReadPacketTest, TakesAnyBytes) {
  EXPECT_TRUE(ReadPacket(std::string("\x40\x01\x00", 3), Direction::kToBroker).malformed);
  EXPECT_EQ(ReadPacket("\xff\xff\xff\xff\xff\xff", Direction::kToBroker).kind, PacketKind::kUnreadable);
  EXPECT_EQ(ReadPacket("\x30\x05", Direction::kToClient).kind, PacketKind::kUnreadable);
  EXPECT_EQ(ReadPacket("", Direction::kToClient).kind, PacketKind::kUnreadable);
}

}  // namespace
