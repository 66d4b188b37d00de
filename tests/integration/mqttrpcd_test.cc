// mqttrpcd as users start it: a process with a command line, output and signals.
#include <csignal>
#include <memory>
#include <random>
#include <string>

#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mqttrpc/mqtt/status.h"
#include "support/child_process.h"
#include "support/packet_corpus.h"
#include "support/tcp_peer.h"

namespace mqttrpc::test {
namespace {

using testing::ChildProcess;
using ::testing::HasSubstr;

// Runs it to its end, standard error included in the output.
struct Finished {
  explicit Finished(const std::string& arguments) {
    ChildProcess process({"/bin/sh", "-c", "exec '" MQTTRPCD_PATH "' " + arguments + " 2>&1"});
    output = process.ReadRest();
    status = process.Wait();
  }
  std::string output;
  int status = -1;
};

class MqttrpcdTest : public ::testing::Test {
 protected:
  // Serving on a free port of 127.0.0.1.
  void Start() {
    daemon_ = std::make_unique<ChildProcess>(
        std::vector<std::string>{MQTTRPCD_PATH, "--listen", "mqtt://127.0.0.1:0", "--log-level", "error"});
    url_ = daemon_->WaitForLine("listening on ").value_or("");
    ASSERT_THAT(url_, HasSubstr("mqtt://127.0.0.1:"));
  }

  // Two clients that must keep being served, whatever the others do.
  void MeetWitnesses() {
    subscriber_ = std::make_unique<TcpPeer>(url_);
    publisher_ = std::make_unique<TcpPeer>(url_);
    ASSERT_TRUE(subscriber_->Connect("witness-subscriber"));
    ASSERT_TRUE(publisher_->Connect("witness-publisher"));
    mqtt::Subscribe subscribe;
    subscribe.packet_id = 1;
    subscribe.entries.emplace_back();
    subscribe.entries[0].topic_filter = "witness/only";
    ASSERT_TRUE(subscriber_->Send(subscribe));
    ASSERT_EQ(subscriber_->Receive(), std::string("\x90\x04\x00\x01\x00\x00", 6));
  }
  void ExpectServing() {
    const std::string packet(
        "\x30\x14\x00\x0Cwitness/only\x00"
        "alive",
        22);
    ASSERT_TRUE(publisher_->Send(packet));
    ASSERT_EQ(subscriber_->Receive(), packet);
  }

