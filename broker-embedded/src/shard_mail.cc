#include "shard_mail.h"

#include <iterator>
#include <string_view>

namespace mqttrpc::broker {

void Mailbox::Post(MailBatch& batch) {
  if (batch.mails.empty()) return;
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.mails.empty()) {
      waiting_.mails.swap(batch.mails);
    } else {
      waiting_.mails.insert(waiting_.mails.end(), std::make_move_iterator(batch.mails.begin()),
                            std::make_move_iterator(batch.mails.end()));
    }
    waiting_.bytes += batch.bytes;
    bytes_.store(waiting_.bytes, std::memory_order_relaxed);
    wake = !filled_.exchange(true, std::memory_order_release);
  }
  batch.mails.clear();
  batch.bytes = 0;
  if (wake && wake_) wake_();
}

void Mailbox::Take(std::vector<Mail>& mails) {
  const std::lock_guard lock(mutex_);
  if (mails.empty()) {
    mails.swap(waiting_.mails);
  } else {
    mails.insert(mails.end(), std::make_move_iterator(waiting_.mails.begin()),
                 std::make_move_iterator(waiting_.mails.end()));
  }
  waiting_.mails.clear();
  waiting_.bytes = 0;
  bytes_.store(0, std::memory_order_relaxed);
  filled_.store(false, std::memory_order_relaxed);
}

// FNV-1a, begun with the seed, then mixed: neighbours in a row of names part.
std::size_t PostOffice::HomeOf(std::string_view client_id) const {
  std::uint64_t hash = 0xCBF29CE484222325 ^ seed_;
  for (const char c : client_id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  hash = (hash ^ (hash >> 32)) * 0x9E3779B97F4A7C15;
  return static_cast<std::size_t>((hash >> 32) % boxes_.size());
}

}  // namespace mqttrpc::broker
