#include "mqttrpc/testing/faults.h"

#include <utility>

#include "fault_rules.h"
#include "network.h"
#include "packet_text.h"

namespace mqttrpc::testing {
namespace {

// A copy of `rule` that is in force from now on.
FaultRule Make(Network& network, const Rule& rule, std::string note,
               std::function<void(const RecordedPacket&, Verdict&)> act) {
  auto made = std::make_shared<Rule>(rule);
  made->note = std::move(note);
  made->act = std::move(act);
  network.rules().Add(made);
  return FaultRule(std::move(made));
}

std::string Text(mqtt::Duration duration) { return SecondsText(std::chrono::duration<double>(duration).count()); }

}  // namespace

std::size_t FaultRule::hits() const { return rule_->hits; }

void FaultRule::Remove() { rule_->removed = true; }

Selection Selection::About(std::string topic_name) const {
  return If([topic = std::move(topic_name)](const RecordedPacket& packet) { return packet.topic_name == topic; });
}

Selection Selection::If(std::function<bool(const RecordedPacket&)> wanted) const {
  auto narrowed = std::make_shared<Rule>(*rule_);
  narrowed->wanted = [before = rule_->wanted, wanted = std::move(wanted)](const RecordedPacket& packet) {
    return (!before || before(packet)) && wanted(packet);
  };
  return Selection(network_, std::move(narrowed));
}

FaultRule Selection::Delay(mqtt::Duration by) const {
  return Make(network_, *rule_, "held " + Text(by),
              [by](const RecordedPacket&, Verdict& verdict) { verdict.delay += by; });
}

FaultRule Selection::SplitAt(std::size_t bytes, mqtt::Duration gap) const {
  return Make(network_, *rule_, "split at " + std::to_string(bytes),
              [bytes, gap](const RecordedPacket&, Verdict& verdict) {
                verdict.split_at = bytes;
                verdict.split_gap = gap;
              });
}

FaultRule Selection::CutBefore() const {
  return Make(network_, *rule_, "lost: cut before it",
              [](const RecordedPacket&, Verdict& verdict) { verdict.cut_before = true; });
}

FaultRule Selection::CutAfter() const {
  return Make(network_, *rule_, "cut after it",
              [](const RecordedPacket&, Verdict& verdict) { verdict.cut_after = true; });
}

FaultRule Selection::FreezeAfter() const {
  return Make(network_, *rule_, "frozen after it",
              [](const RecordedPacket&, Verdict& verdict) { verdict.freeze_after = true; });
}

FaultRule Selection::Drop() const {
  return Make(network_, *rule_, "dropped", [](const RecordedPacket&, Verdict& verdict) { verdict.drop = true; });
}

FaultRule Selection::Duplicate() const {
  return Make(network_, *rule_, "sent twice", [](const RecordedPacket&, Verdict& verdict) { ++verdict.copies; });
}

FaultRule Selection::SwapWithNext() const {
  return Make(network_, *rule_, "swapped with the next",
              [](const RecordedPacket&, Verdict& verdict) { verdict.swap_with_next = true; });
}

FaultRule Selection::Replace(std::function<std::string(const RecordedPacket&)> change) const {
  return Make(network_, *rule_, "replaced",
              [change = std::move(change)](const RecordedPacket& packet, Verdict& verdict) {
                verdict.replaced = change(packet);
              });
}

Selection Flow::Select(std::size_t nth, std::optional<PacketKind> kind, double probability) const {
  auto rule = std::make_shared<Rule>();
  rule->client = client_;
  rule->direction = direction_;
  rule->kind = kind;
  rule->nth = nth;
  rule->probability = probability;
  return Selection(network_, std::move(rule));
}

Selection Flow::Nth(std::size_t n, PacketKind kind) const { return Select(n, kind, 1); }
Selection Flow::Every(PacketKind kind) const { return Select(0, kind, 1); }
Selection Flow::Every() const { return Select(0, std::nullopt, 1); }
Selection Flow::Sometimes(double probability) const { return Select(0, std::nullopt, probability); }

void Flow::Freeze() const { network_.SetFrozen(client_, direction_, true); }
void Flow::Thaw() const { network_.SetFrozen(client_, direction_, false); }
void Flow::Latency(mqtt::Duration latency) const { network_.SetLatency(client_, direction_, latency); }

void Faults::Cut(std::string_view client) { network_.Cut(client, "cut"); }

void Faults::LeaveHalfOpen(std::string_view client) { network_.LoseClient(client); }

void Faults::Refuse(std::string_view client, absl::Status why) {
  network_.Refuse(client, std::move(why), mqtt::kNever);
}

void Faults::RefuseFor(std::string_view client, mqtt::Duration time) {
  network_.Refuse(client, absl::UnavailableError("connection refused"), network_.Now() + time);
}

void Faults::Accept(std::string_view client) { network_.Accept(client); }

void Faults::Heal() { network_.Heal(); }

}  // namespace mqttrpc::testing
