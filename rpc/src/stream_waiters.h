// What the user of one call's reader and writer waits for; the same on both sides. No I/O.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>

#include <google/protobuf/message.h>

#include "mqttrpc/mqtt/completion.h"

namespace mqttrpc {

// `end(Completion<bool>, bool)` hands a completion on.
class StreamWaiters {
 public:
  // One read at a time, known by its number.
  bool reading() const { return read_into_ != nullptr; }
  google::protobuf::Message& message() const { return *read_into_; }
  void BeginRead(google::protobuf::Message& into, mqtt::Completion<bool> done, std::uint64_t number) {
    read_into_ = &into;
    read_done_ = std::move(done);
    read_number_ = number;
  }
  template <typename End>
  void EndRead(bool yes, End&& end) {
    read_into_ = nullptr;
    end(std::exchange(read_done_, {}), yes);
  }
  // It may have completed, and the next one begun.
  template <typename End>
  void CancelRead(std::uint64_t number, End&& end) {
    if (reading() && read_number_ == number) EndRead(false, end);
  }

  // Writes end in order, as their messages are cut into frames to the last byte.
  bool writing() const { return !writes_.empty(); }
  void BeginWrite(mqtt::Completion<bool> done) { writes_.push_back(std::move(done)); }
  template <typename End>
  void WritesAreCut(std::uint64_t messages, End&& end) {
    for (; !writes_.empty() && writes_told_ < messages; ++writes_told_) {
      end(std::move(writes_.front()), true);
      writes_.pop_front();
    }
  }

  // The call has ended.
  template <typename End>
  void EndAll(End&& end) {
    for (mqtt::Completion<bool>& write : std::exchange(writes_, {})) end(std::move(write), false);
    if (reading()) EndRead(false, end);
  }

 private:
  google::protobuf::Message* read_into_ = nullptr;
  mqtt::Completion<bool> read_done_;
  std::uint64_t read_number_ = 0;
  std::deque<mqtt::Completion<bool>> writes_;
  std::uint64_t writes_told_ = 0;
};

}  // namespace mqttrpc
