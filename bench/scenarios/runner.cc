#include "scenarios/runner.h"

#include <cstdio>
#include <exception>
#include <regex>
#include <string>

namespace bench {
namespace {

bool Wanted(const Case& candidate, const std::string& only) {
  if (only.empty()) return true;
  return std::regex_search(candidate.table + ": " + candidate.name, std::regex(only, std::regex::icase));
}

Sample RunOne(const Case& one, const std::string& system, const Settings& settings) {
  try {
    return one.run(system, settings);
  } catch (const std::exception& error) {  // Void, mostly; whatever it is, the other rows go on.
    Sample sample;
    sample.void_reason = error.what();
    return sample;
  }
}

std::string Outcome(const Sample& sample) {
  const std::string why = WhyVoid(sample);
  if (!why.empty()) return "void: " + why;
  if (sample.metrics.empty()) return "nothing";
  return Short(sample.metrics.front().value) + " " + sample.metrics.front().name;
}

}  // namespace

std::vector<Row> RunCases(const std::vector<Case>& cases, const Settings& settings) {
  std::vector<const Case*> wanted;
  std::vector<Row> rows;
  for (const Case& one : cases) {
    if (!Wanted(one, settings.only)) continue;
    wanted.push_back(&one);
    rows.push_back({one.table, one.name, one.systems, {}, one.growth});
  }
  for (int round = 1; round <= settings.rounds; ++round) {
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const Case& one = *wanted[i];
      std::vector<Sample> samples(one.systems.size());
      for (std::size_t turn = 0; turn < one.systems.size(); ++turn) {
        const std::size_t system = round % 2 == 1 ? turn : one.systems.size() - 1 - turn;
        samples[system] = RunOne(one, one.systems[system], settings);
        std::fprintf(stderr, "round %d/%d, case %zu/%zu, %s: %s, %s: %s\n", round, settings.rounds, i + 1,
                     wanted.size(), one.table.c_str(), one.name.c_str(), one.systems[system].c_str(),
                     Outcome(samples[system]).c_str());
      }
      rows[i].rounds.push_back(std::move(samples));
    }
  }
  return rows;
}

}  // namespace bench
