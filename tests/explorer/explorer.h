// Runs scenarios, checks their histories, and makes those that fail small.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "actions.h"
#include "history.h"
#include "mqttrpc/testing/world.h"

namespace mqttrpc::explorer {

struct Outcome {
  std::vector<std::string> findings;
  std::string recording;  // Empty unless asked for.
  std::size_t events = 0;
};

// Plants a mistake: called with each new world before anything happens in it.
using Plant = std::function<void(testing::World&)>;

// One run. Deterministic.
Outcome Run(const Scenario& scenario, const Plant& plant = nullptr, bool record = false);

// Leaves actions out as long as a finding of the same kind stays.
Scenario Shrink(Scenario scenario, const Plant& plant = nullptr);

// Seed, findings, the actions of the shrunk scenario and its recording.
std::string Report(const Scenario& scenario, const Plant& plant = nullptr);

struct Exploration {
  std::uint64_t runs = 0;
  std::uint64_t events = 0;
  std::string report;  // Of the first seed that failed; empty if none did.
  std::vector<std::string> findings;
};

// Seeds from `first` on, until one fails; with a `kind`, until one fails in that way.
Exploration Explore(std::uint64_t first, std::uint64_t runs, const Features& features, const Plant& plant = nullptr,
                    const std::string& kind = "");

}  // namespace mqttrpc::explorer
