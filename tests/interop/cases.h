// gRPC's interoperability cases, over our stubs. Each makes its calls and says what differs
// from what it has to see.
#pragma once

#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>
#include <asio/awaitable.hpp>

#include "mqttrpc/rpc/channel.h"

namespace mqttrpc::interop {

// Where the cases call.
struct Target {
  Target(Channel& channel_in, std::string instance_in) : channel(channel_in), instance(std::move(instance_in)) {}

  Channel& channel;      // Of CallingOptions(). Outlives the case.
  std::string instance;  // Which serves Test, as service.h has it.
};

struct Case {
  std::string_view name;
  std::string_view promise;
  // An error says what differs.
  asio::awaitable<absl::Status> (*run)(Target target);
};

inline std::ostream& operator<<(std::ostream& out, const Case& each) { return out << each.name; }

// In the order in which they are best run: simple ones first.
std::span<const Case> Cases();

// Null if there is none.
const Case* FindCase(std::string_view name);

// With room for the largest message there is.
ChannelOptions CallingOptions();

}  // namespace mqttrpc::interop
