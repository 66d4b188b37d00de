// mqttrpc-bench: our broker and our calls beside those of others, in one run.
#include <cstdio>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <CLI/CLI.hpp>

#include "report/conditions.h"
#include "report/plot.h"
#include "report/process_usage.h"
#include "report/table.h"
#include "scenarios/runner.h"
#include "scenarios/scenario.h"
#include "systems/peer.h"
#include "systems/stream_programs.h"
#include "systems/versions.h"

namespace bench {
namespace {

constexpr char kDescription[] =
    "Measures mqttrpcd beside mosquitto and mqttrpc's calls beside gRPC, on loopback TCP, all in one run.\n\n"
    "Every case runs over each of its systems right after one another, in several rounds. The tables show\n"
    "each system's median (min-max) of the rounds, and `ratio`: ours divided by theirs in the same round, its\n"
    "median (min-max). Of what ends in /s more is better, of everything else less.\n\n"
    "`us/message` is CPU time, as the system accounts for it; a message counts once for each who gets it.\n"
    "Whoever loses or disorders anything has `void` in its cells, and why below the table.";

constexpr char kExamples[] =
    "\nExamples:\n"
    "  mqttrpc-bench                                     the quick set, four minutes\n"
    "  mqttrpc-bench --full --rounds 5 --markdown a.md   everything; takes half an hour\n"
    "  mqttrpc-bench --only 'fan-out|QoS 2'              cases whose \"table: case\" matches\n"
    "  mqttrpc-bench --list                              the names of all cases\n";

struct Output {
  std::string markdown;
  std::string json;
  std::string plot;
  bool list = false;
};

std::vector<Case> AllCases(bool full) {
  std::vector<Case> cases;
  for (const auto& some : {MessageCases(full), RequestCases(full), CallCases(full), InProcessCases(), StreamCases(full),
                           SlowReaderCases(), LargeMessageCases(full), ConnectionCases(full), SubscriptionCases(full),
                           RetainedCases(full), FairnessCases(), FrozenCases(full), ShardCases()}) {
    cases.insert(cases.end(), some.begin(), some.end());
  }
  return cases;
}

// Thousands of connections need as many open files. Children inherit it.
void RaiseFileLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

bool Save(const std::string& file, const std::string& text) {
  if (file.empty()) return true;
  std::ofstream out(file);
  out << text;
  out.close();
  if (!out) std::fprintf(stderr, "mqttrpc-bench: cannot write %s\n", file.c_str());
  return static_cast<bool>(out);
}

int Run(const Settings& settings, const Output& output, const std::string& command) {
  RaiseFileLimit();
  Report report;
  report.conditions = Conditions();
  report.conditions.push_back(MosquittoVersion() + ", " + GrpcVersion());
  report.conditions.push_back(std::to_string(settings.rounds) + (settings.rounds == 1 ? " round of " : " rounds of ") +
                              std::to_string(settings.interval.count()) + " ms, " +
                              (settings.full ? "full set" : "quick set") + ": `" + command + "`");
  if (!SystemCallCounter::WhyNot().empty()) report.conditions.push_back(SystemCallCounter::WhyNot());
  report.rows = RunCases(AllCases(settings.full), settings);
  if (report.rows.empty()) {
    std::fprintf(stderr, "mqttrpc-bench: no case matches '%s'; see --list\n", settings.only.c_str());
    return 2;
  }
  const std::string markdown = Markdown(report);
  std::printf("%s", markdown.c_str());
  const bool saved = Save(output.markdown, markdown) && Save(output.json, Json(report)) &&
                     (output.plot.empty() || Plot(report, output.plot));
  return saved ? 0 : 1;
}

// As a shell would take it.
std::string Quoted(const std::string& argument) {
  const bool plain = argument.find_first_of(" |&;<>()$`\\\"'*?[]#~^") == std::string::npos;
  return plain ? argument : "'" + argument + "'";
}

std::string CheckPattern(const std::string& pattern) {
  try {
    const std::regex compiled(pattern);
    return "";
  } catch (const std::regex_error& error) {
    return error.what();
  }
}

CLI::App* AddStreamCaller(CLI::App& app, StreamCallerOptions& streams) {
  CLI::App* call = app.add_subcommand("call-streams", "")->group("");
  call->add_option("--address", streams.address)->required();
  call->add_option("--counts", streams.counts_file)->required();
  call->add_option("--streams", streams.streams);
  call->add_option("--bytes", streams.payload_bytes);
  call->add_option("--frames", streams.frames);
  call->add_option("--read-only", streams.read_only);
  call->add_flag("--grpc", streams.grpc);
  call->add_flag("--upload", streams.upload);
  return call;
}

int Main(int argc, char** argv) {
  Settings settings;
  Output output;
  int milliseconds = 0;
  CLI::App app(kDescription);
  app.footer(kExamples);
  bool quick = false;
  auto* quick_flag = app.add_flag("--quick", quick, "The small set; what happens without --full");
  app.add_flag("--full", settings.full, "All cases, up to 10,000 connections and a million subscriptions")
      ->excludes(quick_flag);
  app.add_option("--only", settings.only, "Cases whose \"table: case\" this regular expression matches, in any case")
      ->type_name("PATTERN")
      ->check(CheckPattern);
  app.add_option("--rounds", settings.rounds, "How often everything is measured; an odd number has a middle")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--milliseconds", milliseconds, "How long each run measures [400; with --full 2000]")
      ->check(CLI::Range(10, 600'000));
  app.add_option("--json", output.json, "Write all values there, each round's by themselves")->type_name("FILE");
  app.add_option("--markdown", output.markdown, "Write the tables there too")->type_name("FILE");
  app.add_option("--plot", output.plot, "Draw there how figures grow, as SVG; of use with --full")->type_name("DIR");
  app.add_flag("--list", output.list, "Say the cases' names and run nothing");
  // For processes of our own.
  std::string broker_url;
  CLI::App* serve_mqttrpc = app.add_subcommand("serve-mqttrpc", "")->group("");
  serve_mqttrpc->add_option("--broker", broker_url)->required();
  std::size_t frame_bytes = 0;
  serve_mqttrpc->add_option("--frame-bytes", frame_bytes);
  const CLI::App* serve_grpc = app.add_subcommand("serve-grpc", "")->group("");
  std::string next;
  CLI::App* serve_bare_relay = app.add_subcommand("serve-bare-relay", "")->group("");
  serve_bare_relay->add_option("--next", next);
  std::string counts_file;
  CLI::App* serve_mqttrpc_streams = app.add_subcommand("serve-mqttrpc-streams", "")->group("");
  serve_mqttrpc_streams->add_option("--broker", broker_url)->required();
  serve_mqttrpc_streams->add_option("--counts", counts_file)->required();
  CLI::App* serve_grpc_streams = app.add_subcommand("serve-grpc-streams", "")->group("");
  serve_grpc_streams->add_option("--counts", counts_file)->required();
  StreamCallerOptions streams;
  serve_mqttrpc_streams->add_option("--frames", streams.frames);
  const CLI::App* call_streams = AddStreamCaller(app, streams);
  CLI11_PARSE(app, argc, argv);
  if (serve_mqttrpc->parsed()) return ServeMqttrpc(broker_url, frame_bytes);
  if (serve_grpc->parsed()) return ServeGrpc();
  if (serve_bare_relay->parsed()) return ServeBareRelay(next);
  if (serve_mqttrpc_streams->parsed()) return ServeMqttrpcStreams(broker_url, counts_file, streams.frames);
  if (serve_grpc_streams->parsed()) return ServeGrpcStreams(counts_file);
  if (call_streams->parsed()) return streams.grpc ? CallGrpcStreams(streams) : CallMqttrpcStreams(streams);
  settings.interval = std::chrono::milliseconds(milliseconds > 0 ? milliseconds : settings.full ? 2000 : 400);
  if (output.list) {
    for (const Case& one : AllCases(settings.full)) std::printf("%s: %s\n", one.table.c_str(), one.name.c_str());
    return 0;
  }
  std::string command = "mqttrpc-bench";
  for (int i = 1; i < argc; ++i) command += " " + Quoted(argv[i]);
  return Run(settings, output, command);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) { return bench::Main(argc, argv); }
