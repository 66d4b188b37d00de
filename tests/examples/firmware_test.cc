// An upload goes on after its connection was cut and after its broker was restarted.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <asio/co_spawn.hpp>

#include "mqttrpc/rpc/channel.h"
#include "mqttrpc/rpc/server.h"
#include "mqttrpc/rpc/status.h"
#include "mqttrpc/testing/matchers.h"
#include "mqttrpc/testing/world.h"
#include "updater.h"
#include "upload.h"

namespace demo::firmware {
namespace {

using mqttrpc::testing::PacketKind;
using mqttrpc::testing::World;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr std::size_t kChunkBytes = 16 * 1024;
constexpr std::uint32_t kChunks = 64;
constexpr std::size_t kImageBytes = kChunks * kChunkBytes;
constexpr std::size_t kCapacity = 2 * kImageBytes;

std::string RandomBytes(std::size_t size) {
  std::mt19937 random(1);
  std::string bytes(size, '\0');
  for (char& each : bytes) each = static_cast<char>(random());
  return bytes;
}

class FirmwareTest : public ::testing::Test {
 protected:
  static mqttrpc::ServerOptions SmallDevice() {
    mqttrpc::ServerOptions options;
    options.limits.frames = 16;
    options.limits.frame_bytes = 17 * 1024;
    return options;
  }

