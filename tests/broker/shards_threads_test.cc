// Several shards on threads of their own, over real sockets; made for the thread sanitizer.
#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>

#include "mqttrpc/broker/broker.h"
#include "support/tcp_peer.h"

namespace mqttrpc::test {
namespace {

using mqtt::QoS;

constexpr int kPairs = 6;
constexpr int kMessages = 300;

class ShardThreadsTest : public ::testing::Test {
 protected:
  ShardThreadsTest() {
    broker::BrokerOptions options;
    options.shards = 3;
    broker_ = std::make_unique<broker::Broker>(options);
    const auto url = broker_->Listen("mqtt://127.0.0.1:0");
    EXPECT_TRUE(url.ok()) << url.status();
    url_ = url.value_or("");
  }

  // Connected, and subscribed if there is a filter.
  std::unique_ptr<TcpPeer> Peer(const std::string& client_id, std::string_view topic_filter = "") {
    auto peer = std::make_unique<TcpPeer>(url_);
    EXPECT_TRUE(peer->Connect(client_id)) << client_id;
    if (topic_filter.empty()) return peer;
    mqtt::Subscribe subscribe;
    subscribe.packet_id = 1;
    subscribe.entries.emplace_back();
    subscribe.entries[0].topic_filter = topic_filter;
    subscribe.entries[0].qos = QoS::kAtLeastOnce;
    EXPECT_TRUE(peer->Send(subscribe));
    EXPECT_FALSE(peer->Receive().empty());
    return peer;
  }

