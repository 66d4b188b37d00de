// Who has its turn when there is more to do than a turn takes.
#include <memory>
#include <string>
#include <vector>

#include "broker_fixture.h"

namespace mqttrpc::test {
namespace {

class BrokerTurnsTest : public BrokerTest {
 protected:
  static constexpr std::size_t kGroups = 3'000;

  // Each message to "costly" takes a whole turn: so many share groups get it.
  void MakeCostly() {
    options_.maximum_queued_messages = 10;
    helper_ = Connected("helper");
    mqtt::Subscribe subscribe;
    std::vector<std::string> filters;
    for (std::size_t i = 0; i < kGroups; ++i) filters.push_back("$share/" + std::to_string(i) + "/costly");
    subscribe.packet_id = 1;
    for (const std::string& filter : filters) subscribe.entries.emplace_back().topic_filter = filter;
    Subscribe(*helper_, subscribe);
    helper_->Freeze();
  }

  static std::string Repeated(const mqtt::Publish& publish, std::size_t bytes) {
    std::string packet;
    EXPECT_TRUE(mqtt::EncodePublish(publish, mqtt::Sender::kClient, packet).ok());
    std::string all;
    while (all.size() + packet.size() <= bytes) all += packet;
    return all;
  }

  void ConnectMany(int count) {
    for (int i = 0; i < count; ++i) many_.push_back(Connected("costly" + std::to_string(i)));
  }

  void Step() {
    io_.restart();
    io_.poll_one();
  }

  std::unique_ptr<RawClient> helper_;
  std::vector<std::unique_ptr<RawClient>> many_;
};

TEST_F(BrokerTurnsTest, AnswersAModestClientBeforeWhatManyCostlyOnesHaveSent) {
  MakeCostly();
  ConnectMany(50);
  auto modest = Connected("modest");
  for (const auto& costly : many_) Send(*costly, PublishOf("costly", ""));
  const std::string more = Repeated(PublishOf("costly", ""), 1'000);
  for (const auto& costly : many_) costly->SendBytes(more);
  const auto before = broker().statistics().messages_received;
  modest->Send(PublishOf("other", "", 1));
  while (modest->waiting() == 0) Step();
  EXPECT_LT(broker().statistics().messages_received - before, 10u);
}

TEST_F(BrokerTurnsTest, GivesCostlyClientsTheirTurnsToo) {
  MakeCostly();
  ConnectMany(3);
  const std::string work = Repeated(PublishOf("costly", ""), 200);
  for (const auto& costly : many_) costly->SendBytes(work);
  for (const auto& costly : many_) costly->Send(mqtt::PingReq());
  Settle();
  for (const auto& costly : many_) EXPECT_EQ(costly->waiting(), 1u);
}

// Its stream is over before its turn comes (MQTT-3.14.4-3).
TEST_F(BrokerTurnsTest, HearsADisconnectThatWaitedWhenTheStreamEnded) {
  MakeCostly();
  auto watcher = Connected("watcher");
  Subscribe(*watcher, "will");
  mqtt::Connect connect = ConnectAs("client");
  connect.will.emplace().topic_name = "will";
  auto client = Connected(connect);
  std::string last_words = Repeated(PublishOf("costly", ""), 200);
  ASSERT_TRUE(mqtt::EncodePacket(mqtt::Disconnect(), mqtt::Sender::kClient, last_words).ok());
  client->SendBytes(last_words);
  client->Drop();
  Settle();
  EXPECT_EQ(watcher->waiting(), 0u);
  EXPECT_EQ(broker().statistics().connections, 2u);  // The watcher and the helper.

  client = Connected(connect);  // Without the DISCONNECT the will comes.
  client->SendBytes(std::string_view(last_words).substr(0, last_words.size() - 2));
  client->Drop();
  Settle();
  EXPECT_EQ(watcher->waiting(), 1u);
  EXPECT_EQ(broker().statistics().connections, 2u);
}

// While others, of whom each needs little, keep the broker busy without an end.
TEST_F(BrokerTurnsTest, ServesWhoHasSentMuchHoweverManyOthersWait) {
  MakeCostly();
  auto busy = Connected("busy");
  busy->SendBytes(Repeated(PublishOf("costly", ""), 100));
  Settle();
  busy->Send(PublishOf("other", "", 1));
  ConnectMany(30);
  for (int round = 0; round < 100 && busy->waiting() == 0; ++round) {
    // Always new ones, which come before it.
    many_.push_back(std::make_unique<RawClient>(broker()));
    many_.back()->Send(ConnectAs("new" + std::to_string(round)));
    many_.back()->SendBytes(Repeated(PublishOf("costly", ""), 50));
    for (int i = 0; i < 5; ++i) Step();
  }
  EXPECT_EQ(busy->waiting(), 1u);
}

TEST_F(BrokerTurnsTest, ReadsLittleFromEachWhileManyWaitForTheirTurn) {
  options_.maximum_total_queued_bytes = 8'000'000 * options_.shards;  // Each knows all filters.
  MakeCostly();
  ConnectMany(100);
  auto uploader = Connected("uploader");  // Its large packets pass.
  const auto base = broker().statistics().memory_used;
  const std::string work = Repeated(PublishOf("costly", ""), 60'000);
  for (const auto& costly : many_) costly->SendBytes(work);
  const auto limit = options_.maximum_total_queued_bytes / 16 + many_.size() * 512;
  // What two packets give each other shard in a turn, in the blocks that messages are.
  constexpr std::size_t kBlock = 72;
  const auto between_shards = (options_.shards - 1) * 2 * kGroups * kBlock;
  const std::string upload = Repeated(PublishOf("upload", std::string(6'000, 'x'), 1), 6'100);
  for (const std::size_t from : {std::size_t{0}, upload.size() / 2}) {
    uploader->SendBytes(std::string_view(upload).substr(from, upload.size() / 2 + 1));
    for (int i = 0; i < 300; ++i) {
      Step();
      ASSERT_LT(broker().statistics().memory_used, base + limit + upload.size() + 10'000 + between_shards);
    }
  }
  EXPECT_EQ(uploader->Next<mqtt::PubAck>().packet_id, 1u);
}

}  // namespace
}  // namespace mqttrpc::test
