// All samples of a run, as tables to read and as JSON to compute with.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "report/sample.h"

namespace bench {

// What a row's figures can be drawn over; no series: nothing.
struct Growth {
  std::string series;  // "pairs, QoS 0": rows of one table and series make a curve.
  std::string unit;    // "pairs"
  double number = 0;   // Above 0.
};

// One row's samples: rounds[round][system].
struct Row {
  std::string table;
  std::string name;
  std::vector<std::string> systems;  // The first is compared with each of the others.
  std::vector<std::vector<Sample>> rounds;
  Growth growth;
};

struct Report {
  std::vector<std::string> conditions;  // Machine, versions, command: a line each.
  std::vector<Row> rows;
};

// A table for each Row::table, a line for each metric: every system's median (min-max)
// of the rounds, and the median (min-max) of the rounds' ratios. A system that lost or
// disordered anything in any round has `void` in its cells, and why below the table.
std::string Markdown(const Report& report);

// Everything, each round's values by themselves.
std::string Json(const Report& report);

// The row's metrics, in the order in which they first occur.
std::vector<std::string> MetricsOf(const Row& row);

// A system's values of one metric, the least first; none where the row is void for it or
// the metric could not be measured.
std::vector<double> CountedValues(const Row& row, std::size_t system, const std::string& metric);

// What voids the sample; empty if it counts.
std::string WhyVoid(const Sample& sample);

// Three digits that count: "1.23 M", "412 k", "0.0712"; "-" for NaN.
std::string Short(double value);

}  // namespace bench
