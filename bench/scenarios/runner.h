// Runs cases, round by round.
#pragma once

#include <vector>

#include "report/table.h"
#include "scenarios/scenario.h"

namespace bench {

// Runs those of `cases` that settings.only matches. In each round all systems of a case
// run one right after the other, so that a slow moment of the machine hits all of them,
// every other round in reverse. Progress goes to stderr.
std::vector<Row> RunCases(const std::vector<Case>& cases, const Settings& settings);

}  // namespace bench
