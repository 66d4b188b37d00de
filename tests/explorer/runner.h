// One run of a scenario.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "actions.h"
#include "history.h"
#include "mqttrpc/testing/world.h"

namespace mqttrpc::explorer {

// Plays the actions in a world of its own and keeps the history.
class Runner {
 public:
  Runner(const Scenario& scenario, const std::function<void(testing::World&)>& plant, bool record);
  ~Runner();

  void Run();
  History& history() { return history_; }
  testing::World& world() { return world_; }
  const std::vector<std::string>& findings() const { return findings_; }  // What only the run itself sees.

 private:
  struct Seat {
    mqtt::Client* client = nullptr;
    bool frozen[2] = {false, false};
    bool stopped = false;
    std::uint64_t connection = 0;                                         // The last that sent CONNECT.
    std::set<std::uint64_t> ended;                                        // Whose end the broker saw.
    std::map<std::uint16_t, std::pair<std::string, mqtt::QoS>> requests;  // By packet id, of `connection`.
    std::set<std::uint16_t> under_way;  // Packet ids of the broker's messages on `connection`, unacknowledged.
  };

  int AddSeat(const ClientPlan& plan);
  void Start(int index, mqtt::ClientOptions options);
  void Do(const Action& action);
  void Publish(int client, MessagePlan plan);
  void Subscribe(int client, const std::string& topic_filter, mqtt::QoS qos);
  void Unsubscribe(int client, const std::string& topic_filter);
  void Freeze(int client, bool to_client, bool frozen);
  void Return(int client);
  void Quiet();
  void Heal();
  void Probe();
  void CheckNothingUnderWay();
  void CheckNothingLeft();

  void OnPacket(const testing::RecordedPacket& packet);
  void OnFromClient(int index, const testing::RecordedPacket& packet);
  void OnToClient(int index, const testing::RecordedPacket& packet);
  void OnEvent(const testing::RecordedEvent& event);
  void OnMessage(int index, const mqtt::MessageView& message);
  Event& Add(Event::Kind kind, int client);

  const Scenario& scenario_;
  History history_;
  std::vector<Seat> seats_;
  std::map<std::string, int, std::less<>> by_name_;
  std::vector<std::string> findings_;
  bool over_ = false;  // Nothing is written down any more.
  testing::World world_;
};

}  // namespace mqttrpc::explorer
