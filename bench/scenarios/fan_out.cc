#include "fan_out.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>

#include "mqttrpc/mqtt/client.h"
#include "programs.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

constexpr char kTopic[] = "fan-out/news";

mqttrpc::mqtt::ClientOptions OptionsOf(const std::string& url, std::string client_id) {
  mqttrpc::mqtt::ClientOptions options;
  options.broker = url;
  options.client_id = std::move(client_id);
  return options;
}

// Subscribes to kTopic and never reads a byte. Its receive buffer is as small as the
// system lets it be, so that the broker soon has to wait for it.
class FrozenSubscriber {
 public:
  FrozenSubscriber(asio::io_context& io, const std::string& url, std::size_t number) : socket_(io) {
    const auto port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
    socket_.open(asio::ip::tcp::v4());
    socket_.set_option(asio::socket_base::receive_buffer_size(1));
    socket_.connect({asio::ip::address_v4::loopback(), port});
    const std::string client_id = "frozen-" + std::to_string(number);
    asio::write(socket_,
                asio::buffer(Packet('\x10', Text("MQTT") + std::string("\x05\x02\0\0\0", 5) + Text(client_id)) +
                             Packet('\x82', std::string("\0\x01\0", 3) + Text(kTopic) + '\0')));
  }

 private:
  static std::string Text(std::string_view text) {
    return std::string{'\0', static_cast<char>(text.size())} + std::string(text);
  }
  static std::string Packet(char first_byte, const std::string& body) {
    return std::string{first_byte, static_cast<char>(body.size())} + body;
  }

  asio::ip::tcp::socket socket_;
};

struct Latencies {
  nanoseconds p50{0};
  nanoseconds p99{0};
  nanoseconds worst{0};
  std::uint64_t missing = 0;
};

// A broker of its own for each measurement: what one leaves waiting is not in the next.
class FanOut {
 public:
  FanOut(const FanOutOptions& options, Program broker, std::string url)
      : options_(options), broker_(std::move(broker)), url_(std::move(url)) {
    for (std::size_t i = 0; i < options_.subscribers; ++i) {
      auto& client = AddClient("reader-" + std::to_string(i));
      client.Subscribe(
          mqttrpc::mqtt::Subscription(kTopic, mqttrpc::mqtt::QoS::kAtMostOnce),
          [this](const mqttrpc::mqtt::MessageView& message) { Arrived(message.payload); },
          [this](auto granted) { Subscribed(granted.ok()); });
    }
    publisher_ = &AddClient("publisher");
  }

  Latencies Measure(std::size_t frozen) {
    while (subscribed_ < options_.subscribers) io_.run_one();
    std::vector<std::unique_ptr<FrozenSubscriber>> sleepers;
    for (std::size_t i = 0; i < frozen; ++i) sleepers.push_back(std::make_unique<FrozenSubscriber>(io_, url_, i));
    RunFor(options_.duration / 2);  // Until the frozen ones' buffers are full.
    latencies_.clear();
    sent_ = 0;
    measuring_ = true;
    RunFor(options_.duration);
    measuring_ = false;
    io_.run_for(std::chrono::milliseconds(500));  // The last ones arrive.
    return Sorted();
  }

 private:
  mqttrpc::mqtt::Client& AddClient(std::string name) {
    clients_.push_back(std::make_unique<mqttrpc::mqtt::Client>(io_.get_executor(), OptionsOf(url_, std::move(name))));
    clients_.back()->Start();
    return *clients_.back();
  }

  void Subscribed(bool ok) {
    if (!ok) std::exit(1);
    ++subscribed_;
  }

  void RunFor(std::chrono::milliseconds duration) {
    const Clock::time_point end = Clock::now() + duration;
    const auto period = std::chrono::duration_cast<nanoseconds>(std::chrono::seconds(1)) / options_.messages_per_second;
    for (Clock::time_point next = Clock::now(); next < end; next += period) {
      io_.run_until(next);
      SendOne();
    }
    io_.run_until(end);
  }

  // A payload is when it was sent, whether it counts, and filling.
  void SendOne() {
    std::string payload(std::max<std::size_t>(options_.payload_bytes, sizeof(Stamp)), 'x');
    const Stamp stamp{Clock::now().time_since_epoch().count(), measuring_};
    std::memcpy(payload.data(), &stamp, sizeof stamp);
    if (measuring_) ++sent_;
    publisher_->Publish(mqttrpc::mqtt::Message(kTopic, std::move(payload), mqttrpc::mqtt::QoS::kAtMostOnce),
                        [](auto) {});
  }

  void Arrived(std::string_view payload) {
    Stamp stamp;
    std::memcpy(&stamp, payload.data(), sizeof stamp);
    if (stamp.counts) latencies_.push_back(Clock::now().time_since_epoch() - Clock::duration(stamp.sent_at));
  }

  Latencies Sorted() {
    std::sort(latencies_.begin(), latencies_.end());
    Latencies result;
    result.missing = sent_ * options_.subscribers - latencies_.size();
    if (latencies_.empty()) return result;
    result.p50 = latencies_[latencies_.size() / 2];
    result.p99 = latencies_[latencies_.size() * 99 / 100];
    result.worst = latencies_.back();
    return result;
  }

  struct Stamp {
    Clock::rep sent_at = 0;
    std::int64_t counts = 0;
  };

  const FanOutOptions& options_;
  Program broker_;
  const std::string url_;
  asio::io_context io_{1};
  std::vector<std::unique_ptr<mqttrpc::mqtt::Client>> clients_;
  mqttrpc::mqtt::Client* publisher_ = nullptr;
  std::size_t subscribed_ = 0;
  bool measuring_ = false;
  std::uint64_t sent_ = 0;
  std::vector<nanoseconds> latencies_;
};

struct Broker {
  const char* name;
  Program (*start)(std::string& url);
};

constexpr Broker kBrokers[] = {{"mqttrpcd", StartMqttrpcd}, {"mosquitto", StartMosquitto}};

double Milliseconds(nanoseconds time) { return static_cast<double>(time.count()) / 1e6; }

}  // namespace

int CompareFanOut(const FanOutOptions& options) {
  std::printf("| broker | frozen | round | p50 ms | p99 ms | worst ms | missing |\n|---|---|---|---|---|---|---|\n");
  for (int round = 1; round <= options.rounds; ++round) {
    for (const Broker& broker : kBrokers) {
      for (const std::size_t frozen : options.frozen) {
        std::string url;
        Program program = broker.start(url);
        const Latencies result = FanOut(options, std::move(program), url).Measure(frozen);
        std::printf("| %s | %zu | %d | %.2f | %.2f | %.2f | %llu |\n", broker.name, frozen, round,
                    Milliseconds(result.p50), Milliseconds(result.p99), Milliseconds(result.worst),
                    static_cast<unsigned long long>(result.missing));
        std::fflush(stdout);
      }
    }
  }
  return 0;
}

}  // namespace bench
