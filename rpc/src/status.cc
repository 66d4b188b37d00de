#include "mqttrpc/rpc/status.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <absl/strings/cord.h>
#include <absl/strings/str_cat.h>
#include <google/protobuf/any.pb.h>

#include "mqttrpc/mqtt/status.h"
#include "mqttrpc/status.pb.h"
#include "payload.h"
#include "status_wire.h"
#include "text.h"

namespace mqttrpc {
namespace {

// Facts about a call, put there by the calling side: outcome, remote or local, push-back.
constexpr absl::string_view kCallUrl = "mqttrpc/rpc.call";
// Wishes of a handler: outcome, push-back. Apart from the above, so that a handler
// may return the status of a call of its own without claiming that its fate was its own.
constexpr absl::string_view kHandlerUrl = "mqttrpc/rpc.handler";
constexpr absl::string_view kTypeUrl = "type.googleapis.com/";
constexpr std::size_t kMaximumFullText = 16 * 1024;

// One payload of ours: three characters and perhaps a number.
struct Facts {
  char outcome = '-';  // n, p, y, or not said.
  char origin = '-';   // r(emote), l(ocal), or not said.
  std::optional<std::chrono::milliseconds> retry_after;
};

Facts Read(const absl::Status& status, absl::string_view url) {
  Facts facts;
  const auto payload = status.GetPayload(url);
  if (!payload.has_value()) return facts;
  const std::string text(*payload);
  if (text.size() < 2) return facts;
  facts.outcome = text[0];
  facts.origin = text[1];
  if (const auto number = ParseNumber<std::int64_t>(std::string_view(text).substr(2))) {
    facts.retry_after = std::chrono::milliseconds(*number);
  }
  return facts;
}

void Write(absl::Status& status, absl::string_view url, const Facts& facts) {
  std::string text{facts.outcome, facts.origin};
  if (facts.retry_after.has_value()) absl::StrAppend(&text, facts.retry_after->count());
  // As a view: Clang names the constructor from std::string&& otherwise than GCC 12,
  // and so than Debian's Abseil.
  status.SetPayload(url, absl::Cord(absl::string_view(text)));
}

char Letter(Outcome outcome) {
  switch (outcome) {
    case Outcome::kNotExecuted: return 'n';
    case Outcome::kExecuted: return 'y';
    case Outcome::kPerhaps: break;
  }
  return 'p';
}

std::optional<Outcome> OutcomeFrom(char letter) {
  switch (letter) {
    case 'n': return Outcome::kNotExecuted;
    case 'p': return Outcome::kPerhaps;
    case 'y': return Outcome::kExecuted;
    default: return std::nullopt;
  }
}

// absl and gRPC share the codes 0-16.
int WireCode(const absl::Status& status) {
  const int code = status.raw_code();
  return code >= 0 && code <= 16 ? code : static_cast<int>(absl::StatusCode::kUnknown);
}

}  // namespace

Outcome OutcomeOf(const absl::Status& status) {
  if (const auto said = OutcomeFrom(Read(status, kHandlerUrl).outcome)) return *said;
  return OutcomeFrom(Read(status, kCallUrl).outcome).value_or(Outcome::kPerhaps);
}

bool IsRemote(const absl::Status& status) { return Read(status, kCallUrl).origin == 'r'; }

std::optional<std::chrono::milliseconds> RetryAfter(const absl::Status& status) {
  if (const auto said = Read(status, kHandlerUrl).retry_after) return said;
  return Read(status, kCallUrl).retry_after;
}

void AddDetail(absl::Status& status, const google::protobuf::Message& detail) {
  if (status.ok()) return;
  const std::string url = absl::StrCat(kTypeUrl, detail.GetDescriptor()->full_name());
  const std::string bytes = detail.SerializePartialAsString();
  status.SetPayload(url, absl::Cord(absl::string_view(bytes)));
}

void SetRetryAfter(absl::Status& status, std::chrono::milliseconds wait) {
  if (status.ok()) return;
  Facts facts = Read(status, kHandlerUrl);
  facts.retry_after = std::max(wait, std::chrono::milliseconds(-1));
  Write(status, kHandlerUrl, facts);
}

void SetOutcome(absl::Status& status, Outcome outcome) {
  if (status.ok()) return;
  Facts facts = Read(status, kHandlerUrl);
  facts.outcome = Letter(outcome);
  Write(status, kHandlerUrl, facts);
}

bool ReadDetail(const absl::Status& status, google::protobuf::Message& into) {
  const auto payload = status.GetPayload(absl::StrCat(kTypeUrl, into.GetDescriptor()->full_name()));
  return payload.has_value() && into.ParseFromString(std::string(*payload));
}

absl::Status WithOutcome(absl::Status status, Outcome outcome) {
  if (status.ok()) return status;
  Facts facts;
  facts.outcome = Letter(outcome);
  facts.origin = 'l';
  Write(status, kCallUrl, facts);
  return status;
}

absl::Status LocalStatus(absl::StatusCode code, std::string_view text, Outcome outcome) {
  return WithOutcome(absl::Status(code, mqtt::ToAbsl(text)), outcome);
}

WireStatus ToWire(const absl::Status& status) {
  WireStatus wire;
  wire.code = WireCode(status);
  if (wire.code == 0) return wire;
  wire.text = WireText(mqtt::ToStd(status.message()), kMaximumStatusText);
  const Facts wishes = Read(status, kHandlerUrl);
  wire.outcome = OutcomeFrom(wishes.outcome).value_or(Outcome::kExecuted);
  wire.retry_after = wishes.retry_after;
  return wire;
}

std::string ErrorPayload(const absl::Status& status, ContentType content_type, bool& details_lost) {
  Status message;
  message.set_code(WireCode(status));
  message.set_message(CleanUtf8(mqtt::ToStd(status.message()), kMaximumFullText));
  std::vector<std::pair<std::string, std::string>> details;  // Payloads come in any order: sorted.
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& bytes) {
    if (mqtt::ToStd(url).starts_with(mqtt::ToStd(kTypeUrl))) details.emplace_back(url, bytes);
  });
  std::sort(details.begin(), details.end());
  for (auto& [url, bytes] : details) {
    google::protobuf::Any& any = *message.add_details();
    any.set_type_url(url);
    any.set_value(std::move(bytes));
  }
  std::string payload;
  details_lost = false;
  if (WritePayload(message, content_type, payload).ok()) return payload;
  details_lost = true;
  message.clear_details();
  payload.clear();
  if (!WritePayload(message, content_type, payload).ok()) payload.clear();
  return payload;
}

