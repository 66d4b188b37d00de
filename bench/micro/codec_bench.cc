// Packets to bytes and back.
#include <string>
#include <string_view>

#include "frame_buffer.h"
#include "micro/allocations.h"
#include "packets.h"

namespace bench {
namespace {

using namespace mqttrpc::mqtt;  // NOLINT(google-build-using-namespace): the subject.

const std::string kPayload(64, 'x');

// As a call's request has them.
const Properties& RequestProperties() {
  static const Properties properties = [] {
    Properties made;
    made.Set(property::kMessageExpiryInterval, std::uint32_t{5});
    made.Set(property::kContentType, "application/protobuf");
    made.Set(property::kResponseTopic, "rpc1/r/backend-1/f3a9c2d1");
    made.Set(property::kCorrelationData, "0123456789abcdef");
    made.Add(property::kUserProperty, UserPropertyView{"rpc-tmo", "5000"});
    return made;
  }();
  return properties;
}

Publish Request() {
  Publish publish;
  publish.topic_name = "rpc1/q/acme.lamp.v1.Lamp/lamp-42/SetBrightness/backend-1";
  publish.qos = QoS::kAtLeastOnce;
  publish.packet_id = 17;
  publish.properties = RequestProperties();
  publish.payload = kPayload;
  return publish;
}

Publish Plain() {
  Publish publish;
  publish.topic_name = "site/1/device/17/state";
  publish.payload = kPayload;
  return publish;
}

PubAck Acknowledgement() {
  PubAck ack;
  ack.packet_id = 17;
  return ack;
}

Connect FullConnect() {
  static const Properties properties = [] {
    Properties made;
    made.Set(property::kSessionExpiryInterval, std::uint32_t{3600});
    made.Set(property::kReceiveMaximum, std::uint16_t{1024});
    made.Set(property::kTopicAliasMaximum, std::uint16_t{16});
    return made;
  }();
  Connect connect;
  connect.client_id = "device-0017";
  connect.keep_alive = 60;
  connect.properties = properties;
  connect.user_name = "device";
  connect.password = "secret";
  connect.will.emplace();
  connect.will->topic_name = "site/1/device/17/gone";
  return connect;
}

void Encode(benchmark::State& state, const Packet& packet) {
  WireBuffer out;
  out.reserve(1024);
  const AllocationCount allocations(state);
  for (auto _ : state) {
    out.clear();
    if (!EncodePacket(packet, Sender::kClient, out).ok()) return state.SkipWithError("cannot be encoded");
    benchmark::DoNotOptimize(out.data());
  }
}

// From the bytes of one read: the packet is cut out of them, too.
void Decode(benchmark::State& state, const Packet& packet) {
  WireBuffer bytes;
  if (!EncodePacket(packet, Sender::kClient, bytes).ok()) return state.SkipWithError("cannot be encoded");
  FrameBuffer frames(1024);
  const AllocationCount allocations(state);
  for (auto _ : state) {
    frames.Feed(AsBytes(bytes));
    const auto frame = frames.Next();
    const auto decoded = DecodePacket(**frame, Sender::kClient);
    if (!decoded.ok()) return state.SkipWithError("cannot be decoded");
    benchmark::DoNotOptimize(&*decoded);
    frames.Keep();
  }
}

BENCHMARK_CAPTURE(Encode, PublishOfACall, Request());
BENCHMARK_CAPTURE(Decode, PublishOfACall, Request());
BENCHMARK_CAPTURE(Encode, PublishQoS0, Plain());
BENCHMARK_CAPTURE(Decode, PublishQoS0, Plain());
BENCHMARK_CAPTURE(Encode, PubAck, Acknowledgement());
BENCHMARK_CAPTURE(Decode, PubAck, Acknowledgement());
BENCHMARK_CAPTURE(Encode, Connect, FullConnect());
BENCHMARK_CAPTURE(Decode, Connect, FullConnect());

}  // namespace
}  // namespace bench
