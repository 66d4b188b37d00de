// Retained messages: setting one among many, and finding those of a filter.
#include <string>
#include <vector>

#include "load/filters.h"
#include "micro/allocations.h"
#include "retained_store.h"

namespace bench {
namespace {

using mqttrpc::broker::MemoryBudget;
using mqttrpc::broker::MessageRef;
using mqttrpc::broker::RetainedStore;
using mqttrpc::broker::SharedMessage;

constexpr mqttrpc::mqtt::TimePoint kNow{};
constexpr std::size_t kMessages = 10'000;

class FilledStore {
 public:
  FilledStore() {
    const std::string payload(64, 'x');
    mqttrpc::mqtt::Publish publish;
    publish.retain = true;
    publish.payload = payload;
    for (std::size_t i = 0; i < kMessages; ++i) {
      messages_.push_back(SharedMessage::Copy(budget_, publish, FilterOf(FilterKind::kExact, i), kNow));
      store_.Set(messages_.back());
    }
  }

  const std::vector<MessageRef>& messages() const { return messages_; }
  RetainedStore& store() { return store_; }

 private:
  MemoryBudget budget_{64 * 1024 * 1024};
  std::vector<MessageRef> messages_;
  RetainedStore store_{RetainedStore::Limits(2 * kMessages, 64 * 1024 * 1024)};
};

void ReplaceRetained(benchmark::State& state) {
  FilledStore filled;
  std::size_t next = 0;
  const AllocationCount allocations(state);
  for (auto _ : state) filled.store().Set(filled.messages()[JumpFrom(next++, kMessages)]);
}
BENCHMARK(ReplaceRetained);

// An iteration is one subscription to all of a site's thousand devices.
void MatchRetained(benchmark::State& state) {
  FilledStore filled;
  std::size_t found = 0;
  const AllocationCount allocations(state);
  for (auto _ : state) {
    RetainedStore::Cursor cursor;
    filled.store().Match("site/3/device/+/state", kNow, cursor, 2 * kMessages, [&found](const MessageRef&) {
      ++found;
      return true;
    });
  }
  if (found != static_cast<std::size_t>(state.iterations()) * 1000) state.SkipWithError("not a thousand were found");
}
BENCHMARK(MatchRetained);

}  // namespace
}  // namespace bench
