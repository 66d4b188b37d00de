// Many connections that are alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "load/connection.h"
#include "load/loop.h"

namespace bench {

// Connects `count` clients NAME-0, NAME-1, ...; a few at a time, since a broker takes
// them one by one. Returns when all have their CONNACK.
std::vector<std::unique_ptr<Connection>> ConnectCrowd(Loop& loop, std::uint16_t port, const std::string& name,
                                                      std::size_t count, Connection::Handler& handler);

// Waits until each of them has that many subscriptions.
void WaitForSubscriptions(Loop& loop, const std::vector<std::unique_ptr<Connection>>& crowd, std::size_t each);

}  // namespace bench
