// The same with real threads and the system's clock.
#include <condition_variable>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <asio/executor_work_guard.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include "echo_service.h"
#include "mqttrpc/broker/broker.h"
#include "mqttrpc/mqtt/client.h"
#include "mqttrpc/rpc/channel.h"
#include "mqttrpc/rpc/server.h"
#include "mqttrpc/rpc/status.h"

namespace mqttrpc {
namespace {

using std::chrono::seconds;
using test::EchoService;
using test::kEcho;
using test::kEchoMethods;
using test::Question;
using test::Reply;

// Two event loops on two threads; the broker has a third.
class ThreadsTest : public testing::Test {
 protected:
  ThreadsTest() {
    const auto url = broker_.Listen("mqtt://127.0.0.1:0");
    EXPECT_TRUE(url.ok()) << url.status();
    url_ = url.value_or("");
    device_ = MakeClient(device_io_.get_executor(), "dev-1");
    caller_ = MakeClient(caller_io_.get_executor(), "me");
  }
  ~ThreadsTest() override {
    channel_.reset();
    server_.reset();
    caller_.reset();
    device_.reset();
    pool_.join();
    device_work_.reset();
    caller_work_.reset();
    device_thread_.join();
    caller_thread_.join();
  }

  std::unique_ptr<mqtt::Client> MakeClient(asio::any_io_executor executor, std::string client_id) const {
    mqtt::ClientOptions options;
    options.broker = url_;
    options.client_id = std::move(client_id);
    auto client = std::make_unique<mqtt::Client>(std::move(executor), options);
    client->Start();
    return client;
  }

  void Serve(bool on_pool) {
    ServerOptions options;
    if (on_pool) options.handler_executor = pool_.get_executor();
    server_ = std::make_unique<Server>(*device_, options);
    server_->Add(service_);
    const absl::Status status = server_->Start(kBlocking);
    ASSERT_TRUE(status.ok()) << status;
    channel_ = std::make_unique<Channel>(*caller_);
  }

  static constexpr seconds kPatience{60};  // For slow machines; no test waits for it.

  absl::StatusOr<Reply> Ask(std::string text) {
    Question question;
    question.set_text(std::move(text));
    CallOptions options;
    options.timeout = kPatience;
    return channel_->Call<Reply>(kEcho, kEchoMethods[0], "dev-1", question, options, kBlocking);
  }

  std::future<absl::StatusOr<Reply>> Begin(std::string text = "") {
    Question question;
    question.set_text(std::move(text));
    CallOptions options;
    options.timeout = kPatience;
    return channel_->Call<Reply>(kEcho, kEchoMethods[0], "dev-1", question, options, asio::use_future);
  }

  broker::Broker broker_;
  std::string url_;
  asio::io_context device_io_, caller_io_;
  asio::executor_work_guard<asio::io_context::executor_type> device_work_{device_io_.get_executor()};
  asio::executor_work_guard<asio::io_context::executor_type> caller_work_{caller_io_.get_executor()};
  std::thread device_thread_{[this] { device_io_.run(); }};
  std::thread caller_thread_{[this] { caller_io_.run(); }};
  asio::thread_pool pool_{2};
  std::unique_ptr<mqtt::Client> device_, caller_;
  EchoService service_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Channel> channel_;
};

TEST_F(ThreadsTest, ACallMayBlock) {
  Serve(false);
  const auto reply = Ask("hi");
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->text(), "hi");
  EXPECT_TRUE(server_->Stop(seconds(5), kBlocking).ok());
}

// Whatever executor a client is given, it makes a strand of it.
TEST_F(ThreadsTest, AClientMayRunOnAThreadPoolOrOnAStrand) {
  const std::vector<asio::any_io_executor> executors{pool_.get_executor(), asio::make_strand(pool_),
                                                     asio::make_strand(caller_io_), broker_.executor()};
  for (const auto& executor : executors) {
    caller_ = MakeClient(executor, "me");
    Serve(true);
    const auto reply = Ask("hi");
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->text(), "hi");
    channel_.reset();
    server_.reset();
  }
}

TEST_F(ThreadsTest, ManyThreadsShareAChannel) {
  Serve(true);
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 50; ++k) {
        const std::string text = std::to_string(i) + "/" + std::to_string(k);
        const auto reply = Ask(text);
        if (reply.ok() && reply->text() == text) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 200);
}

TEST_F(ThreadsTest, AFutureIsKeptFromAnotherThread) {
  Serve(true);
  auto future = Begin("hi");
  EXPECT_EQ(future.get()->text(), "hi");
}

// A plain function that blocks hears on another thread that its caller is gone.
TEST_F(ThreadsTest, ABlockedPlainHandlerIsToldByOnCancel) {
  std::mutex mutex;
  std::condition_variable changed;
  bool told = false;
  std::promise<void> running;
  std::promise<bool> ended;
  service_.plain = [&](ServerContext& context, const Question&) -> absl::StatusOr<Reply> {
    context.OnCancel([&] {
      const std::lock_guard lock(mutex);
      told = true;
      changed.notify_all();
    });
    running.set_value();
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return told; });
    ended.set_value(context.cancelled());
    return Reply();
  };
  Serve(true);
  auto reply = Begin();
  running.get_future().get();
  channel_.reset();
  EXPECT_TRUE(ended.get_future().get());
  EXPECT_EQ(reply.get().status().code(), absl::StatusCode::kCancelled);
  server_.reset();  // The function still uses what goes now.
}

TEST_F(ThreadsTest, ACoroutineOnAPoolIsCancelledThere) {
  std::promise<void> running;
  std::promise<bool> ended;
  const auto handler = [&](ServerContext& context, const Question&) -> EchoService::Coroutine {
    running.set_value();
    asio::steady_timer timer(context.executor(), asio::steady_timer::time_point::max());
    auto token = asio::experimental::as_tuple(asio::use_awaitable);
    const auto [error] = co_await timer.async_wait(token);
    ended.set_value(error == asio::error::operation_aborted && context.cancelled());
    co_return Reply();
  };
  service_.coroutine = handler;
  Serve(true);
  auto reply = Begin();
  running.get_future().get();
  channel_.reset();
  EXPECT_TRUE(ended.get_future().get());
  EXPECT_EQ(reply.get().status().code(), absl::StatusCode::kCancelled);
  server_.reset();
  pool_.join();  // The coroutine still uses what goes now.
}

// So that the services may go right after it.
TEST_F(ThreadsTest, TheEndOfTheServerWaitsForPlainHandlersOnOtherThreads) {
  std::promise<void> running;
  std::atomic<bool> over{false};
  service_.plain = [&](ServerContext& context, const Question&) -> absl::StatusOr<Reply> {
    running.set_value();
    while (!context.cancelled()) std::this_thread::yield();
    over = true;
    return Reply();
  };
  Serve(true);
  auto future = Begin();
  running.get_future().get();
  server_.reset();
  EXPECT_TRUE(over);
  channel_.reset();
  EXPECT_EQ(future.get().status().code(), absl::StatusCode::kCancelled);
}

TEST_F(ThreadsTest, EverythingMayEndWhileCallsAreUnderWay) {
  Serve(true);
  std::vector<std::future<absl::StatusOr<Reply>>> futures;
  for (int i = 0; i < 100; ++i) futures.push_back(Begin());
  channel_.reset();
  server_.reset();
  caller_.reset();
  device_.reset();
  for (auto& future : futures) {
    const auto reply = future.get();
    EXPECT_TRUE(reply.ok() || reply.status().code() == absl::StatusCode::kCancelled) << reply.status();
  }
}

}  // namespace
}  // namespace mqttrpc
