#include "shard_mail.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <string_view>

namespace mqttrpc::broker {

namespace {

// What may wait in a box before those who fill it wait themselves: work for a few
// milliseconds, in the units of BrokerCore::work, and so many mails whatever they cost.
constexpr std::size_t kMostWork = 20'000;
constexpr std::size_t kMostMails = 500;

// Empties `from`.
template <typename T>
void Append(std::vector<T>& from, std::vector<T>& to) {
  if (to.empty()) {
    to.swap(from);
  } else {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  }
  ClearAndTrim(from);
}

template <typename T>
std::size_t BytesOf(const std::vector<T>& list) {
  return std::accumulate(list.begin(), list.end(), std::size_t{0},
                         [](std::size_t sum, const T& each) { return sum + each.bytes(); });
}

}  // namespace

void Mailbox::Post(MailBatch& batch) {
  if (batch.news.empty() && batch.messages.empty()) return;
  bytes_ += BytesOf(batch.news) + BytesOf(batch.messages);
  mails_ += batch.news.size() + batch.messages.size();
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    Append(batch.news, waiting_.news);
    Append(batch.messages, waiting_.messages);
    wake = !filled_.exchange(true, std::memory_order_release);
  }
  if (wake) Wake();
}

void Mailbox::Take(MailBatch& mail) {
  const std::lock_guard lock(mutex_);
  Append(waiting_.news, mail.news);
  Append(waiting_.messages, mail.messages);
  filled_.store(false, std::memory_order_relaxed);
}

ShardSet Mailbox::OnHandled(std::size_t bytes, std::size_t mails) {
  bytes_ -= bytes;
  mails_ -= mails;
  if (wait_for_room_.load() == 0 || IsOver(1, 2)) return 0;
  return wait_for_room_.exchange(0);
}

// Up at once, down in a few steps.
void Mailbox::OnWorked(std::size_t messages, std::size_t work) {
  const std::size_t before = work_per_message();
  work_per_message_.store(std::max(work / messages, before - (before + 3) / 4), std::memory_order_relaxed);
}

bool Mailbox::IsOver(std::size_t factor, std::size_t divisor) const {
  const std::size_t mails = mails_.load();
  const auto over = [&](std::size_t value, std::size_t most) { return value > most / divisor * factor; };
  return over(mails, kMostMails) || over(mails * work_per_message(), kMostWork) || over(bytes(), most_bytes_);
}

// The owner looks whom to wake after it has counted, we count after we have said so: one of
// the two sees the other.
bool Mailbox::WakeWhenRoomy(std::size_t shard) {
  if (!IsOver(1, 2)) return false;
  wait_for_room_ |= SetOf(shard);
  return IsOver(1, 2);
}

// FNV-1a, begun with the seed, then mixed: neighbours in a row of names part.
std::size_t PostOffice::HomeOf(std::string_view client_id) const {
  std::uint64_t hash = 0xCBF29CE484222325 ^ seed_;
  for (const char c : client_id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  hash = (hash ^ (hash >> 32)) * 0x9E3779B97F4A7C15;
  return static_cast<std::size_t>((hash >> 32) % boxes_.size());
}

}  // namespace mqttrpc::broker
