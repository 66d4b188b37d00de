#include "command_line.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>

#include <CLI/CLI.hpp>
#include <asio/ip/address.hpp>

#include "memory.h"
#include "mqttrpc/mqtt/endpoint.h"

namespace mqttrpc::broker {
namespace {

constexpr int kUsageError = 2;

constexpr const char* kDescription =
    "mqttrpcd: a broker for mqttrpc and any other client of MQTT 5, 3.1.1 or 3.1.\n"
    "Serves until SIGINT or SIGTERM. When it is ready, it prints one line per listener to stdout:\n"
    "  listening on mqtt://127.0.0.1:1883\n"
    "Log lines go to stderr.";

constexpr const char* kExamples =
    "Examples:\n"
    "  mqttrpcd                                     loopback, the usual port\n"
    "  mqttrpcd --listen mqtt://127.0.0.1:0         a free port; read it from stdout\n"
    "  mqttrpcd --listen mqtt://127.0.0.1:1883 --listen 'mqtt://[::1]:1883'\n"
    "  mqttrpcd --listen mqtt://0.0.0.0:1883 --allow-anonymous\n"
    "                                               everyone who reaches this machine may connect\n"
    "\n"
    "Sizes are bytes, or numbers with a unit: 64KB, 16MB (1KB is 1024 bytes).\n"
    "Exit status: 0 after a signal, 1 if it could not listen, 2 after a mistake in the options.\n"
    "\n"
    "Figures of the running broker, those of dropped messages too, are under $SYS/broker/#.\n"
    "Not there yet: passwords, TLS, WebSocket, sessions on disk. Clients of MQTT 5\n"
    "learn the limits from CONNACK.";

bool IsLoopback(const std::string& host) {
  if (host == "localhost") return true;
  asio::error_code error;
  const asio::ip::address address = asio::ip::make_address(host, error);
  return !error && address.is_loopback();
}

// Empty if `url` may be listened on.
std::string RefusalOf(const std::string& url, bool allow_anonymous) {
  const auto endpoint = mqtt::ParseEndpoint(url);
  if (!endpoint.ok()) return "--listen: " + std::string(endpoint.status().message());
  if (allow_anonymous || IsLoopback(endpoint->host)) return {};
  return "--listen " + url + ": " + endpoint->host +
         " is not a loopback address, and mqttrpcd has no authentication yet: everyone who reaches it could read and\n"
         "send everything. Listen on 127.0.0.1 or [::1], or add --allow-anonymous if that is what you want.";
}

// A check without a line of its own in the help text.
CLI::Validator Between(std::uint64_t least, std::uint64_t most) { return CLI::Range(least, most).description(""); }
CLI::Validator Size() { return CLI::AsSizeValue(false).description(""); }

constexpr std::uint64_t kMany = 1'000'000'000;  // Of things.
constexpr std::size_t kLeastMemory = 8 * 1024 * 1024;
constexpr std::uint64_t kMuch = std::uint64_t{1} << 50;  // Bytes.

// Options of types that a command line has no word for, as numbers.
struct Numbers {
  explicit Numbers(const BrokerOptions& options)
      : connect_timeout_seconds(InSeconds(options.connect_timeout)),
        write_timeout_seconds(InSeconds(options.write_timeout)),
        sys_interval_seconds(InSeconds(options.sys_interval)),
        max_qos(static_cast<unsigned>(options.maximum_qos)) {}

  void CopyTo(BrokerOptions& options) const {
    options.connect_timeout = std::chrono::seconds(connect_timeout_seconds);
    options.write_timeout = std::chrono::seconds(write_timeout_seconds);
    options.sys_interval = std::chrono::seconds(sys_interval_seconds);
    options.maximum_qos = static_cast<mqtt::QoS>(max_qos);
  }

  static unsigned InSeconds(std::chrono::milliseconds time) {
    return static_cast<unsigned>(std::chrono::duration_cast<std::chrono::seconds>(time).count());
  }

