// The interceptors that follow one call, in their order.
#pragma once

#include <exception>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <absl/container/inlined_vector.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

namespace mqttrpc {

// A list that calls can hold on to. Null: it holds nothing.
template <typename Interceptor>
std::shared_ptr<const std::vector<std::shared_ptr<Interceptor>>> Shared(
    const std::vector<std::shared_ptr<Interceptor>>& interceptors) {
  std::vector<std::shared_ptr<Interceptor>> all;
  for (const auto& each : interceptors) {
    if (each != nullptr) all.push_back(each);
  }
  if (all.empty()) return nullptr;
  return std::make_shared<const std::vector<std::shared_ptr<Interceptor>>>(std::move(all));
}

// What `run` returns, or throws.
template <typename Run>
absl::Status Guarded(Run run) {
  try {
    return run();
  } catch (const std::exception& thrown) {
    return absl::UnknownError(absl::StrCat("an interceptor threw: ", thrown.what()));
  } catch (...) {
    return absl::UnknownError("an interceptor threw something that is no std::exception");
  }
}

// Any thread. Its lock is the call's own and held while a hook runs: hooks may use channel,
// server and stream, so it is never taken where one of theirs is held that another hook of
// the same call could want.
template <typename Hooks>
class HookChain {
 public:
  // Outermost first.
  using List = absl::InlinedVector<std::unique_ptr<Hooks>, 4>;

  explicit HookChain(List hooks) : hooks_(std::move(hooks)) {}

  // Calls `run(Hooks&)` for each, until one gives an error. Not any more when the call has
  // failed, which is the error then, or is over.
  template <typename Run>
  absl::Status Inwards(Run run) {
    return Pass(hooks_.begin(), hooks_.end(), std::move(run));
  }
  template <typename Run>
  absl::Status Outwards(Run run) {
    return Pass(hooks_.rbegin(), hooks_.rend(), std::move(run));
  }

  // The call will end with `why`, whatever else becomes of it. The first one counts.
  void Fail(const absl::Status& why) {
    const std::lock_guard lock(mutex_);
    if (failure_.ok()) failure_ = why;
  }

  // Calls `run(Hooks&, absl::Status&)` for each, innermost first. Once: false if it was before.
  template <typename Run>
  bool End(absl::Status& status, Run run) {
    const std::lock_guard lock(mutex_);
    if (std::exchange(ended_, true)) return false;
    if (!failure_.ok()) status = failure_;
    for (auto each = hooks_.rbegin(); each != hooks_.rend(); ++each) {
      absl::Status thrown = Guarded([&] {
        run(**each, status);
        return absl::OkStatus();
      });
      if (!thrown.ok()) status = std::move(thrown);
    }
    return true;
  }

 private:
  template <typename Each, typename Run>
  absl::Status Pass(Each each, Each end, Run run) {
    const std::lock_guard lock(mutex_);
    for (; each != end && !ended_; ++each) {
      if (!failure_.ok()) return failure_;
      absl::Status status = Guarded([&] { return run(**each); });
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  const List hooks_;
  std::recursive_mutex mutex_;  // A hook may end its own call.
  bool ended_ = false;
  absl::Status failure_;
};

}  // namespace mqttrpc
