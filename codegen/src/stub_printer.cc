#include "stub_printer.h"

#include <google/protobuf/descriptor.pb.h>

#include "comments.h"

namespace mqttrpc::codegen {
namespace {

void PrintUnary(const Variables& variables, gpb::io::Printer& out) {
  out.Print(variables, R"(
$comment$  template <typename Token = $rt$DefaultToken>
  $deprecated$auto $name$(const $request$& request, $rt$CallOptions options = $rt$CallOptions(), Token&& token = Token()) const {
    const $rt$ServiceInfo& info = $service$::Info();
    return channel_->Call<$reply$>(info, info.methods[$index$], target_, request, $std$move(options), $std$forward<Token>(token));
  }
)");
}

void PrintServerStreaming(const Variables& variables, gpb::io::Printer& out) {
  out.Print(variables, R"(
$comment$  $deprecated$[[nodiscard]] $rt$ClientReader<$reply$> $name$(const $request$& request, $rt$CallOptions options = $rt$CallOptions()) const {
    const $rt$ServiceInfo& info = $service$::Info();
    return channel_->OpenReader<$reply$>(info, info.methods[$index$], target_, request, $std$move(options));
  }
)");
}

void PrintClientStreaming(const Variables& variables, gpb::io::Printer& out) {
  out.Print(variables, R"(
$comment$  $deprecated$[[nodiscard]] $rt$ClientWriter<$request$, $reply$> $name$($rt$CallOptions options = $rt$CallOptions()) const {
    const $rt$ServiceInfo& info = $service$::Info();
    return channel_->OpenWriter<$request$, $reply$>(info, info.methods[$index$], target_, $std$move(options));
  }
)");
}

void PrintBidiStreaming(const Variables& variables, gpb::io::Printer& out) {
  out.Print(variables, R"(
$comment$  $deprecated$[[nodiscard]] $rt$ClientReaderWriter<$request$, $reply$> $name$($rt$CallOptions options = $rt$CallOptions()) const {
    const $rt$ServiceInfo& info = $service$::Info();
    return channel_->OpenReaderWriter<$request$, $reply$>(info, info.methods[$index$], target_, $std$move(options));
  }
)");
}

void PrintCall(const MethodModel& method, gpb::io::Printer& out) {
  Variables variables = method.variables;
  variables["comment"] = DetachedCommentsOf(*method.descriptor, "  ") + CommentOf(*method.descriptor, "  ");
  variables["deprecated"] = method.descriptor->options().deprecated() ? "[[deprecated]] " : "";
  switch (method.kind) {
    case MethodKind::kUnary: return PrintUnary(variables, out);
    case MethodKind::kServerStreaming: return PrintServerStreaming(variables, out);
    case MethodKind::kClientStreaming: return PrintClientStreaming(variables, out);
    case MethodKind::kBidiStreaming: return PrintBidiStreaming(variables, out);
  }
}

const char* HowToCall(const ServiceModel& service) {
  if (!HasStreams(service)) {
    return R"(// Every function takes a completion token, and is awaited without one. Its
// result is an absl::StatusOr of the reply.
)";
  }
  if (!HasUnary(service)) {
    return R"(// Every function opens a stream and returns what reads and writes it: see
// mqttrpc/rpc/stream.h. Hold it until Finish() has said how the call ended.
)";
  }
  return R"(// Functions that return `auto` take a completion token, and are awaited without
// one; their result is an absl::StatusOr of the reply. The others open a stream and
// return what reads and writes it: see mqttrpc/rpc/stream.h. Hold it until Finish()
// has said how the call ended.
)";
}

}  // namespace

void PrintStubClass(const ServiceModel& service, gpb::io::Printer& out) {
  Variables variables = service.variables;
  const std::string comment = CommentOf(*service.descriptor, "");
  variables["comment"] = comment + (comment.empty() ? "" : "//\n");
  variables["deprecated"] = service.descriptor->options().deprecated() ? "[[deprecated]] " : "";
  variables["how"] = HowToCall(service);
  // Only methods use the members.
  variables["unused"] = service.methods.empty() ? "[[maybe_unused]] " : "";
  out.Print(variables, R"(
$comment$// Calls $full_name$.
$how$class $deprecated$$stub$ final {
 public:
  // `target` is an instance's id, or mqttrpc::kAnyInstance for any member of the
  // pool. `channel` must outlive the stub.
  $stub$($rt$Channel& channel, $std$string_view target) : channel_(&channel), target_(target) {}
)");
  for (const MethodModel& method : service.methods) PrintCall(method, out);
  out.Print(variables, R"(
 private:
  $unused$$rt$Channel* channel_;
  $unused$$std$string target_;
};
)");
}

}  // namespace mqttrpc::codegen
