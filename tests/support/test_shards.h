// How many shards the brokers of a test have.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <string>

namespace mqttrpc::test {

// What holds for one shard holds for several: ctest runs some programs a second time, with
// this variable set. All shards are on the test's thread then, so a run repeats.
inline std::size_t TestShards() {
  const char* const value = std::getenv("MQTTRPC_TEST_SHARDS");
  return value == nullptr ? 1 : std::stoul(value);
}

}  // namespace mqttrpc::test
