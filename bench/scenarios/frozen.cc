// One message to many subscribers, some of whom have stopped to read.
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>

#include "load/crowd.h"
#include "load/wire.h"
#include "report/latencies.h"
#include "scenarios/scenario.h"
#include "systems/programs.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr char kTopic[] = "news";
constexpr std::size_t kReaders = 1000;
constexpr std::size_t kPayloadBytes = 4096;
constexpr std::size_t kFilling = 100;  // Messages before it is measured: buffers of frozen ones are full then.
constexpr std::chrono::milliseconds kBetween(50);

// Subscribes and never reads a byte. Its receive buffer is as small as the system lets
// it be, so that the broker soon has to wait for it.
class FrozenSubscriber {
 public:
  FrozenSubscriber(asio::io_context& io, std::uint16_t port, std::size_t number) : socket_(io) {
    socket_.open(asio::ip::tcp::v4());
    socket_.set_option(asio::socket_base::receive_buffer_size(1));
    socket_.connect({asio::ip::address_v4::loopback(), port});
    const std::string topic_filter = kTopic;
    std::string packets;
    AppendConnect(packets, "frozen-" + std::to_string(number));
    AppendSubscribe(packets, 1, std::span(&topic_filter, 1), 0);
    asio::write(socket_, asio::buffer(packets));
  }

 private:
  asio::ip::tcp::socket socket_;
};

class News final : public Connection::Handler {
 public:
  News(Loop& loop, std::uint16_t port)
      : loop_(loop),
        readers_(ConnectCrowd(loop, port, "reader", kReaders, *this)),
        next_(kReaders),
        publisher_(loop, port, "publisher", *this) {
    for (const auto& reader : readers_) reader->Subscribe(kTopic, 0);
    WaitForSubscriptions(loop_, readers_, 1);
  }

  // Sends `count` messages, `between` apart or, if that is zero, as fast as the readers take them.
  void Send(std::size_t count, std::chrono::milliseconds between) {
    latencies_.Clear();
    for (Clock::time_point next = Clock::now(); count > 0; --count, next += between) {
      if (between.count() == 0) {
        loop_.RunUntil([this] { return arrived_ + 10 * kReaders > sent_ * kReaders; }, "messages to readers");
      } else {
        loop_.RunTill(next);
      }
      const Stamp stamp{sent_++, Clock::now()};
      std::memcpy(payload_.data(), &stamp, sizeof(stamp));
      PublishFields fields;
      fields.topic_name = kTopic;
      fields.payload = payload_;
      publisher_.Publish(fields);
    }
    const Clock::time_point end = Clock::now() + std::chrono::seconds(2);
    while (arrived_ < sent_ * kReaders && Clock::now() < end) loop_.RunFor(std::chrono::milliseconds(1));
  }

  void Report(Sample& sample) {
    latencies_.Report(sample);
    sample.Add("worst us", latencies_.At(1));
    sample.losses = sent_ * kReaders - arrived_;
    sample.disorder = disorder_;
  }

 private:
  struct Stamp {
    std::uint64_t message;
    Clock::time_point sent_at;
  };

  void OnPublish(Connection& reader, const Arrival& arrival) override {
    Stamp stamp;
    std::memcpy(&stamp, arrival.payload.data(), sizeof(stamp));
    latencies_.Add(Clock::now() - stamp.sent_at);
    if (stamp.message != next_[reader.number()]) ++disorder_;
    next_[reader.number()] = stamp.message + 1;
    ++arrived_;
  }

  Loop& loop_;
  std::vector<std::unique_ptr<Connection>> readers_;
  std::vector<std::uint64_t> next_;
  Connection publisher_;
  std::string payload_ = std::string(kPayloadBytes, 'x');
  std::uint64_t sent_ = 0;
  std::uint64_t arrived_ = 0;
  std::uint64_t disorder_ = 0;
  Latencies latencies_;
};

Sample Run(std::size_t frozen, const std::string& system, const Settings& settings) {
  Sample sample;
  const Broker broker(system);
  Loop loop;
  asio::io_context io;
  News news(loop, broker.port());
  std::vector<std::unique_ptr<FrozenSubscriber>> sleepers;
  for (std::size_t i = 0; i < frozen; ++i) {
    sleepers.push_back(std::make_unique<FrozenSubscriber>(io, broker.port(), i));
  }
  news.Send(kFilling, std::chrono::milliseconds(0));
  news.Send(static_cast<std::size_t>(settings.interval / kBetween), kBetween);
  news.Report(sample);
  return sample;
}

}  // namespace

std::vector<Case> FrozenCases(bool full) {
  std::vector<Case> cases;
  for (const std::size_t frozen : full ? std::vector<std::size_t>{0, 1, 10, 100} : std::vector<std::size_t>{100}) {
    Case one;
    one.table = "Frozen subscribers";
    one.name = "4 KiB to 1000 readers every 50 ms, " + std::to_string(frozen) + " frozen";
    one.systems = {kMqttrpcd, kMosquitto};
    one.run = [frozen](const std::string& system, const Settings& settings) { return Run(frozen, system, settings); };
    cases.push_back(std::move(one));
  }
  return cases;
}

}  // namespace bench
