#include "runner.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include <absl/strings/str_cat.h>

#include "support/test_shards.h"

namespace mqttrpc::explorer {
namespace {

using mqtt::QoS;
using testing::Direction;
using testing::PacketKind;
using Kind = Event::Kind;

constexpr std::string_view kNumber = "m";  // The user property that tells messages apart.

testing::WorldOptions OptionsFor(const Scenario& scenario) {
  testing::WorldOptions options;
  options.seed = scenario.seed;
  options.broker.receive_maximum = scenario.receive_maximum;
  options.broker.shards = test::TestShards();
  return options;
}

std::string FilterOf(Actor::Style style, int topic) {
  switch (style) {
    case Actor::Style::kExact: return absl::StrCat("t/", topic);
    case Actor::Style::kWildcard: return topic == 0 ? "r/#" : "t/+";
    case Actor::Style::kShared: return "$share/group/t/#";
  }
  return "";
}

int NumberIn(mqtt::PropertiesView properties) {
  const auto number = properties.UserProperty(kNumber);
  return number.has_value() ? std::atoi(std::string(*number).c_str()) : -1;
}

}  // namespace

Runner::Runner(const Scenario& scenario, const std::function<void(testing::World&)>& plant, bool record)
    : scenario_(scenario), world_(OptionsFor(scenario)) {
  world_.recorder().set_limit(record ? testing::Recorder::kDefaultLimit : 0);
  world_.recorder().Watch([this](const testing::RecordedPacket& packet) { OnPacket(packet); },
                          [this](const testing::RecordedEvent& event) { OnEvent(event); });
  if (plant) plant(world_);
  seats_.reserve(scenario.actors.size() + 2);
  for (const Actor& actor : scenario.actors) {
    const int index = AddSeat(actor.plan);
    mqtt::ClientOptions options;
    options.session_expiry = std::chrono::seconds(actor.plan.session_expiry);
    options.receive_maximum = actor.receive_maximum;
    options.keep_alive = std::chrono::seconds(actor.keep_alive);
    options.maximum_takeovers = 0;
    if (actor.plan.will_delay.has_value()) {
      options.will.emplace("w/" + actor.plan.name, "will", QoS::kAtLeastOnce);
      options.will_delay = std::chrono::seconds(*actor.plan.will_delay);
    }
    Start(index, std::move(options));
  }
  ClientPlan witness;
  witness.name = "witness";
  history_.witness = AddSeat(witness);
  mqtt::ClientOptions options;
  options.keep_alive = std::chrono::seconds(0);
  Start(history_.witness, std::move(options));
  world_.RunUntilQuiet();
  Subscribe(history_.witness, "w/#", QoS::kAtLeastOnce);
}

Runner::~Runner() {
  over_ = true;
  world_.recorder().Watch(nullptr, nullptr);
}

int Runner::AddSeat(const ClientPlan& plan) {
  const int index = static_cast<int>(seats_.size());
  history_.clients.push_back(plan);
  seats_.emplace_back();
  by_name_[plan.name] = index;
  return index;
}

void Runner::Start(int index, mqtt::ClientOptions options) {
  seats_[index].client = &world_.NewClient(history_.clients[index].name, std::move(options));
}

Event& Runner::Add(Kind kind, int client) {
  Event& event = history_.events.emplace_back(kind, client);
  event.time = world_.elapsed();
  return event;
}

void Runner::Run() {
  Quiet();
  for (const Action& action : scenario_.actions) {
    Do(action);
    if (action.after == Action::After::kQuiet) Quiet();
    if (action.after == Action::After::kSteps) {
      world_.io().restart();
      for (int i = 0; i < action.steps; ++i) world_.io().poll_one();
    }
  }
  Heal();
  Probe();
  CheckNothingUnderWay();
  over_ = true;
  CheckNothingLeft();
}

void Runner::Do(const Action& action) {
  const int client = action.client;
  const std::string& name = history_.clients[client].name;
  const Actor& actor = scenario_.actors[client];
  testing::Faults& faults = world_.faults();
  const testing::Flow flow = action.to_client ? faults.To(name) : faults.From(name);
  switch (action.kind) {
    case Action::Kind::kPublish:
    case Action::Kind::kRetain: {
      MessagePlan plan;
      plan.publisher = client;
      plan.retain = action.kind == Action::Kind::kRetain;
      plan.empty = plan.retain && action.flag;
      plan.topic = plan.retain ? "r/" + name : absl::StrCat("t/", action.topic);
      plan.qos = plan.retain ? actor.retain_qos : action.qos;
      plan.expiry = action.expiry;
      for (int i = 0; i < action.count; ++i) Publish(client, plan);
      break;
    }
    case Action::Kind::kSubscribe:
      Subscribe(client, FilterOf(actor.style, action.topic), std::max(actor.least_qos, action.qos));
      break;
    case Action::Kind::kUnsubscribe: Unsubscribe(client, FilterOf(actor.style, action.topic)); break;
    case Action::Kind::kCut: faults.Cut(name); break;
    case Action::Kind::kHalfOpen: faults.LeaveHalfOpen(name); break;
    case Action::Kind::kCutAt: {
      const testing::Selection packet = flow.Next(action.packet);
      if (action.flag) {
        packet.CutAfter();
      } else {
        packet.CutBefore();
      }
      break;
    }
    case Action::Kind::kSplit: flow.Next(action.packet).SplitAt(static_cast<std::size_t>(action.steps)); break;
    case Action::Kind::kRefuse: faults.RefuseFor(name, action.duration); break;
    case Action::Kind::kFreeze: Freeze(client, action.to_client, true); break;
    case Action::Kind::kThaw: Freeze(client, action.to_client, false); break;
    case Action::Kind::kGoodbye: {
      mqtt::DisconnectOptions options;
      if (action.flag) options.reason_code = mqtt::ReasonCode::kDisconnectWithWillMessage;
      if (action.end_session && actor.plan.session_expiry != 0) options.session_expiry = std::chrono::seconds(0);
      seats_[client].stopped = true;
      seats_[client].client->Disconnect(options, [](const absl::Status&) {});
      break;
    }
    case Action::Kind::kReturn: Return(client); break;
    case Action::Kind::kAdvance: world_.Advance(action.duration); break;
  }
}

void Runner::Publish(int client, MessagePlan plan) {
  const int number = static_cast<int>(history_.messages.size());
  mqtt::Message message(plan.topic, plan.empty ? "" : absl::StrCat("payload ", number), plan.qos);
  message.retain = plan.retain;
  message.properties.Add(mqtt::property::kUserProperty, {kNumber, std::to_string(number)});
  if (plan.expiry.has_value()) message.properties.Set(mqtt::property::kMessageExpiryInterval, *plan.expiry);
  history_.messages.push_back(std::move(plan));
  Add(Kind::kPublish, client).message = number;
  seats_[client].client->Publish(std::move(message), [this, client, number](absl::StatusOr<mqtt::ReasonCode> code) {
    if (over_) return;
    Event& event = Add(Kind::kPublished, client);
    event.message = number;
    event.good = code.ok();
  });
}

void Runner::Subscribe(int client, const std::string& topic_filter, QoS qos) {
  mqtt::Subscription subscription(topic_filter, qos);
  subscription.retain_handling = 0;
  seats_[client].client->Subscribe(
      std::move(subscription), [this, client](const mqtt::MessageView& message) { OnMessage(client, message); },
      [this, client, topic_filter](const absl::StatusOr<mqtt::ReasonCode>& code) {
        if (!over_ && !code.ok()) Add(Kind::kGivenUp, client).text = topic_filter;
      });
}

void Runner::Unsubscribe(int client, const std::string& topic_filter) {
  seats_[client].client->Unsubscribe(topic_filter, [](const absl::StatusOr<mqtt::ReasonCode>&) {});
}

void Runner::Freeze(int client, bool to_client, bool frozen) {
  Seat& seat = seats_[client];
  if (seat.frozen[to_client ? 1 : 0] == frozen) return;
  seat.frozen[to_client ? 1 : 0] = frozen;
  const std::string& name = history_.clients[client].name;
  const testing::Flow flow = to_client ? world_.faults().To(name) : world_.faults().From(name);
  if (frozen) {
    flow.Freeze();
  } else {
    flow.Thaw();
  }
}

void Runner::Return(int client) {
  if (!seats_[client].stopped) return;
  seats_[client].stopped = false;
  seats_[client].client->Start();
}

void Runner::Quiet() {
  world_.RunUntilQuiet();
  std::uint32_t healthy = 0;
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    const Seat& seat = seats_[i];
    const bool connected = seat.client->state().kind == mqtt::ConnectionState::Kind::kConnected;
    if (connected && !seat.frozen[0] && !seat.frozen[1]) healthy |= std::uint32_t{1} << i;
  }
  Add(Kind::kQuiet, -1).healthy = healthy;
}

