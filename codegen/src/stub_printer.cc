#include "stub_printer.h"

#include <google/protobuf/descriptor.pb.h>

#include "comments.h"

namespace mqttrpc::codegen {
namespace {

void PrintCall(const MethodModel& method, gpb::io::Printer& out) {
  Variables variables = method.variables;
  variables["comment"] = DetachedCommentsOf(*method.descriptor, "  ") + CommentOf(*method.descriptor, "  ");
  variables["deprecated"] = method.descriptor->options().deprecated() ? "[[deprecated]] " : "";
  out.Print(variables, R"(
$comment$  template <typename Token = $rt$DefaultToken>
  $deprecated$auto $name$(const $request$& request, $rt$CallOptions options = $rt$CallOptions(), Token&& token = Token()) const {
    const $rt$ServiceInfo& info = $service$::Info();
    return channel_->Call<$reply$>(info, info.methods[$index$], target_, request, $std$move(options), $std$forward<Token>(token));
  }
)");
}

}  // namespace

void PrintStubClass(const ServiceModel& service, gpb::io::Printer& out) {
  Variables variables = service.variables;
  const std::string comment = CommentOf(*service.descriptor, "");
  variables["comment"] = comment + (comment.empty() ? "" : "//\n");
  variables["deprecated"] = service.descriptor->options().deprecated() ? "[[deprecated]] " : "";
  // Only methods use the members.
  variables["unused"] = service.methods.empty() ? "[[maybe_unused]] " : "";
  out.Print(variables, R"(
$comment$// Calls $full_name$.
// Every function takes a completion token, and is awaited without one. Its
// result is an absl::StatusOr of the reply.
class $deprecated$$stub$ final {
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
