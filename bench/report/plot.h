// How figures grow with a number: curves, drawn by gnuplot.
#pragma once

#include <string>

#include "report/table.h"

namespace bench {

// Writes an SVG for each Growth::series that has at least two numbers into `folder`,
// which is made: a small diagram for each metric, a line for each system, bars from the
// least to the most of the rounds. False, after a word on stderr, if gnuplot is not
// installed or the folder cannot be written.
bool Plot(const Report& report, const std::string& folder);

}  // namespace bench
