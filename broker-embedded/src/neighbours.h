// The other shards, as one of them knows them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/functional/function_ref.h>

#include "router.h"
#include "shard_mail.h"

namespace mqttrpc::broker {

struct BrokerCore;

// Collects what a turn has to tell the others, and handles what they tell. Two rules make
// a broker of many shards look like one (docs/decisions/0014-several-shards.md):
//
// - What a turn has to tell is posted before the turn writes to a client: EndTurn().
// - Before it handles what a client has sent, a shard handles its mail: Receive(). Of
//   messages only a turn's work, but all of them before SUBSCRIBE and retained messages,
//   where it would show: CatchUp().
//
// So whatever a client does because of something it was told comes after what we told the
// others before we told it. No I/O, one shard's thread.
class Neighbours final : public ShardOutlet {
 public:
  // `on_outgoing`: there is something to tell, so EndTurn() must come. References outlive it.
  Neighbours(BrokerCore& core, PostOffice& office, std::size_t index, std::function<void()> on_outgoing);

  std::size_t index() const override { return index_; }
  // Where a client's session is. Of one without a client id: anywhere.
  std::size_t HomeOf(std::string_view client_id) const;
  bool IsHome(std::string_view client_id) const { return office_.HomeOf(client_id) == index_; }
  PostOffice& office() { return office_; }

  // Input of a client was handled, before which so many groups had changed in this turn. If
  // it has changed many, its client pays for telling of them; of few it is told once, when the
  // turn ends.
  std::size_t changed_groups() const { return changed_groups_.size(); }
  void OnInputHandled(std::size_t changed_before);
  void EndTurn();
  void Receive() {
    if (!std::exchange(in_turn_, true)) BeginTurn();
    if (!office_.box(index_).empty()) TakeMail();
    if (behind()) HandleMessages(kTurn);
  }
  bool has_outgoing() const { return told_of_outgoing_; }

  // Whether messages wait that a turn's work was not enough for; Receive() goes on.
  bool behind() const { return next_message_ < taken_.messages.size(); }
  // Handles them all. Whoever made it necessary has had a turn.
  void CatchUp();

  // Whether another shard has so much to do that who sends to others much should wait, or
  // who sends them anything. Looked at at both ends of a turn.
  bool crowded() const { return crowded_; }
  bool overfull() const { return overfull_; }
  // Whether more than half of that is left now; then our turn comes when it is not any more.
  bool WaitForRoom();

  // `message` is retained, and is about to be kept and routed here. Tells all others now,
  // and handles the mail that came before it: all keep them in the same order. False if
  // there is no memory for so many of it; then nobody is told.
  bool Broadcast(const MessageRef& message);

  // A figure of all the others.
  std::uint64_t Sum(absl::FunctionRef<std::uint64_t(const Counters&)> figure) const;

  // Nothing is told any more.
  void Close() { closed_ = true; }

  // ShardOutlet:
  void Send(std::size_t shard, const MessageRef& message) override;
  void SendToGroup(const ShareGroup::Elsewhere& members, const MessageRef& message, GroupPast past) override;
  void OnGroupChanged(ShareGroup& group) override;
  void OnGroupEnd(const ShareGroup& group) override;

 private:
  class MailScope;
  enum Most { kTurn, kAll };

  void Add(std::size_t shard, ForwardedMessage message);
  void AddForAll(News news);
  void OnWorkElsewhere(std::size_t work);
  void BeginTurn();
  bool HasRoomForAll(const SharedMessage& message);
  void OnOutgoing();
  template <typename Visit>
  void ForEachOther(Visit visit) const;
  void MakeReady(MailBatch& batch);
  void Post(std::size_t shard);
  void TakeMail();
  void HandleNews();
  void HandleMessages(Most most);
  void Handle(const News& news);
  void Handle(const ForwardedMessage& message);
  void OnHandled(std::size_t bytes, std::size_t mails);
  void TellGroups(std::size_t first);
  void LookAround();

  BrokerCore& core_;
  PostOffice& office_;
  const std::size_t index_;
  const std::function<void()> on_outgoing_;
  std::vector<MailBatch> outgoing_;          // By shard.
  std::vector<std::size_t> outgoing_bytes_;  // Of its messages, charged here until they are posted.
  std::vector<ShareGroupId> changed_groups_;
  std::vector<absl::flat_hash_map<ShareGroupId, ShareGroupId>> groups_there_;  // By shard: ours by theirs.
  MailBatch taken_;
  std::size_t next_message_ = 0;      // Of `taken_`; those before it are handled.
  std::size_t handled_messages_ = 0;  // In this turn.
  bool in_turn_ = false;
  bool handling_ = false;  // Mail.
  bool told_of_outgoing_ = false;
  bool crowded_ = false;
  bool overfull_ = false;
  bool closed_ = false;
};

}  // namespace mqttrpc::broker
