#include "cases.h"

#include <algorithm>
#include <array>

#include "body.h"
#include "ending_cases.h"
#include "message_cases.h"

namespace mqttrpc::interop {
namespace {

constexpr std::array kCases{
    Case{"empty_unary", "an empty request has an empty reply", EmptyUnary},
    Case{"large_unary", "271,828 bytes there and 314,159 back arrive whole", LargeUnary},
    Case{"client_streaming", "four requests are all counted", ClientStreaming},
    Case{"server_streaming", "four replies come whole and in order", ServerStreaming},
    Case{"ping_pong", "four times a request and its reply, in one call", PingPong},
    Case{"empty_stream", "a call without messages ends well", EmptyStream},
    Case{"custom_metadata", "text and bytes come back beside replies", CustomMetadata},
    Case{"status_code_and_message", "the handler's code and words arrive", StatusCodeAndMessage},
    Case{"special_status_message", "white space and all of Unicode arrive in words", SpecialStatusMessage},
    Case{"unimplemented_method", "a method that nobody wrote is UNIMPLEMENTED", UnimplementedMethod},
    Case{"unimplemented_service", "a service that nobody serves is UNIMPLEMENTED", UnimplementedService},
    Case{"cancel_after_begin", "a call cancelled before its first request is CANCELLED", CancelAfterBegin},
    Case{"cancel_after_first_response", "so is one that has had a reply", CancelAfterFirstResponse},
    Case{"timeout_on_sleeping_server", "a call ends at its deadline, whatever the server does",
         TimeoutOnSleepingServer},
    Case{"concurrent_large_unary", "twenty large calls at a time all arrive whole", ConcurrentLargeUnary},
    Case{"huge_unary", "64 MiB there, then 64 MiB back", HugeUnary},
};

}  // namespace

std::span<const Case> Cases() { return kCases; }

const Case* FindCase(std::string_view name) {
  const auto found = std::find_if(kCases.begin(), kCases.end(), [name](const Case& each) { return each.name == name; });
  return found == kCases.end() ? nullptr : &*found;
}

ChannelOptions CallingOptions() {
  ChannelOptions options;
  options.limits.message_bytes = kLargestMessage;
  return options;
}

}  // namespace mqttrpc::interop
