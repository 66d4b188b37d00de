// What there is to measure.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "report/sample.h"
#include "report/table.h"

namespace bench {

struct Settings {
  bool full = false;  // More cases, and larger ones.
  int rounds = 3;
  std::chrono::milliseconds interval{400};  // How long one run measures.
  std::string only;                         // Cases whose "table: name" it matches; empty: all.
};

// One row of a table: the same work over each system in turn.
struct Case {
  std::string table;
  std::string name;
  std::vector<std::string> systems;  // Ours first; the others are what it is compared with.
  std::function<Sample(const std::string& system, const Settings&)> run;
  Growth growth;
};

// Each file of this folder adds its cases.
std::vector<Case> MessageCases(bool full);
std::vector<Case> RequestCases(bool full);
std::vector<Case> CallCases(bool full);
std::vector<Case> InProcessCases();
std::vector<Case> StreamCases(bool full);
std::vector<Case> SlowReaderCases();
std::vector<Case> LargeMessageCases(bool full);
std::vector<Case> ConnectionCases(bool full);
std::vector<Case> SubscriptionCases(bool full);
std::vector<Case> RetainedCases(bool full);
std::vector<Case> FairnessCases();
std::vector<Case> FrozenCases(bool full);
std::vector<Case> ShardCases();

}  // namespace bench
