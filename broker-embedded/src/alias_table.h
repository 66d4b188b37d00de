// The Topic Aliases that we use towards one client (MQTT 3.3.2.3.4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "memory_budget.h"
#include "text_map.h"

namespace mqttrpc::broker {

// Gives an alias to each topic while there are free ones. Once all are in use, a
// topic has to come twice within a short while to compete for one, and gets that
// of a topic that has saved less of late: so a client that follows thousands of
// topics, each seldom, pays nothing for it. Lives as long as its connection. Its
// memory is the budget's: at most as many topics as the client allows and we
// want, of kMaximumTopicBytes each.
class AliasTable {
 public:
  // Aliases 1 to `maximum` may be used (MQTT-3.1.2-26).
  AliasTable(MemoryBudget& budget, std::uint16_t maximum) : budget_(budget), maximum_(maximum) {}
  ~AliasTable();
  AliasTable(const AliasTable&) = delete;
  AliasTable& operator=(const AliasTable&) = delete;

  struct Choice {
    std::uint16_t alias = 0;  // 0: none.
    bool known = false;       // The client has the topic: leave it out.
  };
  // For the next PUBLISH to `topic_name`, which must then be sent as chosen.
  Choice For(std::string_view topic_name);

 private:
  struct Entry {
    std::string topic_name;
    std::size_t saved = 0;  // Bytes, lately.
  };
  bool CameLately(std::string_view topic_name);
  Choice Assign(std::size_t index, std::string_view topic_name);

  static constexpr std::size_t kMinimumTopicBytes = 5;  // Shorter ones cost more than they save.
  static constexpr std::size_t kMaximumTopicBytes = 1024;

  MemoryBudget& budget_;
  const std::uint16_t maximum_;
  std::vector<Entry> entries_;  // entries_[i] has alias i + 1.
  TextMap<std::uint16_t> aliases_;
  std::size_t hand_ = 0;                    // Next candidate to be replaced.
  std::array<std::uint32_t, 16> lately_{};  // Hashes of topics that had no alias.
};

}  // namespace mqttrpc::broker
