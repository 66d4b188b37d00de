// The names that stand in topics: callers, instances, inboxes, namespaces.
#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace mqttrpc {

// The target that means any one member of a service's pool.
inline constexpr std::string_view kPoolTarget = "_";

// Whether `id` is [A-Za-z0-9_.-]{1,64}.
bool IsId(std::string_view id);

// Whether `id` is a target that stands for more than one instance: `_`, `_all`, `_g.{name}`.
bool IsGroupTarget(std::string_view id);

// `client_id` if it can stand in a topic and is no group target; else 32
// characters of base32 that stand for it: the first 160 bits of its SHA-256.
std::string IdFrom(std::string_view client_id);

// kInvalidArgument unless it is `rpc1` with up to two site levels before it.
absl::Status CheckNameSpace(std::string_view name_space);

}  // namespace mqttrpc
