#include "mqttrpc/testing/world.h"

#include <algorithm>
#include <map>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"
#include "network.h"
#include "packet_text.h"

namespace mqttrpc::testing {
namespace {

// Streams of randomness that do not disturb each other: one for each purpose.
std::uint64_t SeedFor(std::uint64_t seed, std::string_view purpose) {
  std::uint64_t hash = 14'695'981'039'346'656'037ULL ^ seed;  // FNV-1a
  for (const char each : purpose) hash = (hash ^ static_cast<unsigned char>(each)) * 1'099'511'628'211ULL;
  return hash;
}

}  // namespace

// Everyone's randomness stays for good, also after the client is gone.
class World::Clients {
 public:
  explicit Clients(std::uint64_t seed) : seed_(seed) {}

  SeededRandom& RandomFor(std::string_view name) {
    auto found = random_.find(name);
    if (found == random_.end()) {
      found =
          random_.emplace(name, std::make_unique<SeededRandom>(SeedFor(seed_, "client " + std::string(name)))).first;
    }
    return *found->second;
  }

  std::map<std::string, std::unique_ptr<mqtt::Client>, std::less<>> clients;

 private:
  const std::uint64_t seed_;
  std::map<std::string, std::unique_ptr<SeededRandom>, std::less<>> random_;
};

World::World(WorldOptions options)
    : options_(std::move(options)),
      random_(SeedFor(options_.seed, "test")),
      broker_random_(SeedFor(options_.seed, "broker")),
      network_(std::make_unique<Network>(io_.get_executor(), clock_, SeedFor(options_.seed, "faults"))),
      faults_(*network_),
      clients_(std::make_unique<Clients>(options_.seed)) {
  StartBroker();
}

World::~World() {
  clients_->clients.clear();
  CrashBroker();
  RunUntilQuiet();  // The ends of what was pending.
}

mqtt::Client& World::NewClient(std::string_view name, mqtt::ClientOptions options) {
  RemoveClient(name);
  if (options.client_id.empty()) options.client_id = name;
  options.connector = &connector(name);
  options.environment = environment(name);
  auto& client = clients_->clients[std::string(name)];
  client = std::make_unique<mqtt::Client>(io_.get_executor(), std::move(options));
  client->Start();
  return *client;
}

void World::RemoveClient(std::string_view name) {
  const auto found = clients_->clients.find(name);
  if (found == clients_->clients.end()) return;
  clients_->clients.erase(found);
  RunUntilQuiet();
}

mqtt::Client& World::client(std::string_view name) { return *clients_->clients.find(name)->second; }

mqtt::Connector& World::connector(std::string_view name) { return network_->ConnectorFor(name); }

mqtt::Environment World::environment(std::string_view name) {
  mqtt::Environment environment;
  environment.clock = &clock_;
  environment.random = &clients_->RandomFor(name);
  environment.log = options_.log;
  return environment;
}

broker::Broker& World::broker() { return *broker_; }

void World::StartBroker() {
  if (broker_ != nullptr) return;
  broker::BrokerOptions options = options_.broker;
  options.environment.clock = &clock_;
  options.environment.random = &broker_random_;
  options.environment.log = options_.log;
  broker_ = std::make_unique<broker::Broker>(io_.get_executor(), std::move(options));
  network_->SetBroker(broker_.get());
}

void World::StopBroker() {
  if (broker_ == nullptr) return;
  network_->SetBroker(nullptr);
  broker_->Stop();
  broker_ = nullptr;
  RunUntilQuiet();
}

void World::CrashBroker() {
  network_->CutAll("broker crashed");
  StopBroker();
}

mqtt::Duration World::elapsed() const { return network_->Elapsed(); }

Recorder& World::recorder() { return network_->recorder(); }

bool World::Until(const std::function<bool()>& done, std::optional<mqtt::Duration> patience) {
  return clock_.RunUntil(done, clock_.Now() + patience.value_or(options_.patience));
}

absl::Status World::UntilConnected(mqtt::Client& client, std::optional<mqtt::Duration> patience) {
  const auto connected = [&] { return client.state().kind == mqtt::ConnectionState::Kind::kConnected; };
  if (Until(connected, patience)) return absl::OkStatus();
  const mqtt::ConnectionState state = client.state();
  return TimedOut(absl::StrCat("the connection of ", state.client_id, " (", mqtt::ToAbsl(NameOf(state.kind)), ": ",
                               state.why.ToString(), ")"));
}

absl::Status World::UntilSubscribed(std::string_view topic_filter, std::size_t count,
                                    std::optional<mqtt::Duration> patience) {
  const auto subscribed = [&] { return broker_ == nullptr ? 0 : broker_->subscription_count(topic_filter); };
  if (Until([&] { return subscribed() >= count; }, patience)) return absl::OkStatus();
  return TimedOut(
      absl::StrCat(count, " subscriptions of ", mqtt::ToAbsl(topic_filter), ", of which there are ", subscribed()));
}

absl::Status World::TimedOut(std::string_view missing) const {
  const std::string when = SecondsText(std::chrono::duration<double>(elapsed()).count());
  const bool idle = !clock_.next_alarm().has_value();
  return absl::DeadlineExceededError(absl::StrCat("at ", when, ", missing: ", mqtt::ToAbsl(missing),
                                                  idle ? "; nothing is left that could happen" : ""));
}

}  // namespace mqttrpc::testing
