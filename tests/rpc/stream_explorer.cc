#include "stream_explorer.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>

#include "mqttrpc/mqtt/status.h"
#include "mqttrpc/rpc/channel.h"
#include "mqttrpc/rpc/server.h"
#include "mqttrpc/rpc/status.h"
#include "mqttrpc/testing/world.h"
#include "stream_service.h"

namespace mqttrpc::test {
namespace {

using mqttrpc::testing::PacketKind;
using mqttrpc::testing::RecordedPacket;
using std::chrono::milliseconds;
using std::chrono::seconds;
using streams::Item;
using streams::Range;
using streams::StreamsStub;
using streams::Total;

// How one call went.
struct Outcomes {
  std::string name;
  std::optional<absl::Status> status;
  std::string complaint;  // About what was read.
  std::int64_t read = 0;
};

class Explorer {
 public:
  Explorer(std::uint64_t seed, Planted planted) : world_(OptionsOf(seed)), seed_(seed) {
    caller_ = &NewClient("me");
    device_ = &NewClient("dev-1");
    server_.emplace(*device_, ServerLimits());
    server_->Add(service_);
    started_ = world_.Run(server_->Start()).ok();
    channel_.emplace(*caller_, ChannelLimits());
    pool_ = Chance(3);
    stub_.emplace(*channel_, pool_ ? kAnyInstance : "dev-1");
    Plant(planted);
    MakeRules();
  }
  ~Explorer() {
    channel_.reset();
    server_.reset();
  }

