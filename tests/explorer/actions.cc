#include "actions.h"

#include <array>
#include <random>

#include <absl/strings/str_cat.h>

namespace mqttrpc::explorer {
namespace {

using mqtt::QoS;
using testing::PacketKind;
using Kind = Action::Kind;

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed * 0x9E37'79B9'7F4A'7C15ULL + 1) {}

  int Below(int bound) { return static_cast<int>(engine_() % static_cast<std::uint64_t>(bound)); }
  bool OneIn(int n) { return Below(n) == 0; }
  template <typename T, std::size_t N>
  T Of(const std::array<T, N>& choices) {
    return choices[static_cast<std::size_t>(Below(static_cast<int>(N)))];
  }

 private:
  std::mt19937_64 engine_;
};

QoS DrawQoS(Dice& dice, const Features& features) {
  const int qos = dice.Of(std::array{0, 1, 1, 2, 2});
  return static_cast<QoS>(std::min(qos, static_cast<int>(features.maximum_qos)));
}

Actor DrawActor(Dice& dice, const Features& features, int number) {
  Actor actor;
  actor.plan.name = absl::StrCat("c", number);
  if (features.sessions) actor.plan.session_expiry = dice.Of(std::array{0U, 30U, 300U, 300U});
  if (dice.OneIn(2)) actor.plan.will_delay = features.will_delay ? dice.Of(std::array{0U, 5U, 60U}) : 0U;
  actor.style = dice.Of(std::array{Actor::Style::kExact, Actor::Style::kWildcard, Actor::Style::kShared});
  // A group with a member of QoS 0 promises little.
  if (actor.style == Actor::Style::kShared && !dice.OneIn(4)) actor.least_qos = QoS::kAtLeastOnce;
  actor.retain_qos = static_cast<QoS>(std::min(1 + dice.Below(2), static_cast<int>(features.maximum_qos)));
  actor.receive_maximum = dice.Of(std::array<std::uint16_t, 3>{1, 3, 100});
  actor.keep_alive = dice.OneIn(2) ? 60 : 0;
  return actor;
}

constexpr std::array kCutKinds = {
    PacketKind::kConnect, PacketKind::kPublish, PacketKind::kPublish,   PacketKind::kPubAck,  PacketKind::kPubRec,
    PacketKind::kPubRel,  PacketKind::kPubComp, PacketKind::kSubscribe, PacketKind::kConnAck, PacketKind::kSubAck};

// Some things happen more often than others.
constexpr std::array kKinds = {Kind::kPublish,   Kind::kPublish, Kind::kPublish,   Kind::kPublish,     Kind::kPublish,
                               Kind::kPublish,   Kind::kPublish, Kind::kSubscribe, Kind::kRetain,      Kind::kRetain,
                               Kind::kCut,       Kind::kCut,     Kind::kHalfOpen,  Kind::kUnsubscribe, Kind::kCutAt,
                               Kind::kCutAt,     Kind::kCutAt,   Kind::kSplit,     Kind::kRefuse,      Kind::kFreeze,
                               Kind::kThaw,      Kind::kThaw,    Kind::kGoodbye,   Kind::kReturn,      Kind::kSubscribe,
                               Kind::kSubscribe, Kind::kAdvance, Kind::kAdvance};

Action DrawAction(Dice& dice, const Features& features, int clients) {
  Action action;
  action.kind = dice.Of(kKinds);
  if (action.kind == Kind::kRetain && !features.retained) action.kind = Kind::kPublish;
  action.client = dice.Below(clients);
  action.topic = dice.Below(kTopics);
  action.count = dice.OneIn(3) ? 2 + dice.Below(4) : 1;
  action.qos = DrawQoS(dice, features);
  if (dice.OneIn(5)) action.expiry = dice.Of(std::array{2U, 20U, 100U});
  action.flag = dice.OneIn(3);
  action.end_session = dice.OneIn(3);
  action.to_client = dice.OneIn(2);
  action.packet = dice.Of(kCutKinds);
  const auto millis = dice.Of(std::array{1, 50, 500, 3'000, 20'000, 45'000, 100'000});
  action.duration = std::chrono::milliseconds(millis + dice.Below(millis));
  if (action.kind == Kind::kAdvance && dice.OneIn(12)) action.duration *= 4;  // Past every expiry.
  action.steps = 1 + dice.Below(12);
  const int after = dice.Below(10);
  action.after = after < 3 ? Action::After::kNothing : after < 6 ? Action::After::kSteps : Action::After::kQuiet;
  return action;
}

std::string_view NameOf(Kind kind) {
  constexpr std::array<std::string_view, 14> kNames = {"publish",   "retain",  "subscribe", "unsubscribe", "cut",
                                                       "half-open", "cut-at",  "split",     "refuse",      "freeze",
                                                       "thaw",      "goodbye", "return",    "advance"};
  return kNames[static_cast<std::size_t>(kind)];
}

}  // namespace

Scenario Draw(std::uint64_t seed, const Features& features) {
  Dice dice(seed);
  Scenario scenario;
  scenario.seed = seed;
  scenario.receive_maximum = dice.Of(std::array<std::uint16_t, 3>{2, 20, 1024});
  const int clients = 3 + dice.Below(3);
  for (int i = 0; i < clients; ++i) scenario.actors.push_back(DrawActor(dice, features, i));
  // Everyone subscribes to something at first, so that there is something to lose.
  for (int i = 0; i < clients; ++i) {
    Action action = DrawAction(dice, features, clients);
    action.kind = Kind::kSubscribe;
    action.client = i;
    scenario.actions.push_back(action);
  }
  const int actions = 15 + dice.Below(25);
  for (int i = 0; i < actions; ++i) scenario.actions.push_back(DrawAction(dice, features, clients));
  return scenario;
}

std::string ToString(const Action& action) {
  std::string text(NameOf(action.kind));
  absl::StrAppend(&text, " c", action.client);
  const auto seconds = std::chrono::duration<double>(action.duration).count();
  switch (action.kind) {
    case Kind::kPublish:
      absl::StrAppend(&text, " ", action.count, "x t/", action.topic, " qos=", static_cast<int>(action.qos));
      break;
    case Kind::kRetain:
      if (action.flag) text += " clear";
      break;
    case Kind::kSubscribe: absl::StrAppend(&text, " qos=", static_cast<int>(action.qos)); [[fallthrough]];
    case Kind::kUnsubscribe: absl::StrAppend(&text, " topic=", action.topic); break;
    case Kind::kCutAt:
      absl::StrAppend(&text, action.to_client ? " to client " : " to broker ", action.flag ? "after " : "before ");
      text.append(testing::NameOf(action.packet));
      break;
    case Kind::kSplit:
    case Kind::kFreeze:
    case Kind::kThaw: text += action.to_client ? " to client" : " to broker"; break;
    case Kind::kGoodbye:
      if (action.flag) text += " with will";
      if (action.end_session) text += " of the session";
      break;
    case Kind::kRefuse: absl::StrAppend(&text, " ", seconds, "s"); break;
    case Kind::kAdvance: text = absl::StrCat("advance ", seconds, "s"); break;
    default: break;
  }
  if (action.expiry.has_value() && (action.kind == Kind::kPublish || action.kind == Kind::kRetain)) {
    absl::StrAppend(&text, " expiry=", *action.expiry, "s");
  }
  if (action.after == Action::After::kSteps) absl::StrAppend(&text, ", then ", action.steps, " steps");
  if (action.after == Action::After::kNothing) text += ", then nothing";
  return text;
}

}  // namespace mqttrpc::explorer
