// The device's side: measures, and sends what the reader has room for.
#pragma once

#include <cstdint>

#include "mqttrpc/mqtt/clock.h"
#include "telemetry.mqttrpc.h"

namespace demo::telemetry {

class Sensor final : public v1::TelemetryService {
 public:
  // Borrows `clock`: what it waits on, and what its samples' times are from.
  explicit Sensor(mqttrpc::mqtt::Clock& clock) : clock_(clock) {}

 private:
  asio::awaitable<absl::Status> CoWatch(mqttrpc::ServerContext& context, const v1::WatchRequest& request,
                                        mqttrpc::ServerWriter<v1::Sample>& writer) override {
    return Send(context, request, writer);
  }
  asio::awaitable<absl::Status> CoWatchLossy(mqttrpc::ServerContext& context, const v1::WatchRequest& request,
                                             mqttrpc::ServerWriter<v1::Sample>& writer) override {
    return Send(context, request, writer);
  }

  asio::awaitable<absl::Status> Send(mqttrpc::ServerContext& context, const v1::WatchRequest& request,
                                     mqttrpc::ServerWriter<v1::Sample>& writer);
  v1::Sample Measure() const;

  mqttrpc::mqtt::Clock& clock_;
  const mqttrpc::mqtt::TimePoint start_ = clock_.Now();
};

}  // namespace demo::telemetry
