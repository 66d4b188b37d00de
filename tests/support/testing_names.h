// Inside namespace mqttrpc, `testing` is our library, not GoogleTest. This lets
// our tests go on naming GoogleTest's things testing::Test, testing::HasSubstr ...
#pragma once

#include <gtest/gtest.h>

namespace mqttrpc::testing {
using namespace ::testing;  // NOLINT(google-build-using-namespace): that is what this header is for.
}  // namespace mqttrpc::testing
