// What a payload may do to the one who reads it.
#include "payload.h"

#include <gmock/gmock.h>
#include <google/protobuf/struct.pb.h>
#include <gtest/gtest.h>

namespace mqttrpc {
namespace {

std::string Lists(int depth) { return std::string(depth, '[') + std::string(depth, ']'); }

// Protobuf's parser would follow lists as deep as they go.
TEST(ReadPayloadTest, RefusesJsonThatNestsTooDeep) {
  google::protobuf::ListValue list;
  EXPECT_TRUE(ReadPayload(Lists(8), ContentType::kJson, list).ok());
  const absl::Status status = ReadPayload(Lists(33), ContentType::kJson, list);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), testing::HasSubstr("nests deeper than 32"));
}

TEST(ReadPayloadTest, BracketsInStringsDoNotNest) {
  google::protobuf::ListValue list;
  const absl::Status status =
      ReadPayload("[\"" + std::string(100, '[') + "\\\"" + std::string(100, '{') + "\"]", ContentType::kJson, list);
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace mqttrpc
