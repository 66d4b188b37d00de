// What a second shard costs, where half of all messages go from one to the other.
#include "scenarios/scenario.h"
#include "systems/programs.h"

namespace bench {

std::vector<Case> ShardCases() {
  std::vector<Case> cases;
  for (const std::vector<Case>& some : {MessageCases(false), RequestCases(false)}) {
    for (Case one : some) {
      const bool wanted = one.name.starts_with("8 pairs") || one.name.starts_with("shared group") ||
                          one.name.starts_with("1 caller, 1 responder, window 1,");
      if (!wanted) continue;
      one.table = "Shards";
      one.systems = {kTwoShards, kMqttrpcd};
      one.growth = Growth();
      cases.push_back(std::move(one));
    }
  }
  return cases;
}

}  // namespace bench
