// The call table with a test that plays the world around it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "call_table.h"
#include "mqttrpc/rpc/status.h"

namespace mqttrpc::test {

using mqtt::ReasonCode;
using std::chrono::milliseconds;

inline constexpr mqtt::TimePoint kStart{std::chrono::hours(1)};
inline constexpr MethodInfo kMethods[] = {
    {.name = "Set"},
    {.name = "Get", .idempotency = Idempotency::kNoSideEffects},
    {.name = "Put", .idempotency = Idempotency::kIdempotent},
};
inline constexpr ServiceInfo kService{.name = "acme.Lamp", .share_group = "", .methods = kMethods};

// Writes down what the table wants; the test plays the world.
class CallTableTest : public testing::Test, public CallShell {
 protected:
  std::shared_ptr<PendingCall> Make(int method = 0, milliseconds timeout = milliseconds(1000)) {
    auto call = std::make_shared<PendingCall>();
    call->id[0] = static_cast<char>(++made_);
    call->service = &kService;
    call->method = &kMethods[method];
    call->target = "lamp-1";
    call->timeout = timeout;
    return call;
  }
  std::shared_ptr<PendingCall> Begin(int method = 0, milliseconds timeout = milliseconds(1000)) {
    auto call = Make(method, timeout);
    table_.Begin(call, now_);
    return call;
  }
  void Connect(bool session_present = false, std::size_t receive_maximum = 100) {
    table_.Connected(session_present, receive_maximum);
    if (subscribing_) {
      subscribing_ = false;
      table_.InboxSettled(absl::OkStatus());
    }
  }
  void Acknowledge(PendingCall& call, ReasonCode code = ReasonCode::kSuccess) {
    table_.SendingEnded(call, call.attempt, code);
  }
  void Advance(milliseconds step) {
    now_ += step;
    table_.TimeIs(now_);
  }
  std::vector<std::string> TakeLog() { return std::exchange(log_, {}); }
  static std::string Number(const PendingCall& call) { return std::to_string(static_cast<int>(call.id[0])); }

  mqtt::TimePoint Now() const override { return now_; }
  double Chance() override { return 0.5; }
  void SubscribeInbox() override {
    subscribing_ = true;
    log_.push_back("subscribe");
  }
  void Send(PendingCall& call) override {
    log_.push_back("send " + Number(call) + " attempt " + std::to_string(call.attempt));
  }
  void AbandonSending(PendingCall& call) override { log_.push_back("abandon " + Number(call)); }
  void SendCancel(PendingCall& call) override { log_.push_back("cancel " + Number(call)); }
  void Complete(PendingCall& call, absl::Status status) override {
    log_.push_back("complete " + Number(call) + " " + absl::StatusCodeToString(status.code()));
    statuses_[&call] = std::move(status);
    if (then_) std::exchange(then_, nullptr)();
  }
  void ExpectStatus(const PendingCall& call, absl::StatusCode code, Outcome outcome, const std::string& text) {
    ASSERT_TRUE(statuses_.contains(&call));
    const absl::Status& status = statuses_[&call];
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(OutcomeOf(status), outcome) << status;
    EXPECT_FALSE(IsRemote(status));
    EXPECT_THAT(status.message(), testing::HasSubstr(text));
  }

  mqtt::TimePoint now_ = kStart;
  CallTable table_{*this, "mqtt://host:1883", 10};
  int made_ = 0;
  bool subscribing_ = false;
  std::vector<std::string> log_;
  std::map<const PendingCall*, absl::Status> statuses_;
  std::function<void()> then_;
};

}  // namespace mqttrpc::test