  static mqtt::Publish Message(std::string_view topic_name, std::string_view payload, int number) {
    mqtt::Publish publish;
    publish.topic_name = topic_name;
    publish.payload = payload;
    publish.qos = QoS::kAtLeastOnce;
    publish.packet_id = static_cast<mqtt::PacketId>(number % 60'000 + 1);
    publish.retain = number % 10 == 0;
    return publish;
  }

  // Publishes "name:0", "name:1" ..., with a PUBACK for each.
  static void PublishAll(TcpPeer& peer, const std::string& name) {
    for (int i = 0; i < kMessages; ++i) {
      const std::string payload = absl::StrCat(name, ":", i);
      if (!peer.Send(Message("t/all", payload, i)) || peer.Receive().empty()) {
        ADD_FAILURE() << name << " got no PUBACK for " << i;
        return;
      }
    }
  }

  // Takes `count` messages; of each publisher they must be in order.
  static void TakeAll(TcpPeer& peer, int count) {
    std::map<std::string, int> next;
    for (int i = 0; i < count; ++i) {
      const std::string packet = peer.Receive();
      ASSERT_FALSE(packet.empty()) << "after " << i << " messages";
      const std::size_t header = 2;  // They are short.
      const mqtt::Frame frame{static_cast<std::uint8_t>(packet[0]),
                              mqtt::AsBytes(std::string_view(packet).substr(header))};
      const auto decoded = mqtt::DecodePacket(frame, mqtt::Sender::kServer);
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      const auto& publish = std::get<mqtt::Publish>(*decoded);
      const std::string payload(publish.payload);
      const std::size_t colon = payload.find(':');
      ASSERT_EQ(std::stoi(payload.substr(colon + 1)), next[payload.substr(0, colon)]++) << payload;
      mqtt::PubAck ack;
      ack.packet_id = publish.packet_id;
      ASSERT_TRUE(peer.Send(ack));
    }
  }

  std::unique_ptr<broker::Broker> broker_;
  std::string url_;
};

TEST_F(ShardThreadsTest, EveryMessageReachesEverySubscriberInOrder) {
  std::vector<std::unique_ptr<TcpPeer>> subscribers;
  for (int i = 0; i < kPairs; ++i) subscribers.push_back(Peer(absl::StrCat("s", i), i % 2 == 0 ? "t/all" : "t/+"));
  std::vector<std::thread> threads;
  for (auto& subscriber : subscribers) {
    threads.emplace_back([&subscriber] { TakeAll(*subscriber, kPairs * kMessages); });
  }
  for (int i = 0; i < kPairs; ++i) {
    threads.emplace_back([this, i] {
      const auto peer = Peer(absl::StrCat("p", i));
      PublishAll(*peer, absl::StrCat("p", i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(broker_->statistics().messages_received, static_cast<std::uint64_t>(kPairs * kMessages));
  EXPECT_EQ(broker_->statistics().messages_dropped, 0u);
}

TEST_F(ShardThreadsTest, AShareGroupLosesNothingAndGivesNothingTwice) {
  constexpr int kAll = kPairs * kMessages;
  std::atomic<int> taken{0};
  std::vector<std::atomic<int>> times(kAll);
  std::vector<std::unique_ptr<TcpPeer>> members;
  for (int i = 0; i < kPairs; ++i) members.push_back(Peer(absl::StrCat("m", i), "$share/g/t/all"));
  std::vector<std::thread> threads;
  for (auto& member : members) {
    threads.emplace_back([&] {
      while (taken.load() < kAll) {
        const std::string packet = member->Receive();
        if (packet.empty()) return;  // Shut down below.
        const auto decoded = mqtt::DecodePacket(
            mqtt::Frame{static_cast<std::uint8_t>(packet[0]), mqtt::AsBytes(std::string_view(packet).substr(2))},
            mqtt::Sender::kServer);
        if (!decoded.ok() || !std::holds_alternative<mqtt::Publish>(*decoded)) return;
        const auto& publish = std::get<mqtt::Publish>(*decoded);
        ++times[static_cast<std::size_t>(std::stoi(std::string(publish.payload)))];
        mqtt::PubAck ack;
        ack.packet_id = publish.packet_id;
        if (!member->Send(ack)) return;
        if (++taken == kAll) broker_->Stop();  // Ends the others' waiting.
      }
    });
  }
  for (int i = 0; i < kPairs; ++i) {
    threads.emplace_back([this, i] {
      const auto peer = Peer(absl::StrCat("p", i));
      for (int k = 0; k < kMessages; ++k) {
        const std::string payload = std::to_string(i * kMessages + k);
        if (!peer->Send(Message("t/all", payload, k + 1))) return;
        if (peer->Receive().empty()) return;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& count : times) EXPECT_EQ(count.load(), 1);
}

TEST_F(ShardThreadsTest, ClientsComeAndGoAndTakeOver) {
  std::vector<std::thread> threads;
  std::atomic<int> accepted{0};
  for (int i = 0; i < kPairs; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 40; ++k) {
        TcpPeer peer(url_);
        // Each name is used by two threads at the same time.
        if (peer.Connect(absl::StrCat("c", i / 2, "-", k))) ++accepted;
        if (k % 3 == 0) peer.Send(mqtt::Disconnect());
        if (k % 3 == 1) peer.Send(Message("x", "y", 1));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(accepted.load(), kPairs * 40);
  const auto witness = Peer("witness", "w");
  EXPECT_TRUE(witness->Send(Message("w", "alive", 1)));
  EXPECT_FALSE(witness->Receive().empty());
}

TEST_F(ShardThreadsTest, InMemoryClientsMoveToTheirShardToo) {
  asio::io_context io;
  auto& connector = broker_->connector();
  std::vector<std::unique_ptr<mqtt::Transport>> streams;
  std::vector<std::unique_ptr<mqtt::Connector::Attempt>> attempts;
  struct Reader final : mqtt::Transport::Handler {
    void OnBytes(std::span<const std::byte> bytes) override { heard.append(mqtt::AsText(bytes)); }
    void OnWritten() override {}
    void OnClosed(absl::Status) override { heard += "closed"; }
    std::string heard;
  };
  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 0; i < 12; ++i) {
    attempts.push_back(connector.Connect(mqtt::Endpoint(), io.get_executor(), [&](auto stream) {
      ASSERT_TRUE(stream.ok());
      streams.push_back(*std::move(stream));
    }));
  }
  io.run();
  ASSERT_EQ(streams.size(), 12u);
  std::vector<std::string> connects(12);
  for (std::size_t i = 0; i < streams.size(); ++i) {
    readers.push_back(std::make_unique<Reader>());
    streams[i]->Start(*readers[i]);
    mqtt::Connect connect;
    const std::string client_id = absl::StrCat("memory-", i);
    connect.client_id = client_id;
    connect.clean_start = true;
    ASSERT_TRUE(mqtt::EncodePacket(connect, mqtt::Sender::kClient, connects[i]).ok());
    const auto piece = mqtt::AsBytes(connects[i]);
    (void)streams[i]->Write(std::span(&piece, 1));
  }
  const auto work = asio::make_work_guard(io);
  io.restart();
  const auto all = [&] {
    return std::all_of(readers.begin(), readers.end(), [](const auto& reader) { return !reader->heard.empty(); });
  };
  while (!all()) io.run_one();
  for (const auto& reader : readers) EXPECT_EQ(reader->heard[0], '\x20');  // CONNACK
  broker_->Stop();
}

TEST_F(ShardThreadsTest, StopsUnderLoad) {
  std::vector<std::unique_ptr<TcpPeer>> subscribers;
  for (int i = 0; i < 3; ++i) subscribers.push_back(Peer(absl::StrCat("s", i), "t/#"));
  std::vector<std::thread> threads;
  std::atomic<int> sent{0};
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      const auto peer = Peer(absl::StrCat("p", i));
      for (int k = 0; peer->Send(Message("t/all", "x", k)); ++k) {
        if (peer->Receive().empty()) break;
        if (++sent == 200) broker_->Stop();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(sent.load(), 200);
}

}  // namespace
}  // namespace mqttrpc::test
