// Interceptors with real threads: the hooks of one call never run at the same time.
#include <atomic>
#include <optional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>

#include "mqttrpc/broker/broker.h"
#include "mqttrpc/mqtt/client.h"
#include "mqttrpc/rpc/channel.h"
#include "mqttrpc/rpc/interceptor.h"
#include "mqttrpc/rpc/server.h"
#include "stream_service.h"

namespace mqttrpc {
namespace {

using test::ItemOf;
using test::streams::Item;
using test::streams::StreamsStub;

// What both sides have seen, of all calls.
struct Seen {
  std::atomic<int> begun = 0, sent = 0, received = 0, ended = 0, wrong = 0;
};

// Inside a hook of one call.
class Alone {
 public:
  Alone(Seen& seen, std::atomic<int>& inside, bool over) : inside_(inside) {
    if (inside_.fetch_add(1) != 0 || over) ++seen.wrong;
    std::this_thread::yield();
  }
  ~Alone() { --inside_; }
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  std::atomic<int>& inside_;
};

class Watcher final : public ClientInterceptor, public ServerInterceptor {
 public:
  std::unique_ptr<ClientCallInterceptor> Begin(ClientCallInfo&) override {
    ++client.begun;
    return std::make_unique<OfClient>(client);
  }
  std::unique_ptr<ServerCallInterceptor> Begin(ServerCallInfo&) override {
    ++server.begun;
    return std::make_unique<OfServer>(server);
  }

  Seen client, server;

 private:
  template <typename Base>
  struct One : Base {
    explicit One(Seen& seen_in) : seen(seen_in) {}
    absl::Status OnSend(OutgoingMessage&) override {
      const Alone alone(seen, inside, over);
      ++seen.sent;
      return absl::OkStatus();
    }
    absl::Status OnReceive(google::protobuf::Message&) override {
      const Alone alone(seen, inside, over);
      ++seen.received;
      return absl::OkStatus();
    }
    void End() {
      const Alone alone(seen, inside, over);
      over = true;
      ++seen.ended;
    }
    Seen& seen;
    std::atomic<int> inside = 0;
    bool over = false;
  };
  struct OfClient final : One<ClientCallInterceptor> {
    using One::One;
    void OnEnd(absl::Status&, CallInfo&) override { End(); }
  };
  struct OfServer final : One<ServerCallInterceptor> {
    using One::One;
    void OnEnd(absl::Status&) override { End(); }
  };
};

// A handler that waits in its reads and writes, on a thread for itself.
class BlockingMirror final : public test::streams::StreamsService {
 public:
  absl::Status Mirror(ServerContext&, ServerReaderWriter<Item, Item>& stream) override {
    while (const std::optional<Item> item = stream.Read(kBlocking)) {
      if (!stream.Write(*item, kBlocking)) break;
    }
    return absl::OkStatus();
  }
};

class InterceptorThreadsTest : public testing::Test {
 protected:
  InterceptorThreadsTest() {
    const auto url = broker_.Listen("mqtt://127.0.0.1:0");
    EXPECT_TRUE(url.ok()) << url.status();
    device_ = MakeClient(device_io_.get_executor(), "dev-1", url.value_or(""));
    caller_ = MakeClient(caller_io_.get_executor(), "me", url.value_or(""));
    ServerOptions serving;
    serving.handler_executor = handlers_.get_executor();
    serving.interceptors = {watcher_, watcher_};
    server_ = std::make_unique<Server>(*device_, serving);
    server_->Add(service_);
    EXPECT_TRUE(server_->Start(kBlocking).ok());
    ChannelOptions calling;
    calling.interceptors = {watcher_, watcher_};
    channel_ = std::make_unique<Channel>(*caller_, calling);
  }
  ~InterceptorThreadsTest() override {
    channel_.reset();
    server_.reset();
    handlers_.join();
    caller_.reset();
    device_.reset();
    device_work_.reset();
    caller_work_.reset();
    device_thread_.join();
    caller_thread_.join();
  }
  static std::unique_ptr<mqtt::Client> MakeClient(asio::any_io_executor executor, std::string client_id,
                                                  std::string url) {
    mqtt::ClientOptions options;
    options.broker = std::move(url);
    options.client_id = std::move(client_id);
    auto client = std::make_unique<mqtt::Client>(std::move(executor), options);
    client->Start();
    return client;
  }

  broker::Broker broker_;
  asio::io_context device_io_, caller_io_;
  asio::executor_work_guard<asio::io_context::executor_type> device_work_{device_io_.get_executor()},
      caller_work_{caller_io_.get_executor()};
  std::thread device_thread_{[this] { device_io_.run(); }};
  std::thread caller_thread_{[this] { caller_io_.run(); }};
  asio::thread_pool handlers_{4};
  std::unique_ptr<mqtt::Client> device_, caller_;
  BlockingMirror service_;
  std::shared_ptr<Watcher> watcher_ = std::make_shared<Watcher>();
  std::unique_ptr<Server> server_;
  std::unique_ptr<Channel> channel_;
};

TEST_F(InterceptorThreadsTest, OfEachCallOneHookRunsAtATime) {
  constexpr int kStreams = 3;
  constexpr int kMessages = 100;
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < kStreams; ++i) {
    threads.emplace_back([&] {
      StreamsStub stub(*channel_, "dev-1");
      auto stream = stub.Mirror();
      std::thread writer([&stream] {
        for (int n = 0; n < kMessages; ++n) {
          if (!stream.Write(ItemOf(n), kBlocking)) return;
        }
        stream.WritesDone();
      });
      int read = 0;
      while (stream.Read(kBlocking).has_value()) ++read;
      writer.join();
      const absl::Status status = stream.Finish(kBlocking);
      EXPECT_TRUE(status.ok()) << status << " after " << read;
      if (status.ok() && read == kMessages) ++good;
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(good, kStreams);
  EXPECT_TRUE(server_->Stop(std::chrono::seconds(60), kBlocking).ok());
  for (const Seen* seen : {&watcher_->client, &watcher_->server}) {
    EXPECT_EQ(seen->begun, 2 * kStreams);
    EXPECT_EQ(seen->ended, 2 * kStreams);
    EXPECT_EQ(seen->sent, 2 * kStreams * kMessages);
    EXPECT_EQ(seen->received, 2 * kStreams * kMessages);
    EXPECT_EQ(seen->wrong, 0);
  }
}

}  // namespace
}  // namespace mqttrpc
