// All connections of a world, and the state of the network between.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <asio/any_io_executor.hpp>

#include "cable.h"
#include "fault_rules.h"
#include "mqttrpc/broker/broker.h"
#include "mqttrpc/mqtt/transport.h"
#include "mqttrpc/testing/manual_clock.h"
#include "mqttrpc/testing/recorder.h"

namespace mqttrpc::testing {

// One thread: that of the world.
class Network {
 public:
  Network(asio::any_io_executor executor, ManualClock& clock, std::uint64_t seed);
  ~Network();

  // Null: no broker answers, and connections end.
  void SetBroker(broker::Broker* broker);

  // Dials the broker under a client's name. Lives as long as the network.
  mqtt::Connector& ConnectorFor(std::string_view client);

  FaultRules& rules() { return rules_; }
  Recorder& recorder() { return recorder_; }
  ManualClock& clock() { return clock_; }
  const asio::any_io_executor& executor() const { return executor_; }
  mqtt::TimePoint Now() const { return clock_.Now(); }
  mqtt::Duration Elapsed() const { return Now() - begin_; }

  void Record(RecordedPacket packet);
  void Record(std::string_view client, std::uint64_t connection, std::string_view what);

  // `client` empty: everyone.
  void SetFrozen(const std::optional<std::string>& client, Direction direction, bool frozen);
  void SetLatency(const std::optional<std::string>& client, Direction direction, mqtt::Duration latency);
  bool frozen(const std::string& client, Direction direction) const;
  mqtt::Duration latency(const std::string& client, Direction direction) const;

  void Cut(std::string_view client, std::string_view why);
  void LoseClient(std::string_view client);
  void CutAll(std::string_view why);
  void Refuse(std::string_view client, absl::Status why, mqtt::TimePoint until);
  void Accept(std::string_view client) { refusals_.erase(std::string(client)); }
  void Heal();

  // Cables that are over go in a turn of their own: they stand in a callback.
  void DropFinished();

 private:
  class NamedConnector;
  struct Refusal {
    absl::Status why;
    mqtt::TimePoint until;
  };
  struct FlowState {
    bool frozen = false;
    mqtt::Duration latency{};
  };
  using FlowKey = std::pair<std::string, Direction>;

  absl::Status Refused(const std::string& client);
  FlowState& StateOf(const std::optional<std::string>& client, Direction direction);
  void PumpAll();

  const asio::any_io_executor executor_;
  ManualClock& clock_;
  const mqtt::TimePoint begin_;
  FaultRules rules_;
  Recorder recorder_;
  broker::Broker* broker_ = nullptr;
  std::map<std::string, std::unique_ptr<NamedConnector>, std::less<>> connectors_;
  std::map<std::string, Refusal> refusals_;
  std::map<FlowKey, FlowState> flows_;
  std::map<Direction, FlowState> everyone_;
  std::vector<std::shared_ptr<Cable>> cables_;
  std::uint64_t connections_ = 0;
};

}  // namespace mqttrpc::testing
