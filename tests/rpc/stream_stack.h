// The whole stack, with the service of stream_test.proto.
#pragma once

#include <optional>

#include "stack.h"
#include "stream_service.h"

namespace mqttrpc::test {

class StreamStackTest : public StackTest {
 protected:
  using Item = streams::Item;
  using Range = streams::Range;
  using StreamsStub = streams::StreamsStub;
  using Total = streams::Total;

  // The service goes before the base; its handlers end before.
  ~StreamStackTest() override {
    channel_.reset();
    server_.reset();
    world_.RunUntilQuiet();
  }

  StreamService streams_;
  std::optional<StreamsStub> stub_;
};

}  // namespace mqttrpc::test
