// By its name in our tests.
#pragma once

#include "mqttrpc/testing/seeded_random.h"
#include "support/testing_names.h"

namespace mqttrpc::test {
using mqttrpc::testing::SeededRandom;
}  // namespace mqttrpc::test
