// Messages that say which one of their stream they are.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "echo.pb.h"

namespace bench {

// Writes numbers into one payload after the other.
class Numbered {
 public:
  explicit Numbered(std::size_t bytes) { payload_.set_data(std::string(std::max(bytes, sizeof(number_)), 'x')); }

  // The next one, until Next() is called again.
  const v1::Payload& Next() {
    std::memcpy(payload_.mutable_data()->data(), &number_, sizeof(number_));
    ++number_;
    return payload_;
  }
  std::uint64_t count() const { return number_; }  // How many there were.

 private:
  v1::Payload payload_;
  std::uint64_t number_ = 0;
};

// Checks that none is missing, comes twice or overtakes.
class NumberCheck {
 public:
  bool IsNext(const v1::Payload& payload) {
    std::uint64_t number = 0;
    if (payload.data().size() < sizeof(number)) return false;
    std::memcpy(&number, payload.data().data(), sizeof(number));
    const bool is_next = number == count_;
    count_ = number + 1;
    return is_next;
  }
  std::uint64_t count() const { return count_; }  // How many there were, if all were next.

 private:
  std::uint64_t count_ = 0;
};

}  // namespace bench
