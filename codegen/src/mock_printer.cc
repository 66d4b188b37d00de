#include "mock_printer.h"

namespace mqttrpc::codegen {
namespace {

// `types` as a macro takes them: one with a comma of its own stands in brackets.
std::string InBrackets(const MethodModel& method) {
  const std::string& types = method.variables.at("types");
  if (method.kind != MethodKind::kBidiStreaming) return types;
  const std::size_t last = types.find(", ") + 2;  // Behind the context.
  return types.substr(0, last) + "(" + types.substr(last) + ")";
}

}  // namespace

void PrintMockClass(const ServiceModel& service, gpb::io::Printer& out) {
  out.Print(service.variables, R"(
// Serves $full_name$ in a test: say with EXPECT_CALL() what its functions do.
class $mock$ : public $service$ {
 public:
)");
  for (const MethodModel& method : service.methods) {
    Variables variables = method.variables;
    variables["types"] = InBrackets(method);
    out.Print(variables, R"(  MOCK_METHOD($result$, $name$, ($types$), (override));
)");
  }
  out.PrintRaw("};\n");
}

}  // namespace mqttrpc::codegen
