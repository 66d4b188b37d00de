#include "support/wire_text.h"

#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include "wire.h"

namespace mqttrpc::test {
namespace {

[[noreturn]] void Misuse(std::string_view text) {
  std::fprintf(stderr, "not wire text: %.*s\n", static_cast<int>(text.size()), text.data());
  std::abort();
}

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// What stands up to `close`; removed from `rest` together with it.
std::string_view TakeUpTo(char close, std::string_view& rest, std::string_view text) {
  const std::size_t end = rest.find(close);
  if (end == std::string_view::npos) Misuse(text);
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return taken;
}

}  // namespace

std::string Bytes(std::string_view text) {
  std::vector<std::string> open(1);  // The innermost group last.
  std::string_view rest = text;
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c == ' ' || c == '\n') continue;
    if (c == '\'') {
      open.back() += TakeUpTo('\'', rest, text);
    } else if (c == '<') {
      mqtt::Writer(open.back()).Binary(TakeUpTo('>', rest, text));
    } else if (c == '(') {
      open.emplace_back();
    } else if (c == ')') {
      if (open.size() < 2) Misuse(text);
      const std::string inside = std::exchange(open.back(), {});
      open.pop_back();
      mqtt::Writer out(open.back());
      out.VariableByteInteger(static_cast<std::uint32_t>(inside.size()));
      out.Raw(inside);
    } else {
      const int high = DigitOf(c);
      const int low = rest.empty() ? -1 : DigitOf(rest.front());
      if (high < 0 || low < 0) Misuse(text);
      open.back() += static_cast<char>(high << 4 | low);
      rest.remove_prefix(1);
    }
  }
  if (open.size() != 1) Misuse(text);
  return open.back();
}

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    char digits[4];
    std::snprintf(digits, sizeof digits, "%02X ", static_cast<unsigned char>(c));
    text += digits;
  }
  if (!text.empty()) text.pop_back();
  return text;
}

}  // namespace mqttrpc::test
