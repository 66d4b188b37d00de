#include "load/flow.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "load/crowd.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

// What a payload begins with. Never leaves this machine: no byte order to agree on.
constexpr std::size_t kNumberBytes = sizeof(std::uint32_t);
constexpr std::size_t kStampBytes = kNumberBytes + sizeof(std::uint64_t);

}  // namespace

Flow::Flow(Loop& loop, std::uint16_t port, const FlowOptions& options)
    : loop_(loop),
      options_(options),
      copies_(options.pattern == Pattern::kEveryone ? options.subscribers : 1),
      publishers_(options.publishers),
      subscribers_(options.subscribers),
      payload_(std::max(options.payload_bytes, kStampBytes), 'x') {
  auto subscribing = ConnectCrowd(loop_, port, options_.name + "-subscriber", subscribers_.size(), *this);
  const std::string group = options_.pattern == Pattern::kSharedGroup ? "$share/group/" : "";
  for (std::size_t i = 0; i < subscribing.size(); ++i) subscribing[i]->Subscribe(group + TopicOf(i), options_.qos);
  WaitForSubscriptions(loop_, subscribing, 1);
  for (std::size_t i = 0; i < subscribing.size(); ++i) subscribers_[i].connection = std::move(subscribing[i]);
  auto publishing = ConnectCrowd(loop_, port, options_.name + "-publisher", publishers_.size(), *this);
  for (std::size_t i = 0; i < publishing.size(); ++i) {
    publishers_[i].connection = std::move(publishing[i]);
    publishers_[i].topic_name = TopicOf(i);
    publishers_[i].sent_at.resize(options_.window / kTimed + 2);
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
