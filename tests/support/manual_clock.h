// By its name in our tests.
#pragma once

#include "mqttrpc/testing/manual_clock.h"
#include "support/testing_names.h"

namespace mqttrpc::test {
using mqttrpc::testing::ManualClock;
}  // namespace mqttrpc::test
