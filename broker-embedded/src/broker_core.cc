#include "broker_core.h"

#include <algorithm>
#include <utility>

#include <absl/strings/escaping.h>

#include "mqttrpc/mqtt/status.h"
#include "mqttrpc/mqtt/topic.h"

namespace mqttrpc::broker {

using mqtt::ReasonCode;

std::string Quoted(std::string_view text) {
  constexpr std::size_t kMaximum = 128;  // A client does not decide how much is logged.
  const bool cut = text.size() > kMaximum;
  return absl::StrCat("\"", absl::Utf8SafeCHexEscape(mqtt::ToAbsl(text.substr(0, kMaximum))), cut ? "...\"" : "\"");
}

BrokerCore::BrokerCore(const BrokerOptions& options_in)
    : options(options_in),
      budget(options_in.maximum_total_queued_bytes, std::max<std::size_t>(options_in.shards, 1)),
      unfinished(budget, options_in.maximum_packet_size),
      outboxes(Outbox::Limits(options_in.maximum_queued_messages, options_in.maximum_queued_bytes,
                              options_in.maximum_in_flight),
               budget, counters),
      writers(budget, counters),
      router(Outbox::Limits(options_in.maximum_queued_messages, options_in.maximum_queued_bytes), budget, counters),
      retained(RetainedStore::Limits(options_in.maximum_retained_messages, options_in.maximum_retained_bytes)),
      sessions(*this),
      sys(*this) {}

void BrokerCore::Join(PostOffice& office, std::size_t index, std::function<void()> on_outgoing) {
  neighbours = std::make_unique<Neighbours>(*this, office, index, std::move(on_outgoing));
}

ReasonCode BrokerCore::Publish(const MessageRef& message, const Subscriber* from, mqtt::TimePoint at) {
  auto reach = Router::Reach::kEveryone;
  if (message->retain() && options.retain_available) {
    work += retained.RemoveExpired(at, kWorkPerTurn);
    const bool no_memory = !message->payload().empty() && budget.lasting_full();
    const bool kept = !no_memory && retained.HasRoomFor(*message);
    if (!kept || (neighbours != nullptr && !neighbours->Broadcast(message))) {
      counters.Dropped(DropReason::kRetainedFull).Add();
      return ReasonCode::kQuotaExceeded;
    }
    if (neighbours != nullptr) reach = Router::Reach::kSent;
    retained.Put(message);
    counters.retained_messages.Set(retained.size());
  }
  const Router::Result result = router.Route(message, from, reach);
  work += result.work;
  if (result.matched == 0) return ReasonCode::kNoMatchingSubscribers;
  // Nobody had room: the publisher learns it, rather than to wait for an answer.
  if (result.dropped == result.matched) return ReasonCode::kQuotaExceeded;
  return ReasonCode::kSuccess;
}

void BrokerCore::TakeForwarded(const MessageRef& message) {
  if (message->retain() && options.retain_available) {
    retained.Put(message);
    counters.retained_messages.Set(retained.size());
  }
  work += router.Route(message, nullptr, Router::Reach::kForwarded).work;
}

bool BrokerCore::DeliverRetained(Session& session, mqtt::TimePoint at) {
  constexpr std::size_t kLeast = 16;  // However busy the turn: everyone gets on.
  bool room = true;
  const auto take = [&](Delivery& delivery) {
    room = session.WantsRetained(delivery);
    if (room) session.Deliver(std::move(delivery));
    return room;
  };
  const std::size_t left = work < kWorkPerTurn ? kWorkPerTurn - work : 0;
  work += session.RunRetainedScans(at, std::max(left, kLeast), take);
  return room && session.HasRetainedScans();
}

mqtt::TimePoint BrokerCore::next_deadline() const {
  return std::min({sessions.next_deadline(), retained.next_expiry(), sys.next_deadline()});
}

void BrokerCore::OnDeadline(mqtt::TimePoint at) {
  now = at;
  sessions.OnDeadline(at);
  work += retained.RemoveExpired(at, kWorkPerTurn);
  counters.retained_messages.Set(retained.size());
  sys.OnDeadline(at);
}

}  // namespace mqttrpc::broker
