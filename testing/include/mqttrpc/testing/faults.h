// What a world does to the packets between its clients and its broker.
//
//   world.faults().To("lamp-42").Nth(2, PacketKind::kPubAck).Drop();
//   world.faults().From("lamp-42").Next(PacketKind::kPublish).CutAfter();
//   world.faults().From("lamp-42").Freeze();  // Neither side is told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "mqttrpc/mqtt/clock.h"
#include "mqttrpc/testing/recorded_packet.h"

namespace mqttrpc::testing {

class Network;
struct Rule;

// A rule that was made. Copies mean the same rule; dropping them all keeps it.
class FaultRule {
 public:
  explicit FaultRule(std::shared_ptr<Rule> rule) : rule_(std::move(rule)) {}

  std::size_t hits() const;  // How many packets it acted on.
  void Remove();             // It does not act any more.

 private:
  std::shared_ptr<Rule> rule_;
};

// Which packets a rule is for; one of its actions makes the rule. All rules that
// match a packet act on it, in the order they were made, until one drops it.
class Selection {
 public:
  Selection(Network& network, std::shared_ptr<Rule> rule) : network_(network), rule_(std::move(rule)) {}

  // Narrows it: only with this Topic Name; only those `wanted` says yes to.
  Selection About(std::string topic_name) const;
  Selection If(std::function<bool(const RecordedPacket&)> wanted) const;

  // What TCP may do to anyone:
  // It and all behind it arrive `by` later.
  FaultRule Delay(mqtt::Duration by) const;
  // Its first `bytes` bytes arrive by themselves, the rest `gap` later.
  FaultRule SplitAt(std::size_t bytes, mqtt::Duration gap = {}) const;
  // The stream ends for both sides, without a word, before or after it arrived.
  FaultRule CutBefore() const;
  FaultRule CutAfter() const;
  // After it, nothing arrives any more, until Thaw() or Heal().
  FaultRule FreezeAfter() const;

  // What TCP never does: the other side may rightly call it a broken peer. For
  // planting the mistakes of a peer, or to have an answer not given.
  FaultRule Drop() const;
  // Arrives twice, in a row.
  FaultRule Duplicate() const;
  // The packet behind it arrives first.
  FaultRule SwapWithNext() const;
  // What `change` makes of its bytes arrives instead: no, one or several packets.
  FaultRule Replace(std::function<std::string(const RecordedPacket&)> change) const;

 private:
  Network& network_;
  std::shared_ptr<Rule> rule_;
};

// One client's packets (or everyone's), one way. A client's name means all its
// connections, also those to come.
class Flow {
 public:
  Flow(Network& network, std::optional<std::string> client, Direction direction)
      : network_(network), client_(std::move(client)), direction_(direction) {}

  // The n-th packet of that kind from now on, counted from 1, connections after
  // another; the next one; all of them, or all of any kind.
  Selection Nth(std::size_t n, PacketKind kind) const;
  Selection Next(PacketKind kind) const { return Nth(1, kind); }
  Selection Every(PacketKind kind) const;
  Selection Every() const;
  // Each packet with this probability, 0 to 1, drawn from the world's seed.
  Selection Sometimes(double probability) const;

  // Nothing arrives until Thaw(); the sender is not told, only slowed down once
  // about 64 KiB wait. Both ways together: a network that swallows everything.
  void Freeze() const;
  void Thaw() const;

  // Everything takes `latency` to arrive; 0 is the default.
  void Latency(mqtt::Duration latency) const;

 private:
  Selection Select(std::size_t nth, std::optional<PacketKind> kind, double probability) const;

  Network& network_;
  std::optional<std::string> client_;  // Nothing: everyone.
  Direction direction_;
};

// Deterministic: the same rules and the same seed do the same. What it tells
// apart are packets: bytes that are none pass unharmed, but for latency, freezing
// and cuts. Used on the world's thread.
class Faults {
 public:
  explicit Faults(Network& network) : network_(network) {}

  Flow To(std::string_view client) { return Flow(network_, std::string(client), Direction::kToClient); }
  Flow From(std::string_view client) { return Flow(network_, std::string(client), Direction::kToBroker); }
  Flow ToAll() { return Flow(network_, std::nullopt, Direction::kToClient); }
  Flow FromAll() { return Flow(network_, std::nullopt, Direction::kToBroker); }

  // Ends the client's connection for both sides, now and without a word.
  void Cut(std::string_view client);

  // The client sees its connection end, the broker does not: it goes on believing in
  // it until keep alive says otherwise, or the client takes its session over.
  void LeaveHalfOpen(std::string_view client);

  // Attempts to connect fail with `why`, until Accept() or for a while.
  void Refuse(std::string_view client, absl::Status why = absl::UnavailableError("connection refused"));
  void RefuseFor(std::string_view client, mqtt::Duration time);
  void Accept(std::string_view client);

  // Removes all rules, thaws, accepts, and takes latency away.
  void Heal();

 private:
  Network& network_;
};

}  // namespace mqttrpc::testing
