// The hot path allocates nothing: counted by the replaced operator new.
#include <cstdlib>
#include <new>
#include <string>

#include <gtest/gtest.h>

#include "frame_buffer.h"
#include "mqttrpc/mqtt/topic.h"
#include "packets.h"
#include "support/wire_text.h"

namespace {
thread_local std::size_t allocations = 0;
}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* block = std::malloc(size == 0 ? 1 : size)) return block;
  std::abort();
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }

namespace mqttrpc::mqtt {
namespace {

template <typename Work>
std::size_t AllocationsOf(Work&& work) {
  const std::size_t before = allocations;
  work();
  return allocations - before;
}

const std::string& PublishBytes() {
  static const std::string bytes = test::Bytes(
      "32 ( <rpc1/q/acme.lamp.v1.Lamp/lamp-42/SetBrightness/me> 0001"
      "( 01 01 02 00000005 08 <rpc1/r/me/1> 09 0004 00000001 26 <key> <value> ) 'a payload of some bytes' )");
  return bytes;
}

TEST(AllocationTest, TheCountWorks) {
  EXPECT_EQ(AllocationsOf([] { std::string(100, 'x').swap(*std::make_unique<std::string>()); }), 2u);
}

TEST(AllocationTest, DecodingAPublishAllocatesNothing) {
  FrameBuffer buffer(1000);
  const std::string& bytes = PublishBytes();
  bool ok = false;
  const std::size_t count = AllocationsOf([&] {
    buffer.Feed(AsBytes(bytes));
    const auto frame = buffer.Next();
    const auto packet = DecodePacket(**frame, Sender::kClient);
    ok = packet.ok() && std::get<Publish>(*packet).properties.UserProperty("key") == "value";
    buffer.Keep();
  });
  EXPECT_TRUE(ok);
  EXPECT_EQ(count, 0u);
}

TEST(AllocationTest, EncodingIntoARoomyBufferAllocatesNothing) {
  FrameBuffer buffer(1000);
  buffer.Feed(AsBytes(PublishBytes()));
  const auto packet = DecodePacket(**buffer.Next(), Sender::kClient);
  ASSERT_TRUE(packet.ok());
  WireBuffer out;
  out.reserve(1000);
  EXPECT_EQ(AllocationsOf([&] {
              EXPECT_TRUE(EncodePublish(std::get<Publish>(*packet), Sender::kClient, out).ok());
              EncodePubAck(1, ReasonCode::kSuccess, out);
              EXPECT_TRUE(EncodePacket(*packet, Sender::kClient, out).ok());
              EXPECT_TRUE(EncodePacket(PingReq(), Sender::kClient, out).ok());
            }),
            0u);
}

TEST(AllocationTest, MatchingATopicAllocatesNothing) {
  EXPECT_EQ(AllocationsOf([] {
              EXPECT_TRUE(Matches("rpc1/q/+/lamp-42/#", "rpc1/q/acme.lamp.v1.Lamp/lamp-42/SetBrightness/me"));
              EXPECT_TRUE(CheckTopicName("rpc1/q/acme.lamp.v1.Lamp/lamp-42/SetBrightness/me").ok());
            }),
            0u);
}

}  // namespace
}  // namespace mqttrpc::mqtt
