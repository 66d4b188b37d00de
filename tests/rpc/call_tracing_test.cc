#include "mqttrpc/rpc/call_tracing.h"

#include "stack.h"

namespace mqttrpc {
namespace {

using test::Ask;
using test::milliseconds;
using test::Question;
using test::Reply;

constexpr std::string_view kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

// --- W3C Trace Context, 3.2

TEST(TraceparentTest, IsReadAndWritten) {
  const auto context = ParseTraceparent(kParent);
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(HexOf(context->trace_id), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(HexOf(context->span_id), "b7ad6b7169203331");
  EXPECT_TRUE(context->sampled);
  EXPECT_EQ(FormatTraceparent(*context), kParent);
}

TEST(TraceparentTest, WhatIsNotAsTheStandardWantsItIsNone) {
  for (const std::string_view bad : {
           "",
           "00",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",     // Too short.
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",   // Version 00 has no more.
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",  //
           "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",    // Upper case.
           "00-0af7651916cd43dd8448eb211c80319c-B7ad6b7169203331-01",    //
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0A",    //
           "00-00000000000000000000000000000000-b7ad6b7169203331-01",    // All zeros.
           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",    //
           "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",    // No digit.
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",    //
           "0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",    //
           "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",    // Not a version.
           "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",    // Other dashes.
           "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",    //
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331_01",    //
           " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",   //
           "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",   // Later: only behind a dash.
       }) {
    EXPECT_FALSE(ParseTraceparent(bad).has_value()) << bad;
  }
}

TEST(TraceparentTest, OfALaterVersionAndOtherFlagsWhatIsKnownIsTaken) {
  const auto later = ParseTraceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-fe-what-ever");
  ASSERT_TRUE(later.has_value());
  EXPECT_FALSE(later->sampled);
  EXPECT_EQ(FormatTraceparent(*later), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
  EXPECT_TRUE(ParseTraceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff")->sampled);
}

// W3C Trace Context, 3.3.
TEST(TracestateTest, IsCheckedByItsGrammar) {
  for (const std::string_view good :
       {"", "a=1", "a=1,b=2", "a=1 ,\tb=2", "a=1,,b=2", "fw529a3039@dt=x", "0a-b_c*d/e=v w:x;y", "a= x"}) {
    EXPECT_TRUE(IsTracestate(good)) << good;
  }
  for (const std::string_view bad :
       {"a", "a=", "=1", "A=1", "a=1=2", "a b=1", "-a=1", "a=\x7f", "a=\xc3\xa4", "a =1"}) {
    EXPECT_FALSE(IsTracestate(bad)) << bad;
  }
  EXPECT_TRUE(IsTracestate(std::string(256, 'a') + "=" + std::string(256, 'v')));
  EXPECT_FALSE(IsTracestate(std::string(257, 'a') + "=v"));
  EXPECT_FALSE(IsTracestate("a=" + std::string(257, 'v')));
  std::string many;
  for (int i = 0; i < 32; ++i) many += "k" + std::to_string(i) + "=v,";
  EXPECT_TRUE(IsTracestate(many));
  EXPECT_FALSE(IsTracestate(many + "one=more"));
}

TEST(TraceContextTest, IsReadFromMetadata) {
  Metadata metadata;
  EXPECT_FALSE(ReadTraceContext(metadata).has_value());
  metadata.Add("traceparent", kParent);
  metadata.Add("tracestate", "a=1");
  metadata.Add("tracestate", "b=2");
  ASSERT_TRUE(ReadTraceContext(metadata).has_value());
  EXPECT_EQ(ReadTraceContext(metadata)->state, "a=1,b=2");
  Metadata again;
  again.Add("traceparent", "old");
  again.Add("traceparent", "older");
  again.Add("other", "x");
  WriteTraceContext(*ReadTraceContext(metadata), again);
  EXPECT_EQ(ReadTraceContext(again), ReadTraceContext(metadata));
  EXPECT_EQ(again.size(), 3u);
}

TEST(TraceContextTest, ABadStateIsNoneAndTwoParentsAreNone) {
  Metadata metadata;
  metadata.Add("traceparent", kParent);
  metadata.Add("tracestate", "A");
  ASSERT_TRUE(ReadTraceContext(metadata).has_value());
  EXPECT_EQ(ReadTraceContext(metadata)->state, "");
  metadata.Add("traceparent", kParent);
  EXPECT_FALSE(ReadTraceContext(metadata).has_value());
}

// --- Spans

class Spans final : public TraceSink {
 public:
  void OnSpan(const Span& span) override { all.push_back(span); }
  std::vector<Span> all;
};

class CallTracingTest : public test::StackTest {
 protected:
  void ServeAndOpenTraced(double sampled_roots = 1.0) {
    CallTracingOptions options;
    options.clock = &clock_;
    options.random = &world_.random();
    options.sampled_roots = sampled_roots;
    const auto tracing = std::make_shared<CallTracing>(spans_, options);
    ServerOptions serving;
    serving.interceptors = {tracing};
    Serve(serving);
    ChannelOptions calling;
    calling.interceptors = {tracing};
    Open(calling);
  }
  static CallOptions Within(std::string_view parent, std::string_view state = "") {
    CallOptions options;
    options.metadata.Add("traceparent", parent);
    if (!state.empty()) options.metadata.Add("tracestate", state);
    return options;
  }

  Spans spans_;
};

TEST_F(CallTracingTest, ACallIsASpanOnEitherSide) {
  std::optional<ServerCall> open;
  service_.raw = [&](ServerCall call) { open.emplace(std::move(call)); };
  ServeAndOpenTraced();
  const mqtt::TimePoint begin = clock_.Now();
  Call(Ask("hi"));
  Run();
  world_.Advance(milliseconds(40));
  open->Finish(absl::NotFoundError("gone"), nullptr);
  Run();
  ASSERT_EQ(spans_.all.size(), 2u);
  const Span& server = spans_.all[0];
  const Span& client = spans_.all[1];
  EXPECT_EQ(server.kind, Span::Kind::kServer);
  EXPECT_EQ(client.kind, Span::Kind::kClient);
  EXPECT_EQ(client.parent, std::nullopt);
  EXPECT_EQ(server.parent, client.context.span_id);
  EXPECT_EQ(server.context.trace_id, client.context.trace_id);
  EXPECT_NE(server.context.span_id, client.context.span_id);
  EXPECT_NE(client.context.trace_id, TraceId{});
  EXPECT_EQ(server.name, "mqttrpc.test.Echo/Echo");
  EXPECT_EQ(client.name, server.name);
  EXPECT_EQ(server.peer, "me");
  EXPECT_EQ(client.peer, "dev-1");
  for (const Span& each : spans_.all) {
    EXPECT_EQ(each.start, begin);
    EXPECT_EQ(each.end - each.start, milliseconds(40));
    EXPECT_EQ(each.status.code(), absl::StatusCode::kNotFound);
  }
}

TEST_F(CallTracingTest, ContinuesTheTraceOfTheMetadata) {
  ServeAndOpenTraced();
  Call(Ask("hi"), Within(kParent, "vendor=x"));
  Run();
  ASSERT_EQ(spans_.all.size(), 2u);
  const Span& client = spans_.all[1];
  EXPECT_EQ(HexOf(client.context.trace_id), "0af7651916cd43dd8448eb211c80319c");
  ASSERT_TRUE(client.parent.has_value());
  EXPECT_EQ(HexOf(*client.parent), "b7ad6b7169203331");
  for (const Span& each : spans_.all) EXPECT_EQ(each.context.state, "vendor=x");
}

TEST_F(CallTracingTest, ABadParentBeginsATraceWithoutItsState) {
  ServeAndOpenTraced();
  Call(Ask("hi"), Within("00-bad", "vendor=x"));
  Run();
  ASSERT_EQ(spans_.all.size(), 2u);
  EXPECT_EQ(spans_.all[1].parent, std::nullopt);
  EXPECT_EQ(spans_.all[1].context.state, "");
}

TEST_F(CallTracingTest, WhatIsNotSampledIsHandedOnAndNotTold) {
  Metadata seen;
  service_.plain = [&](ServerContext& context, const Question&) {
    seen = context.metadata();
    return Reply();
  };
  ServeAndOpenTraced();
  Call(Ask("hi"), Within("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"));
  Run();
  EXPECT_TRUE(spans_.all.empty());
  const auto context = ReadTraceContext(seen);
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(HexOf(context->trace_id), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_NE(HexOf(context->span_id), "b7ad6b7169203331");
  EXPECT_FALSE(context->sampled);
}

TEST_F(CallTracingTest, SoManyRootsAreSampled) {
  ServeAndOpenTraced(0.25);
  for (int i = 0; i < 400; ++i) {
    Call(Ask("hi"));
    Run();
  }
  EXPECT_GT(spans_.all.size(), 2u * 60);
  EXPECT_LT(spans_.all.size(), 2u * 140);
  spans_.all.clear();
  ServeAndOpenTraced(0);
  Call(Ask("hi"));
  Run();
  EXPECT_TRUE(spans_.all.empty());
}

TEST_F(CallTracingTest, AHandlersCallsAreChildrenOfItsSpan) {
  service_.plain = [&](ServerContext& context, const Question& question) {
    if (question.text() == "outer") {
      CallOptions options;
      ContinueTrace(context, options);
      Call(Ask("inner"), options);
    }
    return Reply();
  };
  ServeAndOpenTraced();
  Call(Ask("outer"));
  Run();
  ASSERT_EQ(spans_.all.size(), 4u);
  const Span* outer_server = nullptr;
  const Span* inner_client = nullptr;
  for (const Span& each : spans_.all) {
    EXPECT_EQ(each.context.trace_id, spans_.all[0].context.trace_id);
    if (outer_server == nullptr && each.kind == Span::Kind::kServer) outer_server = &each;
  }
  for (const Span& each : spans_.all) {
    if (each.kind == Span::Kind::kClient && each.parent == outer_server->context.span_id) inner_client = &each;
  }
  EXPECT_NE(inner_client, nullptr);
}

}  // namespace
}  // namespace mqttrpc
