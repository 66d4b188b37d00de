// What a daemon may take of its machine.
#pragma once

#include <cstdint>

namespace mqttrpc::broker {

// The machine's memory, or less if the process's control group has less, in bytes.
std::uint64_t MemoryOfThisProcess();

}  // namespace mqttrpc::broker