absl::Status FromWire(const WireStatus& wire, std::string_view payload, ContentType content_type) {
  // JSON is slow to read, and an Any in it may hide more: a large one is not looked into.
  constexpr std::size_t kMaximumJson = 64 * 1024;
  constexpr int kMaximumDetails = 32;
  Status message;
  const bool wanted = !payload.empty() && (content_type == ContentType::kProtobuf || payload.size() <= kMaximumJson);
  const bool parsed = wanted && ReadPayload(payload, content_type, message).ok();
  // The payload has the text uncut.
  const std::string& text = parsed && !message.message().empty() ? message.message() : wire.text;
  absl::Status status(static_cast<absl::StatusCode>(wire.code), text);
  Facts facts;
  facts.outcome = wire.outcome.has_value() ? Letter(*wire.outcome) : '-';
  facts.origin = 'r';
  facts.retry_after = wire.retry_after;
  Write(status, kCallUrl, facts);
  if (!parsed) return status;
  for (int i = 0; i < std::min(message.details_size(), kMaximumDetails); ++i) {
    const google::protobuf::Any& detail = message.details(i);
    // Only types: a peer must not write the payloads that are ours.
    if (!std::string_view(detail.type_url()).starts_with(mqtt::ToStd(kTypeUrl))) continue;
    status.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  }
  return status;
}

}  // namespace mqttrpc
