// The other shards, as one of them knows them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/functional/function_ref.h>

#include "router.h"
#include "shard_mail.h"

namespace mqttrpc::broker {

struct BrokerCore;

// Collects what a turn has to tell the others, and handles what they tell. Two rules make
// a broker of many shards look like one (docs/decisions/0014-several-shards.md):
//
// - What a turn has to tell is posted before the turn writes to a client: EndTurn().
// - Before it handles what a client has sent, a shard handles its mail: Receive().
//
// So whatever a client does because of something it was told comes after what we told the
// others before we told it. No I/O, one shard's thread.
class Neighbours final : public ShardOutlet {
 public:
  // `on_outgoing`: there is something to tell, so EndTurn() must come. References outlive it.
  Neighbours(BrokerCore& core, PostOffice& office, std::size_t index, std::function<void()> on_outgoing);

  std::size_t index() const override { return index_; }
  // Where a client's session is. Of one without a client id: each shard in turn.
  std::size_t HomeOf(std::string_view client_id) {
    return client_id.empty() ? next_home_++ % office_.shards() : office_.HomeOf(client_id);
  }
  bool IsHome(std::string_view client_id) const { return office_.HomeOf(client_id) == index_; }
  PostOffice& office() { return office_; }

  void EndTurn();
  void Receive() {
    if (!std::exchange(in_turn_, true)) LookAtMemory();
    if (!office_.box(index_).empty()) TakeMail();
  }
  bool has_outgoing() const { return told_of_outgoing_; }

  // `message` is retained, and is about to be kept and routed here. Tells all others now,
  // and handles the mail that came before it: all keep them in the same order.
  void Broadcast(const MessageRef& message);

  // A figure of all the others.
  std::uint64_t Sum(absl::FunctionRef<std::uint64_t(const Counters&)> figure) const;

  // Nothing is told any more.
  void Close() { closed_ = true; }

  // ShardOutlet:
  void Send(std::size_t shard, const MessageRef& message) override;
  void SendToGroup(std::size_t shard, const MessageRef& message, const ShareGroup& group) override;
  void OnGroupChanged(ShareGroup& group) override;
  void OnGroupEnd(const ShareGroup& group) override;

 private:
  template <typename What>
  void Add(std::size_t shard, What what);
  template <typename What>
  void AddForAll(const What& what);
  template <typename Visit>
  void ForEachOther(Visit visit) const;
  void Post();
  void PostTo(std::size_t shard);
  void TakeMail();
  void Handle(std::vector<Mail>& mails);
  void Handle(std::size_t from, MessageMail& mail);
  void Handle(std::size_t from, GroupMessageMail& mail);
  void Handle(std::size_t from, InterestMail& mail);
  void Handle(std::size_t from, GroupStateMail& mail);
  void TellGroups();
  void LookAtMemory();

  BrokerCore& core_;
  PostOffice& office_;
  const std::size_t index_;
  const std::function<void()> on_outgoing_;
  std::vector<MailBatch> outgoing_;  // By shard.
  std::vector<ShareGroupId> changed_groups_;
  std::size_t next_home_ = 0;
  std::vector<Mail> taken_;  // Empty; keeps its memory.
  bool in_turn_ = false;
  bool told_of_outgoing_ = false;
  bool closed_ = false;
};

}  // namespace mqttrpc::broker