// Everything works again, and everyone has time to find out.
void Runner::Heal() {
  const int clients = static_cast<int>(scenario_.actors.size());
  world_.faults().Heal();
  for (Seat& seat : seats_) seat.frozen[0] = seat.frozen[1] = false;
  world_.RunUntilQuiet();  // Goodbyes that were held up.
  for (int client = 0; client < clients; ++client) Return(client);
  world_.Advance(std::chrono::minutes(2));
  Quiet();
  for (int client = 0; client < clients; ++client) {
    const mqtt::ConnectionState state = seats_[client].client->state();
    if (state.kind == mqtt::ConnectionState::Kind::kConnected) continue;
    findings_.push_back(
        absl::StrCat("stuck: ", history_.clients[client].name, " is not connected at the end: ", state.why.ToString()));
  }
}

void Runner::Probe() {
  ClientPlan probe;
  probe.name = "probe";
  history_.probe = AddSeat(probe);
  Start(history_.probe, mqtt::ClientOptions());
  world_.RunUntilQuiet();
  Subscribe(history_.probe, history_.probed, QoS::kExactlyOnce);
  Quiet();
}

// Each flow has come to its end, on both sides.
void Runner::CheckNothingUnderWay() {
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    const mqtt::ClientStatistics now = seats_[i].client->statistics();
    if (now.queued_messages + now.in_flight + now.unacknowledged + seats_[i].under_way.size() == 0) continue;
    findings_.push_back(absl::StrCat("stuck: at the end ", history_.clients[i].name, " has ", now.queued_messages,
                                     " messages queued, ", now.in_flight, " sent and ", now.unacknowledged,
                                     " received unacknowledged; the broker has sent it ", seats_[i].under_way.size()));
  }
}

