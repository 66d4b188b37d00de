// The service of stream_test.proto, and items that tell whether they arrived whole.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include <absl/strings/str_cat.h>

#include "stream_test.mqttrpc.h"

namespace mqttrpc::test {

// The data that item `number` has, `bytes` long.
inline std::string DataOf(std::int64_t number, std::size_t bytes) {
  std::string data(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) {
    data[i] = static_cast<char>((static_cast<std::size_t>(number) * 31 + i * 7 + (i >> 8)) & 0xFF);
  }
  return data;
}

inline streams::Item ItemOf(std::int64_t number, std::size_t bytes = 0) {
  streams::Item item;
  item.set_number(number);
  item.set_data(DataOf(number, bytes));
  return item;
}

inline bool IsWhole(const streams::Item& item) { return item.data() == DataOf(item.number(), item.data().size()); }

class StreamService final : public streams::StreamsService {
 public:
  // Handlers that a test puts in the place of the usual ones.
  std::function<asio::awaitable<absl::Status>(ServerContext&, const streams::Range&, ServerWriter<streams::Item>&)>
      count;
  std::function<asio::awaitable<absl::StatusOr<streams::Total>>(ServerContext&, ServerReader<streams::Item>&)> sum;

  int begun = 0;
  int ended = 0;
  std::map<std::string, int> begun_of;  // By the lower-case method.

  absl::StatusOr<streams::Item> Echo(ServerContext&, const streams::Item& item) override {
    Begin("echo");
    ++ended;
    if (!IsWhole(item)) return absl::DataLossError("item is damaged");
    return item;
  }
  absl::StatusOr<streams::Item> EchoSafely(ServerContext& context, const streams::Item& item) override {
    return Echo(context, item);
  }

  asio::awaitable<absl::Status> CoCount(ServerContext& context, const streams::Range& range,
                                        ServerWriter<streams::Item>& writer) override {
    if (count) return count(context, range, writer);
    return CountItems(range, writer);
  }
  asio::awaitable<absl::Status> CoCountLossy(ServerContext&, const streams::Range& range,
                                             ServerWriter<streams::Item>& writer) override {
    return CountItems(range, writer);
  }
  asio::awaitable<absl::StatusOr<streams::Total>> CoSum(ServerContext& context,
                                                        ServerReader<streams::Item>& reader) override {
    if (sum) return sum(context, reader);
    return AddUp(reader, true);
  }
  asio::awaitable<absl::StatusOr<streams::Total>> CoSumLossy(ServerContext&,
                                                             ServerReader<streams::Item>& reader) override {
    return AddUp(reader, false);
  }
  asio::awaitable<absl::Status> CoMirror(ServerContext&,
                                         ServerReaderWriter<streams::Item, streams::Item>& stream) override {
    Begin("mirror");
    for (;;) {
      const auto item = co_await stream.Read();
      if (!item.has_value()) break;
      const bool written = co_await stream.Write(*item);
      if (!written) break;
    }
    ++ended;
    co_return absl::OkStatus();
  }

 private:
  void Begin(const char* method) {
    ++begun;
    ++begun_of[method];
  }

  asio::awaitable<absl::Status> CountItems(const streams::Range& range, ServerWriter<streams::Item>& writer) {
    Begin("count");
    for (std::int64_t i = range.begin(); i < range.end(); ++i) {
      const streams::Item item = ItemOf(i, static_cast<std::size_t>(range.data_bytes()));
      const bool written = co_await writer.Write(item);
      if (!written) break;
    }
    ++ended;
    co_return absl::OkStatus();
  }

  asio::awaitable<absl::StatusOr<streams::Total>> AddUp(ServerReader<streams::Item>& reader, bool all) {
    Begin("sum");
    streams::Total total;
    for (;;) {
      const auto item = co_await reader.Read();
      if (!item.has_value()) break;
      if (!IsWhole(*item) || (all && item->number() != total.count())) {
        ++ended;
        co_return absl::DataLossError(absl::StrCat("item ", item->number(), " came as number ", total.count()));
      }
      total.set_count(total.count() + 1);
      total.set_sum(total.sum() + item->number());
    }
    ++ended;
    co_return total;
  }
};

}  // namespace mqttrpc::test
