#include "report/plot.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <map>
#include <system_error>
#include <vector>

namespace bench {
namespace {

using Rows = std::vector<const Row*>;

std::string FileNameOf(const std::string& title) {
  std::string name;
  for (const char c : title) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (c == '+' || c == '#') {
      name += c == '+' ? "plus" : "hash";
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  return name + ".svg";
}

std::string Quoted(const std::string& text) { return "\"" + text + "\""; }  // No title has quotes.

// A gnuplot data block: number, median, least, most. Void rows are left out.
std::string DataOf(const Rows& rows, std::size_t system, const std::string& metric) {
  std::string data;
  for (const Row* row : rows) {
    const std::vector<double> values = CountedValues(*row, system, metric);
    if (values.empty()) continue;
    char line[160];
    std::snprintf(line, sizeof(line), "%g %g %g %g\n", row->growth.number, values[(values.size() - 1) / 2],
                  values.front(), values.back());
    data += line;
  }
  return data;
}

void Draw(const std::string& title, const Rows& rows, const std::string& file, std::string& script) {
  const std::vector<std::string> metrics = MetricsOf(*rows.front());
  const std::size_t lines = (metrics.size() + 2) / 3;
  script += "set terminal svg size 1080," + std::to_string(60 + 280 * lines) + " font 'sans,12' background 'white'\n";
  script += "set output " + Quoted(file) + "\n";
  script += "set multiplot layout " + std::to_string(lines) + ",3 title " + Quoted(title) + "\n";
  script +=
      "set logscale xy\nset format xy '%.0s%c'\nunset mxtics\nunset mytics\nset grid\nset key top left samplen 1\nset "
      "xlabel " +
      Quoted(rows.front()->growth.unit) + "\n";
  for (const std::string& metric : metrics) {
    std::string plots;
    for (std::size_t i = 0; i < rows.front()->systems.size(); ++i) {
      const std::string data = DataOf(rows, i, metric);
      if (data.empty()) continue;
      const std::string block = "$d" + std::to_string(i);
      script += block + " << EOD\n" + data + "EOD\n";
      const std::string style = " lc " + std::to_string(i + 1) + " ";
      plots += (plots.empty() ? "plot " : ", ") + block + " using 1:2 with linespoints pt 7 ps 0.5" + style + "title " +
               Quoted(rows.front()->systems[i]) + ", " + block + " using 1:2:3:4 with yerrorbars ps 0" + style +
               "notitle";
    }
    if (plots.empty()) continue;
    script += "set title " + Quoted(metric) + "\n" + plots + "\n";
  }
  script += "unset multiplot\nunset output\nreset\n";
}

}  // namespace

bool Plot(const Report& report, const std::string& folder) {
  std::map<std::string, Rows> series;
  for (const Row& row : report.rows) {
    if (!row.growth.series.empty()) series[row.table + ": " + row.growth.series].push_back(&row);
  }
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  std::string script;
  for (auto& [title, rows] : series) {
    if (rows.size() < 2) continue;
    std::sort(rows.begin(), rows.end(), [](const Row* a, const Row* b) { return a->growth.number < b->growth.number; });
    Draw(title, rows, std::filesystem::path(folder) / FileNameOf(title), script);
  }
  FILE* gnuplot = popen("gnuplot", "w");
  if (gnuplot == nullptr) return false;
  std::fwrite(script.data(), 1, script.size(), gnuplot);
  const bool drawn = pclose(gnuplot) == 0;
  if (!drawn) std::fprintf(stderr, "mqttrpc-bench: gnuplot could not draw into %s\n", folder.c_str());
  return drawn;
}

}  // namespace bench
