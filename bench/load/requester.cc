#include "load/requester.h"

#include <cstring>

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

void SubscribeToOwnName(Loop& loop, Connection& connection, const std::string& name, std::uint8_t qos) {
  connection.Subscribe(name, qos);
  loop.RunUntil([&] { return connection.subscriptions() == 1; }, "SUBACK");
}

}  // namespace

Responder::Responder(Loop& loop, std::uint16_t port, const std::string& name, std::uint8_t qos)
    : qos_(qos), connection_(loop, port, name, *this) {
  SubscribeToOwnName(loop, connection_, name, qos);
}

void Responder::OnPublish(Connection& connection, const Arrival& request) {
  const RequestProperties asked = ReadRequestProperties(request.properties);
  RequestProperties answer;
  answer.correlation_data = asked.correlation_data;
  properties_.clear();
  AppendRequestProperties(properties_, answer);
  PublishFields fields;
  fields.topic_name = asked.response_topic;
  fields.properties = properties_;
  fields.payload = request.payload;
  fields.qos = qos_;
  connection.Publish(fields);
}

Requester::Requester(Loop& loop, std::uint16_t port, const RequesterOptions& options, Latencies& latencies)
    : loop_(loop),
      options_(options),
      latencies_(latencies),
      payload_(options.payload_bytes, 'x'),
      connection_(loop, port, options.name, *this) {
  SubscribeToOwnName(loop, connection_, options_.name, options_.qos);
}

void Requester::KeepUnderWay(std::size_t window) {
  window_ = window;
  Pump();
}

void Requester::Pump() {
  while (asked_at_.size() < window_ && connection_.MayPublish()) Ask();
}

void Requester::Ask() {
  char number[sizeof(asked_)];
  std::memcpy(number, &asked_, sizeof(asked_));
  RequestProperties request;
  request.response_topic = options_.name;
  request.correlation_data = std::string_view(number, sizeof(number));
  properties_.clear();
  AppendRequestProperties(properties_, request);
  PublishFields fields;
  fields.topic_name = options_.responder;
  fields.properties = properties_;
  fields.payload = payload_;
  fields.qos = options_.qos;
  ++asked_;
  asked_at_.push_back(Clock::now());
  connection_.Publish(fields);
}

void Requester::OnPublish(Connection&, const Arrival& answer) {
  std::uint64_t number = 0;
  const std::string_view data = ReadRequestProperties(answer.properties).correlation_data;
  if (data.size() != sizeof(number)) throw Void("an answer without its request's Correlation Data");
  std::memcpy(&number, data.data(), sizeof(number));
  if (number != next_ || asked_at_.empty()) {
    ++disorder_;
    return;
  }
  ++next_;
  ++answered_;
  latencies_.Add(Clock::now() - asked_at_.front());
  asked_at_.pop_front();
  Pump();
}

void Requester::OnAcknowledged(Connection&) { Pump(); }

void Requester::Stop(Sample& sample) {
  window_ = 0;
  const Clock::time_point end = Clock::now() + std::chrono::seconds(2);
  while (answered_ < asked_ && Clock::now() < end) loop_.RunFor(std::chrono::milliseconds(5));
  sample.losses += asked_ - answered_;
  sample.disorder += disorder_;
}

}  // namespace bench
