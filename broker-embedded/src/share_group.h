// A shared subscription: many clients, of whom one gets each message (MQTT 4.8.2).
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "fifo.h"
#include "memory_budget.h"
#include "shared_message.h"

namespace mqttrpc::broker {

struct Subscription;

// Everyone who shares one `$share/{name}/{filter}`, and what waits until one of
// them can take it. Messages wait here and not with a member, so that none is
// stranded with one that is away while another is idle.
class ShareGroup {
 public:
  // The places of what waits are taken from `budget`, which may be null.
  ShareGroup(std::string name, ShareGroupId id, std::size_t position, MemoryBudget* budget)
      : name_(std::move(name)), id_(id), position_(position), budget_(budget) {}
  ~ShareGroup() { Charge(-backlog_.size()); }
  ShareGroup(const ShareGroup&) = delete;
  ShareGroup& operator=(const ShareGroup&) = delete;

  ShareGroupId id() const { return id_; }
  const std::vector<Subscription*>& members() const { return members_; }

  // Where the next round begins; less than members().size().
  std::size_t next() const { return next_ < members_.size() ? next_ : 0; }
  void set_next(std::size_t next) { next_ = next; }

  // The oldest first. Never empty of the oldest while a younger one is delivered.
  mqtt::Fifo<MessageRef>& backlog() { return backlog_; }
  std::size_t backlog_bytes() const { return backlog_bytes_; }
  void Hold(MessageRef message) {
    backlog_bytes_ += BytesOf(*message);
    Charge(1);
    backlog_.push(std::move(message));
  }
  // In front of all others, in order.
  void HoldFirst(std::vector<MessageRef> messages) {
    for (const MessageRef& message : messages) backlog_bytes_ += BytesOf(*message);
    Charge(messages.size());
    backlog_.Prepend(std::move(messages));
  }
  MessageRef Take() {
    MessageRef message = backlog_.pop();
    Forget(*message);
    return message;
  }
  void DropLast() { Forget(*backlog_.PopBack()); }

  // What a message counts here.
  static std::size_t BytesOf(const SharedMessage& message) {
    return sizeof(MessageRef) + message.topic_name().size() + message.tail().size();
  }

 private:
  friend class SubscriptionTree;

  // What a place takes besides its message, of which one may wait for each of many
  // groups. Half of the vector may be empty.
  static constexpr std::size_t kCostOfPlace = 2 * sizeof(MessageRef);

  static constexpr std::size_t kKeptPlaces = 4;  // Of an empty backlog.

  // Unsigned arithmetic: a negative number gives back.
  void Charge(std::size_t places) {
    if (budget_ != nullptr) budget_->Take(places * kCostOfPlace);
  }
  void Forget(const SharedMessage& message) {
    backlog_.Trim(kKeptPlaces);
    backlog_bytes_ -= BytesOf(message);
    Charge(static_cast<std::size_t>(-1));
  }

  std::string name_;
  const ShareGroupId id_;
  std::size_t position_;  // In the node's list.
  MemoryBudget* const budget_;
  std::vector<Subscription*> members_;
  std::size_t next_ = 0;
  mqtt::Fifo<MessageRef> backlog_;
  std::size_t backlog_bytes_ = 0;
};

}  // namespace mqttrpc::broker
