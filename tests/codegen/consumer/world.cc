// The test kit, as an installed package has it; exit status 0 if it works.
#include <chrono>
#include <iostream>

#include "acme/lamp.mqttrpc.h"
#include "mqttrpc/testing/local_link.h"
#include "mqttrpc/testing/world.h"

namespace {

using acme::light::v1::Light;

class Lamp final : public acme::lamp::v1::LampService {
  absl::StatusOr<Light> SetLight(mqttrpc::ServerContext&, const Light& request) override { return request; }
};

bool CallsALamp() {
  Lamp lamp;
  mqttrpc::testing::LocalLink link;
  link.Serve(lamp);
  const acme::lamp::v1::LampStub stub(link.channel(), mqttrpc::kAnyInstance);
  const auto set = link.Run(stub.SetLight(Light()));
  if (!set.ok()) std::cerr << set.status() << '\n';
  return set.ok();
}

}  // namespace

int main() {
  mqttrpc::testing::World world;
  mqttrpc::mqtt::Client& lamp = world.NewClient("lamp");
  world.Advance(std::chrono::hours(2));
  const auto code = world.Run(lamp.Publish(mqttrpc::mqtt::Message("state", "on")));
  if (!code.ok()) std::cerr << code.status() << '\n' << world.recorder();
  return code.ok() && CallsALamp() ? 0 : 1;
}
