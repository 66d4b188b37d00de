#include "explorer.h"

#include <algorithm>
#include <cstddef>

#include <absl/strings/str_cat.h>

#include "runner.h"

namespace mqttrpc::explorer {
namespace {

std::string KindOf(const std::string& finding) { return finding.substr(0, finding.find(':')); }

bool HasKind(const std::vector<std::string>& findings, const std::string& kind) {
  return std::any_of(findings.begin(), findings.end(), [&](const std::string& each) { return KindOf(each) == kind; });
}

}  // namespace

Outcome Run(const Scenario& scenario, const Plant& plant, bool record) {
  Runner runner(scenario, plant, record);
  runner.Run();
  Outcome outcome;
  outcome.findings = Check(runner.history());
  outcome.findings.insert(outcome.findings.end(), runner.findings().begin(), runner.findings().end());
  outcome.events = runner.history().events.size();
  if (record) {
    outcome.recording = runner.world().recorder().ToString();
  }
  return outcome;
}

// Halves, quarters ... and at last single actions.
Scenario Shrink(Scenario scenario, const Plant& plant) {
  const auto findings = Run(scenario, plant).findings;
  if (findings.empty()) return scenario;
  const std::string kind = KindOf(findings.front());
  for (std::size_t piece = scenario.actions.size() / 2; piece > 0; piece /= 2) {
    for (std::size_t begin = 0; begin < scenario.actions.size();) {
      Scenario smaller = scenario;
      const std::size_t end = std::min(begin + piece, scenario.actions.size());
      smaller.actions.erase(smaller.actions.begin() + static_cast<std::ptrdiff_t>(begin),
                            smaller.actions.begin() + static_cast<std::ptrdiff_t>(end));
      if (HasKind(Run(smaller, plant).findings, kind)) {
        scenario = std::move(smaller);
      } else {
        begin += piece;
      }
    }
  }
  return scenario;
}

std::string Report(const Scenario& scenario, const Plant& plant) {
  std::string text = absl::StrCat("MQTTRPC_EXPLORER_SEED=", scenario.seed, "\n");
  for (const std::string& each : Run(scenario, plant).findings) absl::StrAppend(&text, each, "\n");
  const Scenario small = Shrink(scenario, plant);
  absl::StrAppend(&text, "\nShrunk to ", small.actions.size(), " of ", scenario.actions.size(), " actions:\n");
  for (const Action& each : small.actions) absl::StrAppend(&text, "  ", ToString(each), "\n");
  const Outcome outcome = Run(small, plant, true);
  for (const std::string& each : outcome.findings) absl::StrAppend(&text, each, "\n");
  absl::StrAppend(&text, "\nRecording:\n", outcome.recording);
  return text;
}

Exploration Explore(std::uint64_t first, std::uint64_t runs, const Features& features, const Plant& plant,
                    const std::string& kind) {
  Exploration exploration;
  for (std::uint64_t seed = first; seed < first + runs; ++seed) {
    const Scenario scenario = Draw(seed, features);
    const Outcome outcome = Run(scenario, plant);
    ++exploration.runs;
    exploration.events += outcome.events;
    if (outcome.findings.empty() || (!kind.empty() && !HasKind(outcome.findings, kind))) continue;
    exploration.findings = outcome.findings;
    exploration.report = Report(scenario, plant);
    break;
  }
  return exploration;
}

}  // namespace mqttrpc::explorer
