// The test kit, as an installed package has it; exit status 0 if it works.
#include <chrono>
#include <iostream>

#include "mqttrpc/testing/world.h"

int main() {
  mqttrpc::testing::World world;
  mqttrpc::mqtt::Client& lamp = world.NewClient("lamp");
  world.Advance(std::chrono::hours(2));
  const auto code = world.Run(lamp.Publish(mqttrpc::mqtt::Message("state", "on")));
  if (!code.ok()) std::cerr << code.status() << '\n' << world.recorder();
  return code.ok() ? 0 : 1;
}
