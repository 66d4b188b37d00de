// mqttrpc-microbench: what single operations cost, in time and in allocations.
#include <vector>

#include <benchmark/benchmark.h>

int main(int argc, char** argv) {
  // The column "allocs" instead of a remark behind each line; a flag of the user's wins.
  char tabular[] = "--benchmark_counters_tabular=true";
  std::vector<char*> arguments(argv, argv + argc);
  arguments.insert(arguments.begin() + 1, tabular);
  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