  std::unique_ptr<ChildProcess> daemon_;
  std::string url_;
  std::unique_ptr<TcpPeer> subscriber_;
  std::unique_ptr<TcpPeer> publisher_;
};

TEST_F(MqttrpcdTest, HelpsWithExamples) {
  const Finished help("--help");
  EXPECT_EQ(help.status, 0);
  for (const char* expected : {"--listen", "--allow-anonymous", "--max-packet-size", "--log-level",
                               "Examples:", "listening on mqtt://127.0.0.1:1883", "Exit status:"}) {
    EXPECT_THAT(help.output, HasSubstr(expected));
  }
}

TEST_F(MqttrpcdTest, TellsItsVersion) {
  const Finished version("--version");
  EXPECT_EQ(version.status, 0);
  EXPECT_EQ(version.output, "mqttrpcd " MQTTRPCD_VERSION "\n");
}

TEST_F(MqttrpcdTest, RefusesToBeReachedByEveryoneUnlessToldTo) {
  for (const std::string address : {"0.0.0.0", "[::]", "192.0.2.1", "example.org"}) {
    const Finished refused("--listen mqtt://" + address + ":0");
    EXPECT_EQ(refused.status, 2);
    EXPECT_THAT(refused.output, HasSubstr("authentication"));     // Why,
    EXPECT_THAT(refused.output, HasSubstr("--allow-anonymous"));  // and what to do.
  }
  ChildProcess open({MQTTRPCD_PATH, "--listen", "mqtt://0.0.0.0:0", "--allow-anonymous", "--log-level", "error"});
  EXPECT_TRUE(open.WaitForLine("listening on mqtt://0.0.0.0:").has_value());
  open.Signal(SIGTERM);
  EXPECT_EQ(open.Wait(), 0);
}

TEST_F(MqttrpcdTest, SaysWhatIsWrongWithItsOptions) {
  EXPECT_EQ(Finished("--no-such-option").status, 2);
  EXPECT_EQ(Finished("--listen 127.0.0.1:1883").status, 2);
  EXPECT_EQ(Finished("--log-level loud").status, 2);
  EXPECT_EQ(Finished("--max-packet-size 1").status, 2);
  for (const char* nonsense : {"--max-queued-messages -5", "--max-queued-bytes -1", "--max-total-queued-bytes 0",
                               "--max-retained-messages 99999999999999999999", "--response-information a/#",
                               "--max-keep-alive 70000", "--shards 0", "--shards 33"}) {
    EXPECT_EQ(Finished(nonsense).status, 2) << nonsense;
  }
  const Finished range("--receive-maximum 70000");
  EXPECT_EQ(range.status, 2);
  EXPECT_THAT(range.output, HasSubstr("65535"));
}

TEST_F(MqttrpcdTest, SaysThatAPortIsInUse) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const Finished second("--listen " + url_);
  EXPECT_EQ(second.status, 1);
  EXPECT_THAT(second.output, HasSubstr(url_));
  EXPECT_THAT(second.output, HasSubstr("in use"));
}

TEST_F(MqttrpcdTest, ListensAtEachAddress) {
  ChildProcess daemon({MQTTRPCD_PATH, "--listen", "mqtt://127.0.0.1:0", "--listen", "mqtt://127.0.0.1:0"});
  for (int i = 0; i < 2; ++i) {
    const auto url = daemon.WaitForLine("listening on ");
    ASSERT_TRUE(url.has_value());
    EXPECT_TRUE(TcpPeer(*url).Connect("me"));
  }
}

TEST_F(MqttrpcdTest, ServesFromAsManyShardsAsItIsTold) {
  for (const char* shards : {"1", "5"}) {
    ChildProcess daemon({MQTTRPCD_PATH, "--listen", "mqtt://127.0.0.1:0", "--shards", shards});
    const auto url = daemon.WaitForLine("listening on ");
    ASSERT_TRUE(url.has_value());
    std::vector<std::unique_ptr<TcpPeer>> peers;
    for (int i = 0; i < 20; ++i) {
      peers.push_back(std::make_unique<TcpPeer>(*url));
      EXPECT_TRUE(peers.back()->Connect(std::to_string(i)));
    }
  }
}

TEST_F(MqttrpcdTest, EndsCleanlyAtASignal) {
  for (const int signal : {SIGINT, SIGTERM}) {
    ASSERT_NO_FATAL_FAILURE(Start());
    TcpPeer client(url_);
    ASSERT_TRUE(client.Connect("me"));
    daemon_->Signal(signal);
    EXPECT_EQ(TcpPeer::ReasonOf(client.Receive()), mqtt::ReasonCode::kServerShuttingDown);
    EXPECT_EQ(daemon_->Wait(), 0);
  }
}

TEST_F(MqttrpcdTest, ServesThoughNobodyReadsItsLog) {
  // Its stderr is a pipe whose only reader is itself.
  const std::string fifo = ::testing::TempDir() + "mqttrpcd-log-" + std::to_string(getpid());
  ChildProcess daemon({"/bin/sh", "-c",
                       "mkfifo '" + fifo + "' && exec 9<>'" + fifo + "' && rm '" + fifo +
                           "' && exec '" MQTTRPCD_PATH "' --listen mqtt://127.0.0.1:0 --log-level debug 2>&9 9<&-"});
  const std::string url = daemon.WaitForLine("listening on ").value_or("");
  constexpr int kConnections = 2'000;  // A pipe holds 64 KiB, the lines of about 500.
  for (int i = 0; i < kConnections; ++i) ASSERT_TRUE(TcpPeer(url).Connect("me")) << i;
}

TEST_F(MqttrpcdTest, ServesOthersThroughRandomBytes) {
  ASSERT_NO_FATAL_FAILURE(Start());
  ASSERT_NO_FATAL_FAILURE(MeetWitnesses());
  std::mt19937 random(1);
  for (int round = 0; round < 1'000; ++round) {
    TcpPeer hostile(url_);
    ASSERT_TRUE(hostile.connected());
    if (round % 2 == 0) {
      ASSERT_TRUE(hostile.Connect("hostile"));
    }
    std::string bytes(1 + random() % 400, '\0');
    for (char& each : bytes) each = static_cast<char>(random());
    hostile.Send(bytes);
    if (round % 10 == 0) {
      ASSERT_NO_FATAL_FAILURE(ExpectServing());
    }
  }
  ASSERT_NO_FATAL_FAILURE(ExpectServing());
}

TEST_F(MqttrpcdTest, ServesOthersThroughEveryMistakeThereIs) {
  ASSERT_NO_FATAL_FAILURE(Start());
  ASSERT_NO_FATAL_FAILURE(MeetWitnesses());
  for (const MalformedPacket& bad : MalformedPackets()) {
    if (bad.sender != mqtt::Sender::kClient) continue;
    if (bad.name.starts_with("CONNECT of MQTT 3.1")) continue;  // Wrong for a client of 5.0 only.
    SCOPED_TRACE(bad.name);
    const bool connect = static_cast<unsigned char>(bad.bytes[0]) >> 4 == 1;
    TcpPeer hostile(url_);
    if (!connect) {
      ASSERT_TRUE(hostile.Connect("hostile"));
    }
    ASSERT_TRUE(hostile.Send(bad.bytes));
    const std::string answer = hostile.Receive();
    if (!connect) {
      EXPECT_EQ(TcpPeer::ReasonOf(answer), bad.reason_code);
    }
    EXPECT_EQ(answer.substr(0, 1), connect ? "\x20" : "\xE0");
    EXPECT_EQ(hostile.Receive(), "");  // Then the stream is closed.
    ASSERT_NO_FATAL_FAILURE(ExpectServing());
  }
}

}  // namespace
}  // namespace mqttrpc::test
