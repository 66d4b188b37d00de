// What may be held for whom when memory is short.
#include <memory>
#include <string>
#include <vector>

#include "crowd_fixture.h"

namespace mqttrpc::test {
namespace {

using mqtt::QoS;
using mqtt::ReasonCode;
using std::chrono::milliseconds;
using std::chrono::seconds;

class BrokerMemoryTest : public CrowdedBrokerTest {};

// Whoever waits for publishers would wait for these clients.
TEST_F(BrokerMemoryTest, LetsNobodyHoldMoreThanAShareOfWhatIsLeft) {
  options_.maximum_total_queued_bytes = 8'000'000;
  constexpr int kSlow = 10;
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < kSlow; ++i) {
    const std::string client_id = "slow" + std::to_string(i);
    mqtt::Connect connect = ConnectAs(client_id);
    mqtt::Properties one;
    one.Set(mqtt::property::kReceiveMaximum, std::uint16_t{1});
    connect.properties = one;
    slow.push_back(Connected(connect));
    Subscribe(*slow.back(), "t/" + std::to_string(i));
  }
  auto publisher = Connected("publisher");
  for (int i = 0; i < 20'000; ++i) {
    RawClient& reader = *slow[static_cast<std::size_t>(i % kSlow)];
    Send(*publisher, PublishOf("t/" + std::to_string(i % kSlow), PayloadOf(i), 1));
    publisher->NextRaw();
    if (i / kSlow % 100 != 0 || reader.waiting() == 0) continue;
    mqtt::PubAck ack;  // It does take something.
    ack.packet_id = reader.Next<mqtt::Publish>().packet_id;
    Send(reader, ack);
    clock_.Advance(milliseconds(50));
  }
  EXPECT_LT(broker().statistics().memory_used, options_.maximum_total_queued_bytes / 4 * 3);
  EXPECT_GT(broker().statistics().memory_used, options_.maximum_total_queued_bytes / 3);  // Room that is there is used.
  EXPECT_GT(broker().statistics().messages_dropped, 10'000u);
}

// A single message that is never acknowledged is as much as many.
TEST_F(BrokerMemoryTest, TakesNoLargeMessageForASlowClientWhenWhatLastsIsFull) {
  options_.maximum_total_queued_bytes = 4'000'000;
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 20; ++i) {
    const std::string client_id = "slow" + std::to_string(i);
    slow.push_back(Connected(client_id));
    Subscribe(*slow.back(), client_id);
    Send(*slow.back(), PublishOf(client_id, std::string(300'000, 'x'), 1));
  }
  EXPECT_LT(broker().statistics().memory_used, options_.maximum_total_queued_bytes / 4 * 3);
  EXPECT_GT(broker().statistics().messages_dropped, 0u);
  ExpectServing();
}

TEST_F(BrokerMemoryTest, SendsRetainedMessagesWhenThereIsMemoryAgain) {
  options_.maximum_total_queued_bytes = 500'000;
  auto publisher = Connected("publisher");
  for (int i = 0; i < 5; ++i) {
    const std::string topic_name = "r/" + std::to_string(i);
    mqtt::Publish publish = PublishOf(topic_name, "kept");
    publish.retain = true;
    Send(*publisher, publish);
  }
  auto subscriber = Connected("subscriber");
  Crowd crowd(*this);
  crowd.Freeze();
  std::vector<std::unique_ptr<RawClient>> others = FillMemory(crowd);
  Subscribe(*subscriber, "r/#");
  EXPECT_EQ(subscriber->waiting(), 0u);
  crowd.Thaw();
  clock_.Advance(milliseconds(1001));
  EXPECT_EQ(subscriber->waiting(), 5u);
}

// Those who are away may fill only a part of the memory, however many they are: the
// others are served without a pause.
TEST_F(BrokerMemoryTest, KeepsRoomForTheLiveWhateverWaitsForTheAbsent) {
  options_.maximum_total_queued_bytes = 4'000'000;
  mqtt::Properties properties;
  properties.Set(mqtt::property::kSessionExpiryInterval, std::uint32_t{3600});
  for (int i = 0; i < 50; ++i) {
    const std::string client_id = "absent " + std::to_string(i);
    mqtt::Connect connect = ConnectAs(client_id);
    connect.properties = properties;
    auto absent = Connected(connect);
    // Each has a message of its own besides: what all share costs once.
    Subscribe(*absent, "t/" + std::to_string(i));
    absent->Drop();
    Settle();
  }
  auto live = Connected("live");
  Subscribe(*live, "t/+", QoS::kAtMostOnce);
  auto publisher = Connected("publisher");
  constexpr int kOffered = 40'000;  // Ten times the memory.
  for (int i = 0; i < kOffered; ++i) {
    Send(*publisher, PublishOf("t/" + std::to_string(i % 50), PayloadOf(i), 1));
    publisher->NextRaw();
    ASSERT_EQ(NumberIn(live->Next<mqtt::Publish>()), i);
    ASSERT_LE(broker().statistics().memory_used, options_.maximum_total_queued_bytes);
  }
  EXPECT_GT(broker().statistics().messages_dropped, kOffered / 2u);
  EXPECT_GT(broker().statistics().memory_used, 2'000'000u);  // Room that is there is used.
}

TEST_F(BrokerMemoryTest, GivesUpTheLargestPacketWhileTooManyAreHalfWay) {
  options_.maximum_total_queued_bytes = 1024 * 1024;
  std::string packet;
  ASSERT_TRUE(mqtt::EncodePacket(PublishOf("t", std::string(100'000, 'x')), mqtt::Sender::kClient, packet).ok());
  std::vector<std::unique_ptr<RawClient>> halves;
  for (int i = 0; i < 5; ++i) {
    halves.push_back(Connected("half-" + std::to_string(i)));
    halves.back()->SendBytes(packet.substr(0, packet.size() - 10 + i));  // The last is the largest.
    Settle();
  }
  int given_up = 0;
  for (const auto& half : halves) given_up += half->closed() ? 1 : 0;
  EXPECT_GT(given_up, 0);
  EXPECT_LT(given_up, 4);
  EXPECT_LT(broker().statistics().memory_used, options_.maximum_total_queued_bytes / 2);
  ExpectServing();  // Whose packets are small.
  auto moderate = Connected("moderate");
  std::string smaller;
  ASSERT_TRUE(mqtt::EncodePacket(PublishOf("t", std::string(50'000, 'x')), mqtt::Sender::kClient, smaller).ok());
  for (const std::size_t from : {std::size_t{0}, smaller.size() - 1}) {
    moderate->SendBytes(smaller.substr(from, from == 0 ? smaller.size() - 1 : 1));
    Settle();
  }
  EXPECT_FALSE(moderate->closed());
  halves.clear();
  moderate = nullptr;
  Settle();
  clock_.Advance(seconds(10));
  EXPECT_EQ(broker().statistics().memory_used, 0u);
}

TEST_F(BrokerMemoryTest, BoundsWhatShareGroupsGetBackFromTheirMembers) {
  options_.maximum_total_queued_bytes = 4'000'000;
  mqtt::Properties lasting;
  lasting.Set(mqtt::property::kSessionExpiryInterval, 3600u);
  std::vector<std::unique_ptr<RawClient>> members;
  constexpr int kMembers = 45;
  for (int i = 0; i < kMembers; ++i) {
    const std::string client_id = "member" + std::to_string(i);
    mqtt::Connect connect = ConnectAs(client_id);
    connect.properties = lasting;
    members.push_back(Connected(connect));
    Subscribe(*members.back(), "$share/g/t/" + std::to_string(i), QoS::kAtLeastOnce);
    members.back()->Freeze();
  }
  auto publisher = Connected("publisher");
  for (int i = 0; i < 2'900; ++i) {
    Send(*publisher, PublishOf("t/" + std::to_string(i % kMembers), PayloadOf(i), static_cast<mqtt::PacketId>(i + 1)));
  }
  EXPECT_GT(broker().statistics().memory_used, options_.maximum_total_queued_bytes / 8 * 5);
  for (auto& member : members) member->Drop();
  Settle();
  EXPECT_LE(broker().statistics().memory_used, options_.maximum_total_queued_bytes / 8 * 5 + kPayloadBytes);
  EXPECT_GT(broker().statistics().messages_dropped, 0u);
  ExpectServing();
}

TEST_F(BrokerMemoryTest, CountsThePlacesOfOneMessageInManyShareGroups) {
  constexpr std::size_t kGroups = 500;
  constexpr std::size_t kMessages = 200;
  mqtt::Properties one;
  one.Set(mqtt::property::kReceiveMaximum, std::uint16_t{1});
  mqtt::Connect connect = ConnectAs("member");
  connect.properties = one;
  auto member = Connected(connect);
  for (std::size_t i = 0; i < kGroups; ++i) {
    Subscribe(*member, "$share/" + std::to_string(i) + "/t", QoS::kAtLeastOnce);
  }
  const std::uint64_t before = broker().statistics().memory_used;
  auto publisher = Connected("publisher");
  for (std::size_t i = 0; i < kMessages; ++i) Send(*publisher, PublishOf("t", "", static_cast<mqtt::PacketId>(i + 1)));
  EXPECT_GT(broker().statistics().memory_used - before, (kGroups - 1) * (kMessages - 1) * sizeof(void*));
  member->Drop();
  publisher->Drop();
  Settle();
  clock_.Advance(seconds(10));
  EXPECT_EQ(broker().statistics().memory_used, 0u);
}

TEST_F(BrokerMemoryTest, LeavesEveryoneAFewSubscriptions) {
  options_.maximum_total_queued_bytes = 1024 * 1024;
  auto greedy = Connected("greedy");
  auto modest = Connected("modest");
  ReasonCode code = ReasonCode::kSuccess;
  for (int i = 0; i < 10'000 && !mqtt::IsError(code); ++i) {
    greedy->Send(SubscribeTo(std::to_string(i) + "/a/b/c"));
    Settle();
    code = greedy->Next<mqtt::SubAck>().reason_codes.front();
  }
  EXPECT_EQ(code, ReasonCode::kQuotaExceeded);
  Subscribe(*modest, "rpc1/r/modest/#");
  Send(*greedy, PublishOf("rpc1/r/modest/1", "x"));
  EXPECT_EQ(modest->Next<mqtt::Publish>().payload, "x");
}

// What the broker holds already costs nothing when it goes to a member.
TEST_F(BrokerMemoryTest, LosesNothingOfAShareGroupWhenItsMemoryIsGone) {
  constexpr int kJobs = 50;
  options_.maximum_total_queued_bytes = 500'000;
  mqtt::Properties one;
  one.Set(mqtt::property::kReceiveMaximum, std::uint16_t{1});
  mqtt::Connect connect = ConnectAs("member");
  connect.properties = one;
  auto member = Connected(connect);
  Subscribe(*member, "$share/g/jobs", QoS::kAtLeastOnce);
  auto publisher = Connected("publisher");
  for (int i = 0; i < kJobs; ++i) Send(*publisher, PublishOf("jobs", PayloadOf(i), static_cast<mqtt::PacketId>(i + 1)));

  Crowd crowd(*this);
  crowd.Freeze();
  std::vector<std::unique_ptr<RawClient>> others = FillMemory(crowd);

  for (int i = 0; i < kJobs; ++i) {
    ASSERT_GT(member->waiting(), 0u) << i;
    const auto job = member->Next<mqtt::Publish>();
    EXPECT_EQ(NumberIn(job), i);
    mqtt::PubAck ack;
    ack.packet_id = job.packet_id;
    Send(*member, ack);
  }
}

TEST_F(BrokerMemoryTest, RefusesLargeSessionsBeforeTheyTakeAllMemory) {
  options_.maximum_total_queued_bytes = 1024 * 1024;
  mqtt::Properties lasting;
  lasting.Set(mqtt::property::kSessionExpiryInterval, 3600u);
  const std::string will_payload(20'000, 'x');
  ReasonCode code = ReasonCode::kSuccess;
  for (int i = 0; i < 100 && code == ReasonCode::kSuccess; ++i) {
    const std::string client_id = std::string(10'000, 'c') + std::to_string(i);
    mqtt::Connect connect = ConnectAs(client_id);
    connect.properties = lasting;
    connect.will.emplace().topic_name = "t";
    connect.will->payload = will_payload;
    auto client = NewClient();
    client->Send(connect);
    Settle();
    code = client->Next<mqtt::ConnAck>().reason_code;
  }
  EXPECT_EQ(code, ReasonCode::kQuotaExceeded);
  EXPECT_LT(broker().statistics().memory_used, options_.maximum_total_queued_bytes);
  ExpectServing();
}

// A client that reads, and acknowledges nothing, and goes: for what it left others
// would have no room.
TEST_F(BrokerMemoryTest, KeepsRoomForTheLiveWhateverIsNeverAcknowledged) {
  options_.maximum_total_queued_bytes = 4'000'000;
  mqtt::Properties lasting;
  lasting.Set(mqtt::property::kSessionExpiryInterval, 3600u);
  auto publisher = Connected("publisher");
  for (int i = 0; i < 20; ++i) {
    const std::string client_id = "mute-" + std::to_string(i);
    mqtt::Connect connect = ConnectAs(client_id);
    connect.properties = lasting;
    auto mute = Connected(connect);
    Subscribe(*mute, "t");
    for (int k = 0; k < 50; ++k) Send(*publisher, PublishOf("t", PayloadOf(k) + std::string(10'000, '.'), 1));
    mute->Drop();
    Settle();
  }
  EXPECT_LT(broker().statistics().memory_used, options_.maximum_total_queued_bytes / 4 * 3);
  EXPECT_GT(broker().statistics().messages_dropped, 0u);
  ExpectServing();
}

}  // namespace
}  // namespace mqttrpc::test
