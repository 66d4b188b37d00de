// Lets the end of a server wait for the plain handlers that run on other threads.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace mqttrpc {

class HandlerGate {
 public:
  // False once it is closed: the handler must not run.
  bool Enter() {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    inside_.push_back(std::this_thread::get_id());
    return true;
  }

  void Leave() {
    const std::lock_guard lock(mutex_);
    inside_.erase(std::find(inside_.begin(), inside_.end(), std::this_thread::get_id()));
    changed_.notify_all();
  }

  // Returns when nobody is inside any more, but for this thread itself.
  void Close() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    changed_.wait(lock, [this] {
      return std::all_of(inside_.begin(), inside_.end(),
                         [](std::thread::id each) { return each == std::this_thread::get_id(); });
    });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;
  std::vector<std::thread::id> inside_;
};

}  // namespace mqttrpc
