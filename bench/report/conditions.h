// Under which conditions a report came about.
#pragma once

#include <string>
#include <vector>

namespace bench {

// Processor, cores, system, build, and how busy the machine was: a line each.
std::vector<std::string> Conditions();

}  // namespace bench
