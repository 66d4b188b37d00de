// A client's short life: a stream, CONNECT, CONNACK, DISCONNECT.
#include <memory>
#include <string>
#include <utility>

#include "micro/direct_world.h"
#include "micro/turns.h"

namespace bench {
namespace {

// One begins while another ends, a step of its life in each turn.
void ConnectAndDisconnect(benchmark::State& state) {
  constexpr std::string_view kDisconnect("\xE0\x00", 2);
  DirectWorld world;
  DirectClient first(world.broker(), "client-1");
  DirectClient second(world.broker(), "client-2");
  DirectClient* opening = &first;
  DirectClient* connected = &second;
  opening->Attach();
  std::size_t connections = 0;
  RunTurns(state, world.io(), [&]() -> std::size_t {
    if (connected->connected()) {
      ++connections;
      connected->Send(kDisconnect);
    }
    connected->Attach();
    std::swap(opening, connected);
    connected->Connect();
    return 1;
  });
  if (connections == 0) state.SkipWithError("nobody was connected");
}
BENCHMARK(ConnectAndDisconnect);

}  // namespace
}  // namespace bench
