#include "frame.h"

#include <absl/strings/str_cat.h>

#include "text.h"

namespace mqttrpc {
namespace {

std::optional<std::uint64_t> ParseSequence(std::string_view text) {
  const auto number = ParseNumber<std::uint64_t>(text);
  if (!number.has_value() || *number > kMaximumSequence) return std::nullopt;
  return number;
}

bool TakeSuffix(std::string_view& text, char suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(1);
  return true;
}

std::optional<Frame> ParseWindow(std::string_view text) {
  Frame frame(Frame::Kind::kWindow);
  frame.again = TakeSuffix(text, '!');
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto next = ParseSequence(text.substr(0, colon));
  const auto limit = ParseSequence(text.substr(colon + 1));
  if (!next.has_value() || !limit.has_value()) return std::nullopt;
  frame.number = *next;
  frame.limit = *limit;
  return frame;
}

std::optional<Frame::Kind> KindOf(char letter) {
  switch (letter) {
    case 'o': return Frame::Kind::kOpen;
    case 'a': return Frame::Kind::kAccept;
    case 'm': return Frame::Kind::kMessage;
    case 'e': return Frame::Kind::kEnd;
    case 'w': return Frame::Kind::kWindow;
    case 'p': return Frame::Kind::kPing;
    case 'q': return Frame::Kind::kPong;
    default: return std::nullopt;
  }
}

}  // namespace

std::string Frame::Text() const {
  switch (kind) {
    case Kind::kOpen: return absl::StrCat("o:", number, more ? "+" : "", empty ? "-" : "");
    case Kind::kAccept: return absl::StrCat("a:", number);
    case Kind::kMessage: return absl::StrCat("m:", number, more ? "+" : "");
    case Kind::kEnd: return absl::StrCat("e:", number);
    case Kind::kWindow: return absl::StrCat("w:", number, ":", limit, again ? "!" : "");
    case Kind::kPing: return absl::StrCat("p:", number);
    case Kind::kPong: return absl::StrCat("q:", number);
    case Kind::kCancel: break;
  }
  return "c";
}

std::optional<Frame> ParseFrame(std::string_view text) {
  if (text == "c") return Frame(Frame::Kind::kCancel);
  if (text.size() < 3 || text[1] != ':') return std::nullopt;
  const auto kind = KindOf(text[0]);
  if (!kind.has_value()) return std::nullopt;
  std::string_view rest = text.substr(2);
  if (*kind == Frame::Kind::kWindow) return ParseWindow(rest);
  Frame frame(*kind);
  const bool opens = *kind == Frame::Kind::kOpen;
  if (opens || *kind == Frame::Kind::kMessage) frame.more = TakeSuffix(rest, '+');
  if (opens && !frame.more) frame.empty = TakeSuffix(rest, '-');
  const auto number = ParseSequence(rest);
  if (!number.has_value()) return std::nullopt;
  frame.number = *number;
  return frame;
}

}  // namespace mqttrpc
