#include "report/table.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <optional>

#include <nlohmann/json.hpp>

namespace bench {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

double ValueOf(const Sample& sample, const std::string& metric) {
  const auto found = std::find_if(sample.metrics.begin(), sample.metrics.end(),
                                  [&](const Metric& candidate) { return candidate.name == metric; });
  return found == sample.metrics.end() ? kNothing : found->value;
}

// Of an even number the lower of the two in the middle: a value that was measured.
std::string Spread(std::vector<double> values) {
  std::erase_if(values, [](double value) { return !std::isfinite(value); });
  if (values.empty()) return "-";
  std::sort(values.begin(), values.end());
  const std::string median = Short(values[(values.size() - 1) / 2]);
  if (values.size() == 1) return median;
  return median + " (" + Short(values.front()) + "-" + Short(values.back()) + ")";
}

bool IsVoid(const Row& row, std::size_t system) {
  return std::any_of(row.rounds.begin(), row.rounds.end(),
                     [&](const auto& round) { return !WhyVoid(round[system]).empty(); });
}

std::string Cell(const Row& row, std::size_t system, const std::string& metric) {
  return IsVoid(row, system) ? "void" : Spread(CountedValues(row, system, metric));
}

std::string Ratio(const Row& row, std::size_t peer, const std::string& metric) {
  if (IsVoid(row, 0) || IsVoid(row, peer)) return "-";
  std::vector<double> ratios;
  for (const auto& round : row.rounds) ratios.push_back(ValueOf(round[0], metric) / ValueOf(round[peer], metric));
  return Spread(std::move(ratios));
}

std::string Header(const Row& row) {
  std::string names = "| case | metric |";
  std::string rule = "|---|---|";
  for (std::size_t i = 0; i < row.systems.size(); ++i) {
    names += " " + row.systems[i] + " |" + (i > 0 ? " ratio |" : "");
    rule += i > 0 ? "---|---|" : "---|";
  }
  return names + "\n" + rule + "\n";
}

void AppendLines(const Row& row, std::string& out, std::string& notes) {
  std::vector<std::string> metrics = MetricsOf(row);
  if (metrics.empty()) metrics.emplace_back("-");
  for (const std::string& metric : metrics) {
    out += "| " + (&metric == metrics.data() ? row.name : std::string()) + " | " + metric + " |";
    for (std::size_t i = 0; i < row.systems.size(); ++i) {
      out += " " + Cell(row, i, metric) + " |";
      if (i > 0) out += " " + Ratio(row, i, metric) + " |";
    }
    out += "\n";
  }
  for (std::size_t round = 0; round < row.rounds.size(); ++round) {
    for (std::size_t i = 0; i < row.systems.size(); ++i) {
      const std::string why = WhyVoid(row.rounds[round][i]);
      if (why.empty()) continue;
      notes +=
          "- void: " + row.name + ", " + row.systems[i] + ", round " + std::to_string(round + 1) + ": " + why + "\n";
    }
  }
}

}  // namespace

std::vector<std::string> MetricsOf(const Row& row) {
  std::vector<std::string> names;
  for (const auto& round : row.rounds) {
    for (const Sample& sample : round) {
      for (const Metric& metric : sample.metrics) {
        if (std::find(names.begin(), names.end(), metric.name) == names.end()) names.push_back(metric.name);
      }
    }
  }
  return names;
}

std::vector<double> CountedValues(const Row& row, std::size_t system, const std::string& metric) {
  std::vector<double> values;
  if (IsVoid(row, system)) return values;
  for (const auto& round : row.rounds) values.push_back(ValueOf(round[system], metric));
  std::erase_if(values, [](double value) { return !std::isfinite(value); });
  std::sort(values.begin(), values.end());
  return values;
}

std::string Short(double value) {
  if (!std::isfinite(value)) return "-";
  const char* unit = "";
  if (std::abs(value) >= 999'500) {
    value /= 1e6;
    unit = " M";
  } else if (std::abs(value) >= 9'995) {
    value /= 1e3;
    unit = " k";
  }
  const int digits = value == 0 ? 1 : static_cast<int>(std::floor(std::log10(std::abs(value)))) + 1;
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f%s", std::clamp(3 - digits, 0, 4), value, unit);
  return text;
}

std::string WhyVoid(const Sample& sample) {
  std::string why = sample.void_reason;
  const auto add = [&why](std::uint64_t count, const char* what) {
    if (count > 0) why += (why.empty() ? "" : "; ") + std::to_string(count) + what;
  };
  add(sample.losses, " lost");
  add(sample.disorder, " twice or out of order");
  return why;
}

std::string Markdown(const Report& report) {
  std::string out;
  for (const std::string& line : report.conditions) out += "- " + line + "\n";
  // Rows of one table may stand apart in the list; they come out together.
  std::vector<std::string> done;
  for (const Row& first : report.rows) {
    if (std::find(done.begin(), done.end(), first.table) != done.end()) continue;
    done.push_back(first.table);
    std::string notes;
    out += "\n## " + first.table + "\n\n" + Header(first);
    for (const Row& row : report.rows) {
      if (row.table == first.table) AppendLines(row, out, notes);
    }
    if (!notes.empty()) out += "\n" + notes;
  }
  return out;
}

std::string Json(const Report& report) {
  nlohmann::ordered_json json;
  json["conditions"] = report.conditions;
  json["rows"] = nlohmann::ordered_json::array();
  for (const Row& row : report.rows) {
    nlohmann::ordered_json entry = {{"table", row.table}, {"case", row.name}, {"systems", nlohmann::json::object()}};
    for (std::size_t i = 0; i < row.systems.size(); ++i) {
      auto& rounds = entry["systems"][row.systems[i]] = nlohmann::ordered_json::array();
      for (const auto& round : row.rounds) {
        nlohmann::ordered_json values;
        for (const Metric& metric : round[i].metrics) values[metric.name] = metric.value;  // NaN becomes null.
        rounds.push_back({{"metrics", values}, {"void", WhyVoid(round[i])}});
      }
    }
    json["rows"].push_back(std::move(entry));
  }
  return json.dump(1) + "\n";
}

}  // namespace bench
