// Handlers that wait, without a thread that runs beside the test's.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <asio/any_io_executor.hpp>

#include "mqttrpc/rpc/service.h"

namespace mqttrpc::testing {

// Runs each task on a thread of its own, while the thread that asked for it waits until it
// ends, or itself waits by kBlocking. What it waits for then wakes it by the executor, which
// again waits. So one thread runs at a time, and all happens in the same order each time.
class HandlerThreads {
 public:
  explicit HandlerThreads(asio::any_io_executor executor);
  ~HandlerThreads();  // None may be waiting.
  HandlerThreads(const HandlerThreads&) = delete;
  HandlerThreads& operator=(const HandlerThreads&) = delete;

  void Run(absl::AnyInvocable<void()> task);
  std::size_t waiting() const { return threads_.size() - idle_.size(); }

 private:
  class Thread;
  void Resume(Thread& thread);

  const asio::any_io_executor executor_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::vector<Thread*> idle_;
};

// A service whose handlers run so.
class ThreadedService final : public Service {
 public:
  ThreadedService(Service& service, HandlerThreads& threads) : service_(service), threads_(threads) {}

  const ServiceInfo& info() const override { return service_.info(); }
  void Serve(std::size_t method, ServerCall call) override;

 private:
  Service& service_;
  HandlerThreads& threads_;
};

}  // namespace mqttrpc::testing
