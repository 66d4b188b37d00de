#include "mqttrpc/rpc/call_metrics.h"

#include "mqttrpc/rpc/memory_metrics.h"
#include "stack.h"

namespace mqttrpc {
namespace {

using test::Ask;
using test::milliseconds;
using test::Question;
using test::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

CallKind Of(CallSide side, std::string_view method = "Echo") {
  CallKind kind;
  kind.side = side;
  kind.service = "mqttrpc.test.Echo";
  kind.method = method;
  return kind;
}

TEST(MemoryMetricsTest, BoundsGrowExponentially) {
  const MemoryMetrics metrics(milliseconds(10), 10, 3);
  EXPECT_THAT(metrics.bounds(), ElementsAre(milliseconds(10), milliseconds(100), seconds(1)));
  EXPECT_EQ(MemoryMetrics().bounds().back(), milliseconds(32'768));
}

TEST(MemoryMetricsTest, ABoundBelongsToItsBucket) {
  MemoryMetrics metrics(milliseconds(10), 10, 2);
  for (const milliseconds took :
       {milliseconds(0), milliseconds(10), milliseconds(11), milliseconds(100), milliseconds(101)}) {
    metrics.CallBegan(Of(CallSide::kClient));
    metrics.CallEnded(Of(CallSide::kClient), absl::StatusCode::kOk, took);
  }
  const LatencyHistogram histogram = metrics.Of(Of(CallSide::kClient)).ended.at(absl::StatusCode::kOk);
  EXPECT_THAT(histogram.counts, ElementsAre(2u, 2u, 1u));
  EXPECT_EQ(histogram.count, 5u);
  EXPECT_EQ(histogram.sum, milliseconds(222));
}

TEST(MemoryMetricsTest, WritesWhatPrometheusReads) {
  MemoryMetrics metrics(milliseconds(10), 10, 2);
  CallKind kind = Of(CallSide::kServer);
  kind.method = "a\"b\\c\nd";
  metrics.CallBegan(kind);
  metrics.CallBegan(kind);
  metrics.CallEnded(kind, absl::StatusCode::kNotFound, milliseconds(50));
  const std::string labels = R"(side="server",service="mqttrpc.test.Echo",method="a\"b\\c\nd")";
  EXPECT_EQ(metrics.PrometheusText(),
            "# HELP mqttrpc_calls_started_total Calls that have begun.\n"
            "# TYPE mqttrpc_calls_started_total counter\n"
            "mqttrpc_calls_started_total{" +
                labels +
                "} 2\n"
                "# HELP mqttrpc_calls_in_flight Calls that have not ended.\n"
                "# TYPE mqttrpc_calls_in_flight gauge\n"
                "mqttrpc_calls_in_flight{" +
                labels +
                "} 1\n"
                "# HELP mqttrpc_call_duration_seconds Time from begin to end of calls, by status.\n"
                "# TYPE mqttrpc_call_duration_seconds histogram\n"
                "mqttrpc_call_duration_seconds_bucket{" +
                labels +
                ",status=\"NOT_FOUND\",le=\"0.01\"} 0\n"
                "mqttrpc_call_duration_seconds_bucket{" +
                labels +
                ",status=\"NOT_FOUND\",le=\"0.1\"} 1\n"
                "mqttrpc_call_duration_seconds_bucket{" +
                labels +
                ",status=\"NOT_FOUND\",le=\"+Inf\"} 1\n"
                "mqttrpc_call_duration_seconds_sum{" +
                labels +
                ",status=\"NOT_FOUND\"} 0.050000000\n"
                "mqttrpc_call_duration_seconds_count{" +
                labels + ",status=\"NOT_FOUND\"} 1\n");
}

class CallMetricsTest : public test::StackTest {
 protected:
  void ServeAndOpenMeasured() {
    const auto interceptor = std::make_shared<CallMetrics>(metrics_, clock_);
    ServerOptions serving;
    serving.interceptors = {interceptor};
    Serve(serving);
    ChannelOptions calling;
    calling.interceptors = {interceptor};
    Open(calling);
  }

  MemoryMetrics metrics_{milliseconds(10), 10, 3};
};

TEST_F(CallMetricsTest, CountsAndTimesCallsOnEitherSide) {
  std::optional<ServerCall> open;
  service_.raw = [&](ServerCall call) { open.emplace(std::move(call)); };
  ServeAndOpenMeasured();
  Call(Ask("hi"));
  Run();
  for (const CallSide side : {CallSide::kClient, CallSide::kServer}) {
    EXPECT_EQ(metrics_.Of(Of(side)).began, 1u);
    EXPECT_EQ(metrics_.Of(Of(side)).in_flight, 1u);
  }
  world_.Advance(milliseconds(50));
  open->Finish(absl::NotFoundError("gone"), nullptr);
  Run();
  for (const CallSide side : {CallSide::kClient, CallSide::kServer}) {
    const CallCounts counts = metrics_.Of(Of(side));
    EXPECT_EQ(counts.in_flight, 0u);
    ASSERT_EQ(counts.ended.size(), 1u);
    EXPECT_THAT(counts.ended.at(absl::StatusCode::kNotFound).counts, ElementsAre(0u, 1u, 0u, 0u));
    EXPECT_EQ(counts.ended.at(absl::StatusCode::kNotFound).sum, milliseconds(50));
  }
}

TEST_F(CallMetricsTest, KeepsMethodsAndStatusesApart) {
  ServeAndOpenMeasured();
  Call(Ask("hi"));
  Call(Ask("hi"));
  Call(Ask("hi"), CallOptions(), "nobody");
  Call(Ask("hi"), CallOptions(), "dev-1", test::kEchoMethods[1]);
  Run();
  const CallCounts echo = metrics_.Of(Of(CallSide::kClient));
  EXPECT_EQ(echo.began, 3u);
  EXPECT_EQ(echo.ended.at(absl::StatusCode::kOk).count, 2u);
  EXPECT_EQ(echo.ended.at(absl::StatusCode::kUnavailable).count, 1u);
  EXPECT_EQ(metrics_.Of(Of(CallSide::kClient, "Get")).began, 1u);
  EXPECT_EQ(metrics_.Of(Of(CallSide::kServer)).began, 2u);
}

}  // namespace
}  // namespace mqttrpc
