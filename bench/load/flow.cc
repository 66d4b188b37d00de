#include "load/flow.h"

#include <algorithm>
#include <cstring>

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

// What a payload begins with. Never leaves this machine: no byte order to agree on.
constexpr std::size_t kNumberBytes = sizeof(std::uint32_t);
constexpr std::size_t kStampBytes = kNumberBytes + sizeof(std::uint64_t);

// Brokers take connections one by one: no more than their backlog at a time.
constexpr std::size_t kConnectingAtATime = 50;

}  // namespace

Flow::Flow(Loop& loop, std::uint16_t port, const FlowOptions& options)
    : loop_(loop),
      options_(options),
      copies_(options.pattern == Pattern::kEveryone ? options.subscribers : 1),
      publishers_(options.publishers),
      subscribers_(options.subscribers),
      payload_(std::max(options.payload_bytes, kStampBytes), 'x') {
  std::vector<const Connection*> connecting;
  const auto add = [&](std::unique_ptr<Connection>& connection, const char* role, std::size_t number) {
    connection =
        std::make_unique<Connection>(loop_, port, options_.name + role + std::to_string(number), *this, number);
    connecting.push_back(connection.get());
    if (connecting.size() % kConnectingAtATime != 0) return;
    loop_.RunUntil([&] { return connecting.back()->connected(); }, "CONNACK");
  };
  for (std::size_t i = 0; i < subscribers_.size(); ++i) {
    add(subscribers_[i].connection, "-subscriber-", i);
    const std::string group = options_.pattern == Pattern::kSharedGroup ? "$share/group/" : "";
    subscribers_[i].connection->Subscribe(group + TopicOf(i), options_.qos);
  }
  for (std::size_t i = 0; i < publishers_.size(); ++i) {
    add(publishers_[i].connection, "-publisher-", i);
    publishers_[i].topic_name = TopicOf(i);
    publishers_[i].sent_at.resize(options_.window / kTimed + 2);
  }
  for (const Connection* connection : connecting) {
    loop_.RunUntil([&] { return connection->connected(); }, "CONNACK");
  }
  for (const Subscriber& subscriber : subscribers_) {
    loop_.RunUntil([&] { return subscriber.connection->subscriptions() == 1; }, "SUBACK");
  }
}

std::string Flow::TopicOf(std::size_t publisher) const {
  return options_.name + (options_.pattern == Pattern::kPairs ? "/" + std::to_string(publisher) : "/all");
}

void Flow::Start() {
  sending_ = true;
  for (Publisher& publisher : publishers_) Pump(publisher);
}

void Flow::Stop(Sample& sample) {
  sending_ = false;
  constexpr std::chrono::seconds kPatience(2);
  Clock::time_point last_arrival = Clock::now();
  while (Outstanding() > 0 && Clock::now() - last_arrival < kPatience) {
    const std::uint64_t before = delivered_;
    loop_.RunFor(std::chrono::milliseconds(5));
    if (delivered_ != before) last_arrival = Clock::now();
  }
  sample.losses += Outstanding();
  sample.disorder += disorder_;
}

std::uint64_t Flow::Outstanding() const {
  std::uint64_t expected = 0;
  for (const Publisher& publisher : publishers_) expected += publisher.sent * copies_;
  return expected > delivered_ ? expected - delivered_ : 0;
}

void Flow::OnPublish(Connection& connection, const Arrival& arrival) {
  std::uint32_t number = 0;
  std::uint64_t message = 0;
  if (arrival.payload.size() < kStampBytes) throw Void("a message that nobody sent");
  std::memcpy(&number, arrival.payload.data(), sizeof(number));
  std::memcpy(&message, arrival.payload.data() + kNumberBytes, sizeof(message));
  if (number >= publishers_.size()) throw Void("a message that nobody sent");
  Publisher& publisher = publishers_[number];
  Subscriber& subscriber = subscribers_[connection.number()];
  if (subscriber.next.size() <= number) subscriber.next.resize(number + 1);
  std::uint64_t& next = subscriber.next[number];
  // Of a shared group others may have got those between.
  if (message < next || (message > next && options_.pattern != Pattern::kSharedGroup)) ++disorder_;
  next = std::max(next, message + 1);
  ++delivered_;
  ++publisher.delivered;
  if (message % kTimed == 0) {
    latencies_.Add(Clock::now() - publisher.sent_at[message / kTimed % publisher.sent_at.size()]);
  }
  Pump(publisher);
}

void Flow::OnAcknowledged(Connection& connection) { Pump(publishers_[connection.number()]); }

void Flow::Pump(Publisher& publisher) {
  while (sending_ && (publisher.sent + 1) * copies_ - publisher.delivered <= options_.window * copies_ &&
         publisher.connection->MayPublish()) {
    Send(publisher);
  }
}

void Flow::Send(Publisher& publisher) {
  const auto number = static_cast<std::uint32_t>(&publisher - publishers_.data());
  std::memcpy(payload_.data(), &number, sizeof(number));
  std::memcpy(payload_.data() + kNumberBytes, &publisher.sent, sizeof(publisher.sent));
  if (publisher.sent % kTimed == 0) {
    publisher.sent_at[publisher.sent / kTimed % publisher.sent_at.size()] = Clock::now();
  }
  ++publisher.sent;
  PublishFields fields;
  fields.topic_name = publisher.topic_name;
  fields.payload = payload_;
  fields.qos = options_.qos;
  publisher.connection->Publish(fields);
}

}  // namespace bench
