#include "mqttrpc/testing/local_link.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>
#include <asio/strand.hpp>

#include "handler_threads.h"
#include "local_hub.h"
#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::testing {

struct LocalLink::Own {
  explicit Own(std::uint64_t seed) : random(seed) {}

  asio::io_context io;
  ManualClock clock{io};
  const mqtt::TimePoint begin = clock.Now();
  SeededRandom random;
  HandlerThreads threads{io.get_executor()};
};

struct LocalLink::Instance {
  std::vector<Service*> services;
  std::vector<std::unique_ptr<ThreadedService>> threaded;
  std::unique_ptr<Server> server;  // Goes first.
};

LocalLink::LocalLink(LocalLinkOptions options)
    : options_(std::move(options)), own_(std::make_unique<Own>(options_.seed)), hub_([this] {
        mqtt::Environment environment;
        environment.clock = &own_->clock;
        environment.random = &own_->random;
        environment.log = options_.log;
        return std::make_shared<LocalHub>(asio::make_strand(own_->io.get_executor()), environment);
      }()) {
  Open();
}

LocalLink::LocalLink(asio::any_io_executor executor, mqtt::Environment environment, LocalLinkOptions options)
    : options_(std::move(options)),
      hub_(std::make_shared<LocalHub>(asio::make_strand(std::move(executor)), environment)) {
  Open();
}

void LocalLink::Open() { channel_ = std::make_unique<Channel>(bus("caller"), options_.channel); }

LocalLink::~LocalLink() {
  channel_.reset();
  for (auto& [name, instance] : instances_) instance->server.reset();
  RunUntilQuiet();  // The ends of what was pending.
  // Handlers that wait for something else go on to their end.
  Until([this] { return own_->threads.waiting() == 0; }, std::chrono::hours(24 * 30));
}

MessageBus& LocalLink::bus(std::string_view client_id) {
  const auto found = buses_.find(client_id);
  if (found != buses_.end()) return *found->second;
  auto& made = buses_[std::string(client_id)];
  made = std::make_unique<LocalBus>(hub_, std::string(client_id));
  return *made;
}

void LocalLink::Serve(Service& service, std::string_view instance) {
  auto& made = instances_[std::string(instance)];
  if (made == nullptr) made = std::make_unique<Instance>();
  Instance& served = *made;
  served.server.reset();
  // Handlers on threads of their own, unless somebody knows better.
  const bool threaded = own_ != nullptr && !options_.server.handler_executor;
  if (threaded) {
    served.threaded.push_back(std::make_unique<ThreadedService>(service, own_->threads));
    served.services.push_back(served.threaded.back().get());
  } else {
    served.services.push_back(&service);
  }
  ServerOptions options = options_.server;
  options.instance = instance;
  if (threaded) options.handler_executor = own_->io.get_executor();
  served.server = std::make_unique<Server>(bus(instance), std::move(options));
  for (Service* each : served.services) served.server->Add(*each);
  served.server->Start([log = hub_->environment().log, name = std::string(instance)](const absl::Status& status) {
    if (status.ok() || absl::IsCancelled(status)) return;
    log->Write(mqtt::LogLevel::kError, absl::StrCat("event=not_served instance=", name, " why=", status.ToString()));
  });
}

void LocalLink::Advance(mqtt::Duration step) {
  if (own_ != nullptr) own_->clock.Advance(step);
}

void LocalLink::RunUntilQuiet() {
  if (own_ != nullptr) own_->clock.RunUntilQuiet();
}

bool LocalLink::Until(const std::function<bool()>& done, std::optional<mqtt::Duration> patience) {
  if (own_ == nullptr) return false;
  return own_->clock.RunUntil(done, own_->clock.Now() + patience.value_or(options_.patience));
}

mqtt::Duration LocalLink::elapsed() const {
  return own_ == nullptr ? mqtt::Duration(0) : own_->clock.Now() - own_->begin;
}

asio::io_context* LocalLink::io() const { return own_ == nullptr ? nullptr : &own_->io; }

absl::Status LocalLink::NotComplete() const {
  if (own_ == nullptr) return absl::FailedPreconditionError("Run() is for a LocalLink with a time of its own");
  const double seconds = std::chrono::duration<double>(elapsed()).count();
  const bool idle = !own_->clock.next_alarm().has_value();
  return absl::DeadlineExceededError(absl::StrCat("after ", seconds, " s the operation is not complete",
                                                  idle ? "; nothing is left that could happen" : ""));
}

}  // namespace mqttrpc::testing
