#include "layout.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace mqttrpc::codegen {
namespace {

constexpr std::size_t kColumns = 120;

// `head(first, second, third)tail`: the parts of a line that may be broken.
struct Call {
  std::string head;  // With its indentation and the opening bracket.
  std::vector<std::string> arguments;
  std::string tail;  // From the closing bracket on.
};

std::optional<Call> Split(const std::string& line) {
  const std::size_t open = line.find_first_of("({");
  if (open == std::string::npos || open + 1 == line.size()) return std::nullopt;
  Call call;
  call.head = line.substr(0, open + 1);
  std::string argument;
  int depth = 1;
  bool quoted = false;
  for (std::size_t i = open + 1; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"' && line[i - 1] != '\\') quoted = !quoted;
    if (quoted) {
      argument += c;
      continue;
    }
    const bool arrow = c == '>' && line[i - 1] == '-';
    if (c == '(' || c == '{' || c == '<') ++depth;
    if (!arrow && (c == ')' || c == '}' || c == '>')) --depth;
    if (depth == 0) {
      call.arguments.push_back(argument);
      call.tail = line.substr(i);
      return call;
    }
    if (depth == 1 && argument.empty() && c == ' ') continue;
    argument += c;
    if (depth == 1 && c == ',') {
      call.arguments.push_back(argument);
      argument.clear();
    }
  }
  return std::nullopt;
}

// The arguments in as few lines as fit behind `first`; empty if one does not,
// unless that is `allowed`.
std::optional<std::string> Fill(const Call& call, const std::string& first, std::size_t indent, bool allowed = false) {
  std::string result;
  std::string line = first;
  bool fresh = true;
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    const bool last = i + 1 == call.arguments.size();
    const std::string piece = call.arguments[i] + (last ? call.tail : "");
    if (!fresh && line.size() + 1 + piece.size() > kColumns) {
      result += line + "\n";
      line = std::string(indent, ' ');
      fresh = true;
    }
    line += (fresh ? "" : " ") + piece;
    fresh = false;
    if (line.size() > kColumns && !allowed) return std::nullopt;
  }
  return result + line + "\n";
}

// Where a declaration's own name begins: behind the last space before its
// bracket that is not within a template's arguments.
std::size_t NameBegin(const std::string& head, std::size_t indent) {
  int depth = 0;
  for (std::size_t i = head.size() - 1; i-- > indent;) {
    if (head[i] == '>') ++depth;
    if (head[i] == '<') --depth;
    if (head[i] == ' ' && depth == 0) return i + 1;
  }
  return indent;
}

std::string WrapLine(const std::string& line) {
  const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
  const bool is_code = indent < line.size() && line[indent] != '#' && line.compare(indent, 2, "//") != 0;
  if (line.size() <= kColumns || !is_code) return line + "\n";
  const std::optional<Call> call = Split(line);
  if (!call) return line + "\n";

  const std::size_t deeper = indent + 4;
  if (call->tail.compare(0, 4, ") : ") == 0) {  // A constructor's initializers.
    const std::size_t end = line.size() - call->tail.size() + 1;
    return WrapLine(line.substr(0, end)) + std::string(deeper, ' ') + line.substr(end + 1) + "\n";
  }
  if (const auto aligned = Fill(*call, call->head, call->head.size())) return *aligned;
  const std::string below_indent(deeper, ' ');
  if (call->head.size() <= kColumns) {
    return call->head + "\n" + *Fill(*call, below_indent, deeper, /*allowed=*/true);
  }
  const std::size_t name = NameBegin(call->head, indent);
  if (name == indent || line.compare(indent, 6, "return") == 0) {
    return call->head + "\n" + *Fill(*call, below_indent, deeper, /*allowed=*/true);
  }
  return line.substr(0, name - 1) + "\n" + WrapLine(std::string(indent, ' ') + line.substr(name));
}

}  // namespace

std::string WrapLongLines(std::string_view code) {
  std::string result;
  while (!code.empty()) {
    const std::size_t end = std::min(code.find('\n'), code.size());
    result += WrapLine(std::string(code.substr(0, end)));
    code.remove_prefix(std::min(end + 1, code.size()));
  }
  return result;
}

}  // namespace mqttrpc::codegen
