#include "sensor.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "wait.h"

namespace demo::telemetry {

using mqttrpc::mqtt::Duration;
using mqttrpc::mqtt::TimePoint;
using v1::Sample;
using v1::WatchRequest;

asio::awaitable<absl::Status> Sensor::Send(mqttrpc::ServerContext& context, const WatchRequest& request,
                                           mqttrpc::ServerWriter<Sample>& writer) {
  const double rate = request.samples_per_second();
  if (!(rate >= 0.001 && rate <= 1'000)) co_return absl::InvalidArgumentError("the rate is not from 0.001 to 1000");
  const auto interval = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1 / rate));
  const TimePoint begin = clock_.Now();

  std::int64_t last = -1;
  for (std::int64_t number = 0; !context.cancelled();) {
    if (!co_await WaitUntil(clock_, begin + number * interval)) break;
    Sample sample = Measure();
    sample.set_number(static_cast<std::uint64_t>(number));
    sample.set_skipped(static_cast<std::uint64_t>(number - last - 1));
    // Back pressure: this takes as long as the reader has no room. Samples that fall due
    // meanwhile are never made, so nothing piles up here or on the way.
    if (!co_await writer.Write(sample)) break;
    last = number;
    number = std::max<std::int64_t>(number + 1, (clock_.Now() - begin) / interval);
  }
  co_return absl::CancelledError("nobody watches");
}

// Not a thermometer, but as slow as one.
Sample Sensor::Measure() const {
  const Duration uptime = clock_.Now() - start_;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(uptime);
  Sample sample;
  sample.mutable_uptime()->set_seconds(seconds.count());
  sample.mutable_uptime()->set_nanos(static_cast<std::int32_t>((uptime - seconds) / std::chrono::nanoseconds(1)));
  sample.set_celsius(20 + std::sin(std::chrono::duration<double>(uptime).count() / 10));
  return sample;
}

}  // namespace demo::telemetry
