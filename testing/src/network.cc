#include "network.h"

#include <asio/post.hpp>

namespace mqttrpc::testing {

class Network::NamedConnector final : public mqtt::Connector {
 public:
  NamedConnector(Network& network, std::string client) : network_(network), client_(std::move(client)) {}

  std::unique_ptr<Attempt> Connect(const mqtt::Endpoint&, asio::any_io_executor executor, Done done) override {
    auto wanted = std::make_shared<bool>(true);
    absl::StatusOr<std::unique_ptr<mqtt::Transport>> answer = Dial(executor);
    asio::post(executor, [wanted, done = std::move(done), answer = std::move(answer)]() mutable {
      if (*wanted) done(std::move(answer));
    });
    return std::make_unique<PendingAttempt>(std::move(wanted));
  }

 private:
  class PendingAttempt final : public Attempt {
   public:
    explicit PendingAttempt(std::shared_ptr<bool> wanted) : wanted_(std::move(wanted)) {}
    ~PendingAttempt() override { *wanted_ = false; }

   private:
    const std::shared_ptr<bool> wanted_;
  };

  absl::StatusOr<std::unique_ptr<mqtt::Transport>> Dial(const asio::any_io_executor& executor) {
    if (absl::Status refused = network_.Refused(client_); !refused.ok()) return refused;
    auto [client_end, near_end] = mqtt::MemoryTransportPair(executor, network_.executor_);
    auto [far_end, broker_end] = mqtt::MemoryTransportPair(network_.executor_, network_.broker_->executor());
    network_.broker_->Attach(std::move(broker_end));
    network_.cables_.push_back(
        std::make_shared<Cable>(network_, client_, ++network_.connections_, std::move(near_end), std::move(far_end)));
    return std::move(client_end);
  }

  Network& network_;
  const std::string client_;
};

Network::Network(asio::any_io_executor executor, ManualClock& clock, std::uint64_t seed)
    : executor_(std::move(executor)), clock_(clock), begin_(clock.Now()), rules_(seed) {}

Network::~Network() = default;

void Network::SetBroker(broker::Broker* broker) { broker_ = broker; }

mqtt::Connector& Network::ConnectorFor(std::string_view client) {
  auto found = connectors_.find(client);
  if (found == connectors_.end()) {
    found = connectors_.emplace(client, std::make_unique<NamedConnector>(*this, std::string(client))).first;
  }
  return *found->second;
}

absl::Status Network::Refused(const std::string& client) {
  absl::Status why;
  if (broker_ == nullptr) {
    why = absl::UnavailableError("no broker");
  } else if (const auto found = refusals_.find(client); found != refusals_.end()) {
    if (Now() < found->second.until) {
      why = found->second.why;
    } else {
      refusals_.erase(found);
    }
  }
  if (!why.ok()) Record(client, 0, "refused");
  return why;
}

void Network::Record(RecordedPacket packet) {
  packet.time = Elapsed();
  recorder_.Add(std::move(packet));
}

void Network::Record(std::string_view client, std::uint64_t connection, std::string_view what) {
  RecordedEvent event;
  event.client = client;
  event.connection = connection;
  event.time = Elapsed();
  event.what = what;
  recorder_.Add(std::move(event));
}

Network::FlowState& Network::StateOf(const std::optional<std::string>& client, Direction direction) {
  return client.has_value() ? flows_[FlowKey(*client, direction)] : everyone_[direction];
}

void Network::SetFrozen(const std::optional<std::string>& client, Direction direction, bool frozen) {
  StateOf(client, direction).frozen = frozen;
  PumpAll();
}

void Network::SetLatency(const std::optional<std::string>& client, Direction direction, mqtt::Duration latency) {
  StateOf(client, direction).latency = latency;
}

bool Network::frozen(const std::string& client, Direction direction) const {
  if (const auto all = everyone_.find(direction); all != everyone_.end() && all->second.frozen) return true;
  const auto found = flows_.find(FlowKey(client, direction));
  return found != flows_.end() && found->second.frozen;
}

mqtt::Duration Network::latency(const std::string& client, Direction direction) const {
  mqtt::Duration latency{};
  if (const auto all = everyone_.find(direction); all != everyone_.end()) latency += all->second.latency;
  if (const auto found = flows_.find(FlowKey(client, direction)); found != flows_.end()) {
    latency += found->second.latency;
  }
  return latency;
}

void Network::PumpAll() {
  const auto cables = cables_;
  for (const auto& cable : cables) {
    if (!cable->over()) cable->Pump();
  }
}

void Network::Cut(std::string_view client, std::string_view why) {
  const auto cables = cables_;
  for (const auto& cable : cables) {
    if (cable->client() == client) cable->Cut(why);
  }
}

void Network::LoseClient(std::string_view client) {
  const auto cables = cables_;
  for (const auto& cable : cables) {
    if (cable->client() == client) cable->LoseClient();
  }
}

void Network::CutAll(std::string_view why) {
  const auto cables = cables_;
  for (const auto& cable : cables) cable->Cut(why);
}

void Network::Refuse(std::string_view client, absl::Status why, mqtt::TimePoint until) {
  refusals_[std::string(client)] = Refusal{std::move(why), until};
}

void Network::Heal() {
  rules_.Clear();
  refusals_.clear();
  flows_.clear();
  everyone_.clear();
  PumpAll();
}

void Network::DropFinished() {
  std::vector<std::shared_ptr<Cable>> finished;
  std::erase_if(cables_, [&](const std::shared_ptr<Cable>& each) {
    if (each->over()) finished.push_back(each);
    return each->over();
  });
  asio::post(executor_, [finished = std::move(finished)] {});
}

}  // namespace mqttrpc::testing