  Exploration Run() {
    if (!started_) Complain("the server did not start");
    for (int i = 0; i < 5; ++i) BeginCall(i);
    for (int i = 0; i < 20 && !AllEnded(); ++i) {
      world_.Advance(milliseconds(Below(1'500)));
      Disturb();
    }
    world_.faults().Heal();
    // A stream of the slowest reader, and all that may have to be asked for again.
    if (!world_.Until([this] { return AllEnded(); }, std::chrono::minutes(5))) Complain("calls do not end");
    Judge();
    return std::move(result_);
  }

 private:
  static mqttrpc::testing::WorldOptions OptionsOf(std::uint64_t seed) {
    mqttrpc::testing::WorldOptions options;
    options.seed = seed;
    options.broker.maximum_packet_size = seed % 3 == 0 ? 4'096 : 64 * 1024;
    return options;
  }
  std::uint64_t Below(std::uint64_t n) { return world_.random().Below(n); }
  bool Chance(std::uint64_t in) { return Below(in) == 0; }
  void Complain(std::string what) { result_.complaints.push_back(absl::StrCat("seed ", seed_, ": ", what)); }

  mqtt::Client& NewClient(const char* name) {
    mqtt::ClientOptions options;
    options.session_expiry = Chance(2) ? seconds(0) : seconds(300);
    options.receive_maximum = narrow_ ? 2 : 100;
    options.backoff_maximum = seconds(2);
    return world_.NewClient(name, options);
  }
  StreamLimits Limits() {
    StreamLimits limits;
    limits.frames = 16 + Below(64);
    limits.frame_bytes = 1'024 + Below(16'000);
    return limits;
  }
  ServerOptions ServerLimits() {
    ServerOptions options;
    options.limits = Limits();
    return options;
  }
  ChannelOptions ChannelLimits() {
    ChannelOptions options;
    options.limits = Limits();
    options.fragment_above = 2'048;
    options.accept_timeout = seconds(20);  // A device may be away for some.
    return options;
  }

  // --- The calls

  void BeginCall(int number) {
    auto outcomes = std::make_shared<Outcomes>();
    const std::int64_t count = 1 + static_cast<std::int64_t>(Below(400));
    const std::size_t bytes = Chance(4) ? Below(20'000) : Below(200);
    switch (number % 4) {
      case 0: Spawn("count", outcomes, Count(outcomes, count, bytes)); break;
      case 1: Spawn("sum", outcomes, Sum(outcomes, count, bytes)); break;
      case 2: Spawn("mirror", outcomes, Mirror(outcomes, count, bytes)); break;
      default: Spawn("echo", outcomes, Echo(outcomes, Below(200'000))); break;
    }
    outcomes_.push_back(std::move(outcomes));
    ++result_.calls;
  }

  void Spawn(const char* name, const std::shared_ptr<Outcomes>& outcomes, asio::awaitable<void> call) {
    outcomes->name = name;
    asio::co_spawn(world_.io(), std::move(call), asio::detached);
  }

  // No coroutine itself: docs/decisions/0006-coroutine-rules.md.
  asio::awaitable<bool> Sleep(mqtt::Duration how_long) {
    auto timer = std::shared_ptr<mqtt::Timer>(world_.clock().NewTimer(world_.io().get_executor()));
    const mqtt::TimePoint until = world_.clock().Now() + how_long;
    return mqtt::Initiate<bool>(asio::use_awaitable, [timer, until](mqtt::Completion<bool> done) {
      timer->Arm(until, [timer, done = std::move(done)]() mutable { done(true); });
    });
  }
  // A reader or writer that is slow at times.
  asio::awaitable<void> Dawdle() {
    if (Chance(10)) co_await Sleep(milliseconds(Below(200)));
  }

  CallOptions Options() {
    CallOptions options;
    options.wait_for_ready = true;
    return options;
  }

  asio::awaitable<void> Count(std::shared_ptr<Outcomes> outcomes, std::int64_t count, std::size_t bytes) {
    Range range;
    range.set_end(count);
    range.set_data_bytes(static_cast<std::int64_t>(bytes));
    auto reader = stub_->Count(range, Options());
    for (;;) {
      const auto item = co_await reader.Read();
      if (!item.has_value()) break;
      Check(*outcomes, *item, bytes);
      co_await Dawdle();
    }
    absl::Status status = co_await reader.Finish();
    if (status.ok() && outcomes->read != count) outcomes->complaint = "the stream is short";
    outcomes->status = std::move(status);
  }

  asio::awaitable<void> Sum(std::shared_ptr<Outcomes> outcomes, std::int64_t count, std::size_t bytes) {
    auto writer = stub_->Sum(Options());
    for (std::int64_t i = 0; i < count; ++i) {
      const Item item = ItemOf(i, bytes);
      const bool written = co_await writer.Write(item);
      if (!written) break;
      co_await Dawdle();
    }
    const absl::StatusOr<Total> total = co_await writer.Finish();
    if (total.ok() && (total->count() != count || total->sum() != count * (count - 1) / 2)) {
      outcomes->complaint = "the total is wrong";
    }
    if (absl::IsDataLoss(total.status())) outcomes->complaint = total.status().ToString();
    outcomes->status = total.status();
  }

  asio::awaitable<void> Mirror(std::shared_ptr<Outcomes> outcomes, std::int64_t count, std::size_t bytes) {
    auto stream = std::make_shared<ClientReaderWriter<Item, Item>>(stub_->Mirror(Options()));
    asio::co_spawn(world_.io(), WriteAll(stream, count, bytes), asio::detached);
    for (;;) {
      const auto item = co_await stream->Read();
      if (!item.has_value()) break;
      Check(*outcomes, *item, bytes);
      co_await Dawdle();
    }
    absl::Status status = co_await stream->Finish();
    if (status.ok() && outcomes->read != count) outcomes->complaint = "the stream is short";
    outcomes->status = std::move(status);
  }
  asio::awaitable<void> WriteAll(std::shared_ptr<ClientReaderWriter<Item, Item>> stream, std::int64_t count,
                                 std::size_t bytes) {
    for (std::int64_t i = 0; i < count; ++i) {
      const Item item = ItemOf(i, bytes);
      const bool written = co_await stream->Write(item);
      if (!written) co_return;
    }
    stream->WritesDone();
  }

  asio::awaitable<void> Echo(std::shared_ptr<Outcomes> outcomes, std::size_t bytes) {
    const Item item = ItemOf(7, bytes);
    CallOptions options = Options();
    options.timeout = std::chrono::minutes(5);
    const absl::StatusOr<Item> reply = co_await stub_->Echo(item, options);
    if (reply.ok() && (reply->number() != 7 || reply->data() != item.data()))
      outcomes->complaint = "the reply is wrong";
    outcomes->status = reply.status();
  }

  static void Check(Outcomes& outcomes, const Item& item, std::size_t bytes) {
    if (outcomes.complaint.empty() &&
        (item.number() != outcomes.read || item.data().size() != bytes || !IsWhole(item))) {
      outcomes.complaint = absl::StrCat("item ", item.number(), " came as number ", outcomes.read);
    }
    ++outcomes.read;
  }

  bool AllEnded() const {
    for (const auto& each : outcomes_) {
      if (!each->status.has_value()) return false;
    }
    return true;
  }

  // --- What happens to them

  void MakeRules() {
    const auto is_publish = [](const RecordedPacket& packet) { return packet.kind == PacketKind::kPublish; };
    if (Chance(2)) world_.faults().ToAll().Sometimes(0.02).If(is_publish).Duplicate();
    if (Chance(2)) world_.faults().FromAll().Sometimes(0.02).If(is_publish).Duplicate();
    // A broker that throws a message away, as one whose queue is full. Not acknowledged, it
    // still counts for the broker: with few allowed, nothing more would come.
    if (!narrow_ && Chance(2)) world_.faults().ToAll().Sometimes(0.005).If(is_publish).Drop();
    if (Chance(3)) world_.faults().ToAll().Sometimes(0.02).If(is_publish).SwapWithNext();
    if (Chance(2)) world_.faults().To(Chance(2) ? "me" : "dev-1").Latency(milliseconds(Below(300)));
  }

  void Disturb() {
    const char* whom = Chance(2) ? "me" : "dev-1";
    switch (Below(8)) {
      case 0:
      case 1: world_.faults().Cut(whom); break;
      case 2: world_.faults().LeaveHalfOpen(whom); break;
      case 3:
        world_.faults().RefuseFor(whom, milliseconds(Below(5'000)));
        world_.faults().Cut(whom);
        break;
      case 4:
        world_.CrashBroker();
        world_.Advance(milliseconds(Below(3'000)));
        world_.StartBroker();
        ++result_.restarts;
        return;
      case 5: world_.faults().To(whom).Nth(1 + Below(20), PacketKind::kPublish).CutBefore(); break;
      default: return;
    }
    ++result_.cuts;
  }

  void Plant(Planted planted) {
    using mqttrpc::testing::Direction;
    const auto frame_of = [](const RecordedPacket& packet) {
      if (packet.kind != PacketKind::kPublish) return std::string();
      return std::string(packet.properties.UserProperty("rpc-f").value_or(""));
    };
    switch (planted) {
      case Planted::kNothing: return;
      case Planted::kResumeUnheard:
        world_.faults()
            .FromAll()
            .Every(PacketKind::kPublish)
            .If([frame_of](const RecordedPacket& packet) { return absl::EndsWith(frame_of(packet), "!"); })
            .Replace([](const RecordedPacket& packet) {
              std::string bytes = packet.bytes;
              bytes[bytes.rfind('!')] = '0';  // A limit ten times as high instead.
              return bytes;
            });
        return;
      case Planted::kPayloadsSwapped: {
        auto last = std::make_shared<std::string>();
        world_.faults()
            .FromAll()
            .Sometimes(0.05)
            .If([frame_of](const RecordedPacket& packet) {
              const std::string frame = frame_of(packet);
              return absl::StartsWith(frame, "m:") && !absl::EndsWith(frame, "+") && packet.payload.size() > 4 &&
                     !packet.properties.UserProperty("rpc-crc").has_value();
            })
            .Replace([last](const RecordedPacket& packet) {
              std::string bytes = packet.bytes;
              if (last->size() == packet.payload.size()) {
                bytes.replace(bytes.size() - last->size(), last->size(), *last);
              }
              *last = packet.payload;
              return bytes;
            });
        return;
      }
    }
  }

  // --- What it comes to

  void Judge() {
    for (const auto& each : outcomes_) {
      if (!each->complaint.empty()) Complain(absl::StrCat(each->name, ": ", each->complaint));
      if (!each->status.has_value()) continue;
      if (each->status->ok()) {
        ++result_.completed;
      } else if (absl::IsUnavailable(*each->status) && OutcomeOf(*each->status) == Outcome::kPerhaps &&
                 each->read == 0 && WasLostAtItsBeginning(*each)) {
        ++result_.unknown;
      } else {
        Complain(absl::StrCat(each->name, " after ", each->read, " items: ", each->status->ToString()));
      }
    }
    // What is left ends by itself.
    world_.Advance(seconds(120));
    if (channel_->calls_under_way() > 0) Complain("the channel has calls left");
    if (server_->running_calls() > 0) Complain("handlers run on");
    if (server_->waiting_calls() > 0) Complain("the server has calls left");
    if (service_.begun != service_.ended) Complain("handlers have not ended");
    if (std::getenv("MQTTRPC_EXPLORE_TRACE") != nullptr) std::puts(world_.recorder().ToString().c_str());
  }

  bool WasLostAtItsBeginning(const Outcomes& outcomes) {
    const std::string why(outcomes.status->message());
    return absl::StrContains(why, "session was lost") || absl::StrContains(why, "nobody serves") ||
           absl::StrContains(why, "does not know this call") ||
           (pool_ && IsSilence(*outcomes.status) && NeverBegan(outcomes));
  }
  static bool IsSilence(const absl::Status& status) { return absl::StrContains(status.message(), "nothing was heard"); }

  // The opening frame was lost with the device's session: of a pool there is nobody to ask. Each
  // handler of its method that has begun is that of another call.
  bool NeverBegan(const Outcomes& outcomes) {
    int others = 0;
    for (const auto& each : outcomes_) {
      if (each->name == outcomes.name && each->status.has_value() && (each->status->ok() || each->read > 0)) ++others;
    }
    return service_.begun_of[outcomes.name] <= others;
  }

  mqttrpc::testing::World world_;
  const std::uint64_t seed_;
  const bool narrow_ = seed_ % 4 == 0;
  Exploration result_;
  StreamService service_;
  mqtt::Client* caller_ = nullptr;
  mqtt::Client* device_ = nullptr;
  std::optional<Server> server_;
  std::optional<Channel> channel_;
  std::optional<StreamsStub> stub_;
  bool pool_ = false;  // It calls any member.
  bool started_ = false;
  std::vector<std::shared_ptr<Outcomes>> outcomes_;
};

}  // namespace

Exploration ExploreStreams(std::uint64_t seed, Planted planted) { return Explorer(seed, planted).Run(); }

}  // namespace mqttrpc::test