// When everyone ends their session and nothing is retained, the broker holds nothing.
void Runner::CheckNothingLeft() {
  for (const ClientPlan& client : history_.clients) {
    mqtt::Message clears("r/" + client.name, "", QoS::kAtMostOnce);
    clears.retain = true;
    seats_[history_.witness].client->Publish(std::move(clears), [](const absl::StatusOr<mqtt::ReasonCode>&) {});
  }
  world_.RunUntilQuiet();
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    mqtt::DisconnectOptions options;
    if (history_.clients[i].session_expiry != 0) options.session_expiry = std::chrono::seconds(0);
    seats_[i].client->Disconnect(options, [](const absl::Status&) {});
  }
  world_.RunUntilQuiet();
  const broker::BrokerStatistics now = world_.broker().statistics();
  if (now.sessions + now.subscriptions + now.retained_messages + now.memory_used == 0) return;
  findings_.push_back(absl::StrCat("left: when all is over, ", now.sessions, " sessions, ", now.subscriptions,
                                   " subscriptions, ", now.retained_messages, " retained messages, ", now.memory_used,
                                   " bytes"));
}

void Runner::OnMessage(int index, const mqtt::MessageView& message) {
  if (over_) return;
  Event& event = Add(Kind::kDelivered, index);
  event.message = NumberIn(message.properties);
  event.text = message.topic_name;
  event.qos = message.qos;
  event.retain = message.retain;
}

void Runner::OnPacket(const testing::RecordedPacket& packet) {
  if (over_) return;
  const int index = by_name_.find(packet.client)->second;
  if (packet.direction == Direction::kToBroker) {
    OnFromClient(index, packet);
  } else {
    OnToClient(index, packet);
  }
}

