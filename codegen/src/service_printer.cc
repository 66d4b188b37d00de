#include "service_printer.h"

#include "comments.h"

namespace mqttrpc::codegen {
namespace {

// 86400000 -> "86'400'000".
std::string Grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, '\'');
  }
  return digits;
}

void PrintHandlers(const MethodModel& method, gpb::io::Printer& out) {
  Variables variables = method.variables;
  variables["comment"] = DetachedCommentsOf(*method.descriptor, "  ") + CommentOf(*method.descriptor, "  ");
  out.Print(variables, R"(
$comment$  virtual $result$ $name$($parameters$);
  virtual $asio$awaitable<$result$> $coroutine$($parameters$);
)");
}

// Of mqttrpc::MethodKind; null for its default.
const char* Enumerator(MethodKind kind) {
  switch (kind) {
    case MethodKind::kUnary: break;
    case MethodKind::kServerStreaming: return "kServerStreaming";
    case MethodKind::kClientStreaming: return "kClientStreaming";
    case MethodKind::kBidiStreaming: return "kBidiStreaming";
  }
  return nullptr;
}

void PrintMethodInfo(const MethodModel& method, gpb::io::Printer& out) {
  const Variables& v = method.variables;
  std::string line = "      {.name = \"" + v.at("wire_name") + "\"";
  if (method.settings.timeout_ms != 0) {
    line += ", .timeout = " + v.at("std") + "chrono::milliseconds(" + Grouped(method.settings.timeout_ms) + ")";
  }
  if (method.settings.at_most_once) line += ", .qos = " + v.at("rt") + "mqtt::QoS::kAtMostOnce";
  if (method.settings.idempotency != "kUnknown") {
    line += ", .idempotency = " + v.at("rt") + "Idempotency::" + method.settings.idempotency;
  }
  if (const char* kind = Enumerator(method.kind)) line += ", .kind = " + v.at("rt") + "MethodKind::" + kind;
  out.PrintRaw(line + "},\n");
}

void PrintInfo(const ServiceModel& service, gpb::io::Printer& out) {
  Variables variables = service.variables;
  out.Print(variables, "const $rt$ServiceInfo& $service$::Info() {\n");
  if (!service.methods.empty()) {
    out.Print(variables, "  static constexpr $rt$MethodInfo kMethods[] = {\n");
    for (const MethodModel& method : service.methods) PrintMethodInfo(method, out);
    out.PrintRaw("  };\n");
  }
  // A ShareName may hold `"` and `\`.
  std::string group;
  for (const char c : service.share_group) {
    if (c == '"' || c == '\\') group += '\\';
    group += c;
  }
  variables["share_group"] = group.empty() ? "" : ".share_group = \"" + group + "\", ";
  variables["methods"] = service.methods.empty() ? "{}" : "kMethods";
  out.Print(variables,
            R"(  static constexpr $rt$ServiceInfo kInfo = {.name = "$full_name$", $share_group$.methods = $methods$};
  return kInfo;
}

const $rt$ServiceInfo& $service$::info() const { return Info(); }
)");
}

void PrintServe(const ServiceModel& service, gpb::io::Printer& out) {
  out.Print(service.variables, R"(
void $service$::Serve($std$size_t method, $rt$ServerCall call) {
)");
  if (!service.methods.empty()) {
    out.PrintRaw("  switch (method) {\n");
    for (const MethodModel& method : service.methods) {
      out.Print(
          method.variables,
          R"(    case $index$: return $rt$ServeMethod(*this, $std$move(call), &$service$::$name$, &$service$::$coroutine$);
)");
    }
    out.PrintRaw("  }\n");
  }
  out.Print(service.variables, R"(  call.Finish($rt$UnimplementedMethod(Info(), method), nullptr);
}
)");
}

const char* HowToServe(const ServiceModel& service) {
  if (service.methods.empty()) return "// Derive from it and add it to an mqttrpc::Server.\n";
  if (!HasStreams(service)) {
    return R"(// Derive from it, override one of each two functions, and add it to an
// mqttrpc::Server. The first answers at once; the other, a coroutine, may wait;
// both may use `context` and `request` until they end. A method with neither
// answers kUnimplemented.
)";
  }
  return R"(// Derive from it, override one of each two functions, and add it to an
// mqttrpc::Server. The first does not wait; the other, a coroutine, may; both may
// use their arguments until they end. A method with neither answers kUnimplemented.
//
// What a method with a reader or a writer returns is how its stream ends. The first
// of its functions may block in Read() and Write() (mqttrpc::kBlocking) only where
// ServerOptions::handler_executor has threads for it.
)";
}

}  // namespace

void PrintServiceClass(const ServiceModel& service, gpb::io::Printer& out) {
  Variables variables = service.variables;
  const std::string comment = CommentOf(*service.descriptor, "");
  variables["comment"] = DetachedCommentsOf(*service.descriptor, "") + comment + (comment.empty() ? "" : "//\n");
  out.Print(variables, R"(
$comment$// Serves $full_name$.
)");
  out.PrintRaw(HowToServe(service));
  out.Print(variables, R"(class $service$ : public $rt$Service {
 public:
  // Names and options as the .proto has them.
  static const $rt$ServiceInfo& Info();

  const $rt$ServiceInfo& info() const final;
  void Serve($std$size_t method, $rt$ServerCall call) final;
)");
  for (const MethodModel& method : service.methods) PrintHandlers(method, out);
  out.PrintRaw("};\n");
}

void PrintServiceSource(const ServiceModel& service, gpb::io::Printer& out) {
  out.PrintRaw("\n");
  PrintInfo(service, out);
  PrintServe(service, out);
  for (const MethodModel& method : service.methods) {
    out.Print(method.variables, R"(
$result$ $service$::$name$($types$) {
  return $rt$UnimplementedMethod(Info(), $index$);
}

$asio$awaitable<$result$> $service$::$coroutine$($types$) {
  return {};  // Not overridden.
}
)");
  }
}

}  // namespace mqttrpc::codegen
