#include "shared_message.h"

#include <algorithm>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "frame_buffer.h"

namespace mqttrpc::broker {
namespace {

constexpr std::size_t kPayloadBytes = 100'000;

// A PUBLISH that lies in a block as a FrameBuffer gives it away.
class SharedMessageTest : public ::testing::Test {
 protected:
  ~SharedMessageTest() override { EXPECT_EQ(budget_.used(), 0u); }

  MessageRef Adopt(const mqtt::Publish& publish, std::string_view topic_name) {
    std::string packet;
    EXPECT_TRUE(mqtt::EncodePublish(publish, mqtt::Sender::kClient, packet).ok());
    constexpr std::size_t kHeader = 4;  // Of a packet of this size.
    mqtt::Block block = mqtt::Block::Of(SharedMessage::kRoomInFront + packet.size(), &budget_.spares());
    char* const body = block.data() + SharedMessage::kRoomInFront + kHeader;
    std::copy(packet.begin(), packet.end(), body - kHeader);
    block_bytes_ = block.size();
    const mqtt::Frame frame{static_cast<std::uint8_t>(packet[0]),
                            mqtt::AsBytes(std::string_view(body, packet.size() - kHeader))};
    const auto decoded = mqtt::DecodePacket(frame, mqtt::Sender::kClient);
    EXPECT_TRUE(decoded.ok()) << decoded.status();
    const auto& arrived = std::get<mqtt::Publish>(*decoded);
    arrived_payload_ = arrived.payload.data();
    return SharedMessage::Adopt(budget_, std::move(block), arrived,
                                topic_name.empty() ? arrived.topic_name : topic_name, now_);
  }

  mqtt::Publish PublishTo(std::string_view topic_name) {
    properties_.Set(mqtt::property::kMessageExpiryInterval, 7u);
    properties_.Add(mqtt::property::kUserProperty, {"name", "value"});
    mqtt::Publish publish;
    publish.topic_name = topic_name;
    publish.properties = properties_;
    publish.payload = payload_;
    return publish;
  }

  MemoryBudget budget_{64 * 1024 * 1024};
  const mqtt::TimePoint now_{};
  const std::string payload_ = std::string(kPayloadBytes, 'p');
  mqtt::Properties properties_;
  std::size_t block_bytes_ = 0;
  const char* arrived_payload_ = nullptr;
};

TEST_F(SharedMessageTest, AdoptsAPacketWhereItIs) {
  const MessageRef message = Adopt(PublishTo("a/b"), "");
  EXPECT_EQ(message->payload().data(), arrived_payload_);
  EXPECT_EQ(message->topic_name(), "a/b");
  EXPECT_EQ(message->payload(), payload_);
  EXPECT_EQ(message->properties(), properties_.view().wire_bytes());
  EXPECT_EQ(message->tail().data() + message->tail().size(), message->payload().data() + kPayloadBytes);
  EXPECT_EQ(message->expiry(), 7u);
  EXPECT_EQ(budget_.used(), block_bytes_);
}

TEST_F(SharedMessageTest, AdoptsAPacketWithoutItsTopicAlias) {
  properties_.Add(mqtt::property::kUserProperty, {"before", "the alias"});
  properties_.Set(mqtt::property::kTopicAlias, std::uint16_t{5});
  const mqtt::Publish publish = PublishTo("");
  const MessageRef message = Adopt(publish, "what/the/alias/stands/for");
  EXPECT_EQ(message->payload().data(), arrived_payload_);
  EXPECT_EQ(message->topic_name(), "what/the/alias/stands/for");
  EXPECT_EQ(message->payload(), payload_);
  properties_.Remove(mqtt::PropertyId::kTopicAlias);
  EXPECT_EQ(message->properties(), properties_.view().wire_bytes());
  EXPECT_EQ(message->properties().substr(message->expiry_offset(), 4), std::string_view("\0\0\0\x07", 4));
}

TEST_F(SharedMessageTest, CopiesAPacketWhoseTopicNameHasNoRoom) {
  properties_.Set(mqtt::property::kTopicAlias, std::uint16_t{5});
  const std::string topic_name(1000, 't');
  const MessageRef message = Adopt(PublishTo(""), topic_name);
  EXPECT_NE(message->payload().data(), arrived_payload_);
  EXPECT_EQ(message->topic_name(), topic_name);
  EXPECT_EQ(message->payload(), payload_);
}

TEST_F(SharedMessageTest, ItsMemoryIsTheNextOnes) {
  {
    const MessageRef message = Adopt(PublishTo("a/b"), "");
  }
  EXPECT_EQ(budget_.used(), 0u);
  EXPECT_GE(budget_.spares().bytes(), kPayloadBytes);
  {
    const MessageRef copy = SharedMessage::Copy(budget_, PublishTo("a/b"), "a/b", now_);
  }
  EXPECT_LT(budget_.spares().bytes(), 2 * kPayloadBytes);
}

}  // namespace
}  // namespace mqttrpc::broker