void Runner::OnFromClient(int index, const testing::RecordedPacket& packet) {
  Seat& seat = seats_[index];
  if (packet.kind == PacketKind::kConnect) {
    seat.connection = packet.connection;
    seat.requests.clear();
    seat.under_way.clear();
    Event& event = Add(Kind::kConnect, index);
    event.connection = packet.connection;
    event.clean_start = packet.clean_start;
    return;
  }
  if (packet.connection != seat.connection) return;
  const bool ends_flow = packet.kind == PacketKind::kPubAck || packet.kind == PacketKind::kPubComp ||
                         (packet.kind == PacketKind::kPubRec && mqtt::IsError(packet.reason));
  if (ends_flow && packet.fault != "dropped") seat.under_way.erase(packet.packet_id);
  if (packet.kind == PacketKind::kPublish) {
    const int number = NumberIn(packet.properties);
    if (number >= 0) Add(Kind::kSending, index).message = number;
  } else if (packet.kind == PacketKind::kSubscribe || packet.kind == PacketKind::kUnsubscribe) {
    for (const std::string& filter : packet.topic_filters) {
      Event& event = Add(packet.kind == PacketKind::kSubscribe ? Kind::kSubscribe : Kind::kUnsubscribe, index);
      event.text = filter;
      event.packet_id = packet.packet_id;
      event.qos = packet.qos;
      seat.requests[packet.packet_id] = {filter, packet.qos};
    }
  } else if (packet.kind == PacketKind::kDisconnect) {
    Event& event = Add(Kind::kGoodbye, index);
    event.connection = packet.connection;
    event.good = packet.reason == mqtt::ReasonCode::kNormalDisconnection;
    event.sure = packet.fault.empty() && !seat.frozen[0];
    event.seconds = packet.properties.Get(mqtt::property::kSessionExpiryInterval);
  }
}

void Runner::OnToClient(int index, const testing::RecordedPacket& packet) {
  Seat& seat = seats_[index];
  if (packet.connection != seat.connection) {
    // A half-open connection may still be fed: what it is sent is lost with it.
    return;
  }
  if (packet.kind == PacketKind::kConnAck && packet.reason == mqtt::ReasonCode::kSuccess) {
    Event& event = Add(Kind::kConnected, index);
    event.connection = packet.connection;
    event.session_present = packet.session_present;
  } else if (packet.kind == PacketKind::kPublish) {
    if (packet.qos != QoS::kAtMostOnce) seat.under_way.insert(packet.packet_id);
    Event& event = Add(Kind::kSent, index);
    event.message = NumberIn(packet.properties);
    event.qos = packet.qos;
    event.dup = packet.dup;
    event.retain = packet.retain;
    event.seconds = packet.properties.Get(mqtt::property::kMessageExpiryInterval);
  } else if (packet.kind == PacketKind::kSubAck || packet.kind == PacketKind::kUnsubAck) {
    const auto request = seat.requests.find(packet.packet_id);
    if (request == seat.requests.end() || packet.reasons.empty() || mqtt::IsError(packet.reason)) return;
    Event& event = Add(packet.kind == PacketKind::kSubAck ? Kind::kSubscribed : Kind::kUnsubscribed, index);
    event.connection = packet.connection;
    event.text = request->second.first;
    event.packet_id = packet.packet_id;
    if (packet.kind == PacketKind::kSubAck) event.qos = static_cast<QoS>(packet.reason);
  }
}

// The broker sees an end when it makes it itself, or when it is told: "over" or "cut".
void Runner::OnEvent(const testing::RecordedEvent& recorded) {
  if (over_ || recorded.connection == 0) return;
  const bool end = recorded.what == "over" || recorded.what == "cut" || recorded.what == "closed by broker" ||
                   recorded.what == "dropped by broker";
  const int index = by_name_.find(recorded.client)->second;
  Seat& seat = seats_[index];
  if (!end || !seat.ended.insert(recorded.connection).second) return;
  Event& event = Add(Kind::kDisconnected, index);
  event.connection = recorded.connection;
  event.sure = recorded.what != "cut";
}

}  // namespace mqttrpc::explorer