  unsigned connect_timeout_seconds;
  unsigned write_timeout_seconds;
  unsigned sys_interval_seconds;
  unsigned max_qos;
};

void AddLimits(CLI::App& app, BrokerOptions& options, Numbers& numbers) {
  const auto add = [&app](const char* name, auto& value, const char* type, const char* help) {
    return app.add_option(name, value, help)->group("Limits")->type_name(type)->capture_default_str();
  };
  add("--max-connections", options.maximum_connections, "N", "Clients at a time; more are refused with 0x97")
      ->check(Between(1, 10'000'000));
  add("--max-packet-size", options.maximum_packet_size, "BYTES", "Largest packet taken from a client")
      ->transform(Size())
      ->check(Between(64, 268'435'460));
  add("--max-topic-bytes", options.maximum_topic_bytes, "BYTES", "Longest Topic Name and Topic Filter")
      ->transform(Size())
      ->check(Between(1, 65'535));
  add("--max-subscriptions", options.maximum_subscriptions, "N", "Topic Filters of one client")
      ->check(Between(0, kMany));
  add("--max-subscription-bytes", options.maximum_subscription_bytes, "BYTES", "Memory they may take")
      ->transform(Size())
      ->check(Between(0, kMuch));
  add("--max-queued-messages", options.maximum_queued_messages, "N",
      "Messages that may wait for one client; more are dropped")
      ->check(Between(0, kMany));
  add("--max-queued-bytes", options.maximum_queued_bytes, "BYTES", "The same in bytes")
      ->transform(Size())
      ->check(Between(0, kMuch));
  add("--max-total-queued-bytes", options.maximum_total_queued_bytes, "BYTES",
      "For all clients together; near it, publishers are slowed down. Else a quarter of the machine's memory")
      ->transform(Size())
      ->check(Between(64 * 1024, kMuch));
  add("--max-connect-packet-size", options.maximum_connect_packet_size, "BYTES", "Largest CONNECT, its will included")
      ->transform(Size())
      ->check(Between(64, 268'435'460));
  add("--max-qos", numbers.max_qos, "QOS", "Highest QoS taken and granted")->check(Between(0, 2));
  add("--receive-maximum", options.receive_maximum, "N", "Unacknowledged QoS 1 and 2 messages from one client")
      ->check(Between(1, 65'535));
  add("--max-in-flight", options.maximum_in_flight, "N", "The same towards one client")->check(Between(1, 65'535));
  add("--max-sessions", options.maximum_sessions, "N",
      "Sessions, connected or not; beyond it they end with their connection")
      ->check(Between(0, kMany));
  add("--max-session-expiry", options.maximum_session_expiry, "SECONDS",
      "How long a session may outlive its connection; 4294967295: for ever")
      ->check(Between(0, 4'294'967'295));
  add("--v3-session-expiry", options.v3_session_expiry, "SECONDS",
      "The same for MQTT 3 with Clean Session 0, which cannot ask")
      ->check(Between(0, 4'294'967'295));
  add("--max-retained-messages", options.maximum_retained_messages, "N", "Retained messages; 0: none are kept")
      ->check(Between(0, kMany));
  add("--max-retained-bytes", options.maximum_retained_bytes, "BYTES", "The same in bytes")
      ->transform(Size())
      ->check(Between(0, kMuch));
  add("--topic-alias-maximum", options.topic_alias_maximum, "N", "Topic Aliases of one client; 0: none")
      ->check(Between(0, 65'535));
  add("--outgoing-topic-alias-maximum", options.outgoing_topic_alias_maximum, "N", "The same towards one client")
      ->check(Between(0, 65'535));
  add("--sys-interval", numbers.sys_interval_seconds, "SECONDS", "Between two sendings of $SYS; 0: no $SYS")
      ->check(Between(0, 86'400));
  add("--max-keep-alive", options.maximum_keep_alive, "SECONDS", "Largest Keep Alive; 0: whatever clients ask for")
      ->check(Between(0, 65'535));
  add("--connect-timeout", numbers.connect_timeout_seconds, "SECONDS", "Until a connection must have sent its CONNECT")
      ->check(Between(1, 3600));
  add("--write-timeout", numbers.write_timeout_seconds, "SECONDS",
      "For a write of 256 KiB; who takes less is disconnected")
      ->check(Between(1, 3600));
  add("--response-information", options.response_information_prefix, "TEXT",
      "Prefix of the Response Information that clients may ask for");
}

}  // namespace

Verdict ReadCommandLine(int argc, char** argv, CommandLine& into) {
  using mqtt::LogLevel;
  CLI::App app(kDescription, "mqttrpcd");
  app.footer(kExamples);
  app.get_formatter()->column_width(44);
  app.set_version_flag("--version", "mqttrpcd " MQTTRPCD_VERSION);
  app.add_option("--listen", into.listen, "Where to accept clients; may be repeated. Port 0: a free one")
      ->type_name("URL")
      ->allow_extra_args(false)
      ->capture_default_str();
  app.add_flag("--allow-anonymous", into.allow_anonymous, "Permit --listen on addresses that other machines reach");
  const std::map<std::string, LogLevel> levels{{"debug", LogLevel::kDebug},
                                               {"info", LogLevel::kInfo},
                                               {"warning", LogLevel::kWarning},
                                               {"error", LogLevel::kError}};
  std::string log_level = "info";
  app.add_option("--log-level", log_level, "debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}).description(""))
      ->type_name("LEVEL")
      ->capture_default_str();
  app.add_option("--shards", into.broker.shards,
                 "Threads that share the clients; each keeps all retained messages. See docs/broker.md before you take "
                 "more than 1")
      ->check(Between(1, kMaximumShards))
      ->type_name("N")
      ->capture_default_str();
  into.broker.maximum_total_queued_bytes = std::max<std::size_t>(MemoryOfThisProcess() / 4, kLeastMemory);
  Numbers numbers(into.broker);
  AddLimits(app, into.broker, numbers);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error, std::cout, std::cerr);
    return Verdict{false, status == 0 ? 0 : kUsageError};
  }
  into.log_level = levels.at(log_level);
  numbers.CopyTo(into.broker);
  into.broker.retain_available = into.broker.maximum_retained_messages > 0;
  if (const absl::Status status = Check(into.broker); !status.ok()) {
    std::cerr << "mqttrpcd: " << status.message() << '\n';
    return Verdict{false, kUsageError};
  }
  for (const std::string& url : into.listen) {
    if (const std::string refusal = RefusalOf(url, into.allow_anonymous); !refusal.empty()) {
      std::cerr << "mqttrpcd: " << refusal << '\n';
      return Verdict{false, kUsageError};
    }
  }
  return Verdict{true, 0};
}

}  // namespace mqttrpc::broker
