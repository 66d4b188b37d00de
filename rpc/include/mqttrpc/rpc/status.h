// What a failed call's absl::Status tells beyond code and text.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <absl/status/status.h>
#include <google/protobuf/message.h>

namespace mqttrpc {

// What became of a call that failed (`rpc-x`).
enum class Outcome {
  kNotExecuted,  // No handler ran: any call may be tried again.
  kPerhaps,      // Nobody knows: try again only what is idempotent.
  kExecuted,     // The handler ran and answered with this status.
};

// kPerhaps for a status that says nothing about it.
Outcome OutcomeOf(const absl::Status& status);

// Whether the other side answered with this status; false for our own: no
// connection, no time left, nobody there.
bool IsRemote(const absl::Status& status);

// How long to wait before another try (`rpc-retry`), in ms. Empty: not said.
// Negative: never try again.
std::optional<std::chrono::milliseconds> RetryAfter(const absl::Status& status);

// For handlers: adds a typed detail, which travels as google.rpc.Status.details.
// A second detail of the same type replaces the first.
void AddDetail(absl::Status& status, const google::protobuf::Message& detail);

// For handlers: asks the caller to wait before another try.
void SetRetryAfter(absl::Status& status, std::chrono::milliseconds wait);

// For handlers: says that nothing was done, so that the caller may try again.
void SetOutcome(absl::Status& status, Outcome outcome);

// The typed detail, if `status` has one of this type and it parses.
bool ReadDetail(const absl::Status& status, google::protobuf::Message& into);
template <typename Detail>
std::optional<Detail> DetailOf(const absl::Status& status) {
  Detail detail;
  if (!ReadDetail(status, detail)) return std::nullopt;
  return detail;
}

}  // namespace mqttrpc