  void SetUp() override {
    server_.Add(updater_);
    ASSERT_TRUE(world_.Run(server_.Start()).ok());
    ASSERT_TRUE(world_.UntilConnected(world_.client("backend")).ok());
    world_.faults().FromAll().Latency(milliseconds(10));  // So that there is a meanwhile.
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Begin(std::string image) {
    auto upload = Upload(stub_, "1.2.0", std::move(image), kChunkBytes, [this](std::uint64_t sent) {
      EXPECT_GT(sent, sent_);
      sent_ = sent;
    });
    asio::co_spawn(world_.io(), std::move(upload),
                   [this](const std::exception_ptr&, absl::StatusOr<v1::UploadReply> result) { result_ = result; });
  }
  void BeginHalf() {
    Begin(image_);
    ASSERT_TRUE(world_.Until([this] { return sent_ >= kImageBytes / 2; }));
    ASSERT_LT(sent_, kImageBytes);
  }
  const absl::StatusOr<v1::UploadReply>& Result() {
    EXPECT_TRUE(world_.Until([this] { return result_.has_value(); }));
    return *result_;
  }

  // Each chunk once, and in its place.
  void ExpectWholeImage() {
    ASSERT_TRUE(Result().ok()) << Result().status();
    EXPECT_EQ(Result()->chunks(), kChunks);
    EXPECT_EQ(sent_, kImageBytes);
    EXPECT_TRUE(Slot() == image_);
    EXPECT_FALSE(std::filesystem::exists(slot_.string() + ".part"));
  }
  void ExpectSlotUntouched() {
    EXPECT_FALSE(std::filesystem::exists(slot_));
    EXPECT_FALSE(std::filesystem::exists(slot_.string() + ".part"));
  }
  std::string Slot() const {
    std::ifstream file(slot_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  // Of a process of its own: ctest runs several tests at a time.
  const std::filesystem::path folder_ = ::testing::TempDir() + "firmware-test-" + std::to_string(getpid());
  const bool made_ = std::filesystem::create_directories(folder_);
  const std::filesystem::path slot_ = folder_ / "slot";
  const std::string image_ = RandomBytes(kImageBytes);
  std::uint64_t sent_ = 0;
  std::optional<absl::StatusOr<v1::UploadReply>> result_;

  World world_;
  mqttrpc::testing::RecordingOnFailure print_{world_};
  Updater updater_{slot_, kCapacity};
  mqttrpc::Server server_{world_.NewClient("device"), SmallDevice()};
  mqttrpc::Channel channel_{world_.NewClient("backend")};
  v1::FirmwareStub stub_{channel_, "device"};
};

TEST_F(FirmwareTest, AnImageArrivesInOneFramePerChunk) {
  Begin(image_);
  ASSERT_NO_FATAL_FAILURE(ExpectWholeImage());
  std::size_t messages = 0;
  for (const auto& packet : world_.recorder().From("backend", PacketKind::kPublish)) {
    if (!packet.payload.empty()) ++messages;
  }
  EXPECT_EQ(messages, kChunks + 1);  // And what the image is.
}

TEST_F(FirmwareTest, TheBackendIsNeverFarAheadOfTheDevice) {
  world_.faults().To("device").Latency(seconds(1));
  Begin(image_);
  world_.Advance(milliseconds(1'500));  // The device has the opening, not yet a chunk.
  EXPECT_LE(sent_, 16 * kChunkBytes);
  ExpectWholeImage();
}

TEST_F(FirmwareTest, GoesOnAfterTheBackendWasCutOff) {
  ASSERT_NO_FATAL_FAILURE(BeginHalf());
  world_.faults().Cut("backend");
  ExpectWholeImage();
}

TEST_F(FirmwareTest, GoesOnAfterTheDeviceWasCutOff) {
  ASSERT_NO_FATAL_FAILURE(BeginHalf());
  world_.faults().Cut("device");
  ExpectWholeImage();
}

TEST_F(FirmwareTest, GoesOnAfterCutsAtEveryTenthChunk) {
  for (std::size_t nth = 10; nth <= kChunks; nth += 10) {
    world_.faults().From("backend").Nth(nth, PacketKind::kPublish).CutBefore();
    world_.faults().To("device").Nth(nth + 5, PacketKind::kPublish).CutAfter();
  }
  Begin(image_);
  ExpectWholeImage();
}

TEST_F(FirmwareTest, GoesOnAfterTheBrokerWasRestarted) {
  ASSERT_NO_FATAL_FAILURE(BeginHalf());
  world_.CrashBroker();
  world_.Advance(seconds(5));
  EXPECT_FALSE(result_.has_value());
  world_.StartBroker();
  ExpectWholeImage();
}

TEST_F(FirmwareTest, EndsWhenTheBrokerStaysAway) {
  ASSERT_NO_FATAL_FAILURE(BeginHalf());
  world_.CrashBroker();
  EXPECT_EQ(Result().status().code(), absl::StatusCode::kUnavailable);
  world_.Advance(seconds(60));  // The device has its own patience.
  ExpectSlotUntouched();
}

TEST_F(FirmwareTest, TheDeviceForgetsAnUploadWhoseBackendStaysAway) {
  ASSERT_NO_FATAL_FAILURE(BeginHalf());
  world_.faults().Refuse("backend");
  world_.faults().Cut("backend");
  world_.Advance(seconds(60));
  ExpectSlotUntouched();
  EXPECT_EQ(server_.running_calls(), 0u);
}

TEST_F(FirmwareTest, RefusesASecondUploadMeanwhile) {
  ASSERT_NO_FATAL_FAILURE(BeginHalf());
  const auto ignore = [](std::uint64_t) {};
  const auto second = world_.Run(Upload(stub_, "1.3.0", image_, kChunkBytes, ignore));
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition) << second.status();
  ExpectWholeImage();
}

TEST_F(FirmwareTest, RefusesAnImageLargerThanTheSlotAtOnce) {
  Begin(RandomBytes(kCapacity + 1));
  EXPECT_EQ(Result().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(mqttrpc::IsRemote(Result().status()));
  EXPECT_LT(sent_, kImageBytes);
  ExpectSlotUntouched();
}

TEST_F(FirmwareTest, RefusesBytesThatAreNotTheImageNamed) {
  auto upload = stub_.Upload();
  v1::UploadRequest request;
  request.mutable_image()->set_size(5);
  request.mutable_image()->set_sha256(std::string(32, 'x'));
  upload.Write(request, [](bool) {});
  request.set_chunk("hello");
  world_.RunUntilQuiet();
  upload.Write(request, [](bool) {});
  const auto reply = world_.Run(upload.Finish());
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kDataLoss) << reply.status();
  EXPECT_THAT(std::string(reply.status().message()), HasSubstr("SHA-256"));
  ExpectSlotUntouched();
}

}  // namespace
}  // namespace demo::firmware
