// The brokers and servers that run beside the benchmark.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/child_process.h"

namespace bench {

using Program = std::unique_ptr<mqttrpc::testing::ChildProcess>;

// Starts `command` and waits for its line that begins with `ready`; its rest goes to
// `ready_line`. Ends the benchmark if it does not come.
Program Start(std::vector<std::string> command, std::string_view ready, std::string& ready_line);

// A broker of its own on a free port of loopback; `url` is where.
Program StartMqttrpcd(std::string& url);
Program StartMosquitto(std::string& url);

}  // namespace bench
