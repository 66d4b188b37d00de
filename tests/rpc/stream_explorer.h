// Streams and large messages under whatever can happen to a connection, by a seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mqttrpc::test {

// A mistake that is planted, to see that it would be found.
enum class Planted {
  kNothing,
  kResumeUnheard,    // What asks for lost frames again says so no more.
  kPayloadsSwapped,  // A message's payload is another one's.
};

// What one run has shown.
struct Exploration {
  int calls = 0;
  int completed = 0;  // OK, with everything as it should be.
  int unknown = 0;    // Lost with the session before anyone had answered: UNAVAILABLE.
  int cuts = 0;
  int restarts = 0;
  std::vector<std::string> complaints;
};

// The same seed does the same. Runs a world of its own.
Exploration ExploreStreams(std::uint64_t seed, Planted planted = Planted::kNothing);

}  // namespace mqttrpc::test
