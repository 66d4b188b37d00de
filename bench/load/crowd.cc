#include "load/crowd.h"

#include <algorithm>

namespace bench {
namespace {

constexpr std::size_t kAtATime = 50;

}  // namespace

std::vector<std::unique_ptr<Connection>> ConnectCrowd(Loop& loop, std::uint16_t port, const std::string& name,
                                                      std::size_t count, Connection::Handler& handler) {
  std::vector<std::unique_ptr<Connection>> crowd;
  crowd.reserve(count);
  std::size_t answered = 0;
  while (answered < count) {
    while (crowd.size() < std::min(count, answered + kAtATime)) {
      const std::size_t number = crowd.size();
      crowd.push_back(std::make_unique<Connection>(loop, port, name + "-" + std::to_string(number), handler, number));
    }
    for (; answered < crowd.size(); ++answered) {
      loop.RunUntil([&] { return crowd[answered]->connected(); }, "CONNACK");
    }
  }
  return crowd;
}

void WaitForSubscriptions(Loop& loop, const std::vector<std::unique_ptr<Connection>>& crowd, std::size_t each) {
  for (const auto& connection : crowd) {
    loop.RunUntil([&] { return connection->subscriptions() >= each; }, "SUBACK", std::chrono::seconds(60));
  }
}

}  // namespace bench
