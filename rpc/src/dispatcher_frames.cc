// The serving side of calls that are more than a plain request and a plain answer.
#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "dispatcher.h"
#include "mqttrpc/mqtt/status.h"
#include "packet_size.h"
#include "payload.h"
#include "refused.h"
#include "text.h"
#include "time_left.h"

namespace mqttrpc {

using mqtt::LogLevel;
using mqtt::ToStd;
using std::chrono::milliseconds;

namespace {

// What a caller may ask to be pinged by. Outside of it, the nearest.
constexpr milliseconds kShortestIdle{100};
constexpr milliseconds kLongestIdle{3'600'000};

// A request in fragments is given up if its rest does not come.
constexpr std::chrono::seconds kRequestPatience{30};

// While much is kept for all callers, so much is for each. A stream that has more to say asks
// its reader what has come: see CallFlow::Written().
constexpr std::size_t kLeastKeptBytes = 64 * 1024;

// How long a frame is worth delivering where the caller does not ping.
constexpr std::chrono::seconds kFrameExpiry{30};

}  // namespace

// --- Opening

// Whether the request opens its method's kind of call in a way that we can serve.
absl::Status Dispatcher::CheckFrames(const RequestIn& request, const MethodInfo& method) const {
  const bool framed = request.frame.has_value() || method.kind != MethodKind::kUnary;
  if (!framed) return absl::OkStatus();
  if (request.inbox.empty() || request.correlation_data.value_or("").empty()) {
    return absl::InvalidArgumentError("a stream or a fragment needs Response Topic and Correlation Data");
  }
  if (!request.frame.has_value()) {
    if (!method.streams_requests()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("method ", mqtt::ToAbsl(request.method), " takes a stream: open it with rpc-f o:"));
  }
  if (request.frame->empty && !method.streams_requests()) {
    return absl::InvalidArgumentError(absl::StrCat("method ", mqtt::ToAbsl(request.method),
                                                   " takes one request; rpc-f ", request.frame->Text(),
                                                   " opens without it"));
  }
  return absl::OkStatus();
}

absl::Status Dispatcher::TooMuchWaits() const {
  return absl::ResourceExhaustedError(absl::StrCat("server ", instance_, " has ", waiting_bytes_,
                                                   " bytes of requests waiting; it takes ",
                                                   options_.maximum_waiting_bytes));
}

ServerFrames& Dispatcher::MakeFrames(ServerCall::State& call, mqtt::Duration idle, mqtt::TimePoint now) {
  if (call.frames != nullptr) return *call.frames;
  FlowOptions flow;
  const MethodInfo& method = call.method_info();
  const bool may_lose = method.kind != MethodKind::kUnary && method.qos == mqtt::QoS::kAtMostOnce;
  flow.sends_reliably = !(may_lose && method.streams_replies());
  flow.receives_reliably = !(may_lose && method.streams_requests());
  flow.limits = options_.limits;
  flow.idle = idle;
  call.frames = std::make_unique<ServerFrames>(call, flow, now);
  if (!connected_) call.frames->Disconnected(now);
  call.frames->sending().set_room(RoomTo(call));
  return *call.frames;
}

void Dispatcher::BeginFrames(const std::shared_ptr<ServerCall::State>& call, const RequestIn& request,
                             mqtt::TimePoint now) {
  mqtt::Duration idle{};
  if (request.idle.has_value()) idle = std::clamp(*request.idle, kShortestIdle, kLongestIdle);
  ServerFrames& frames = MakeFrames(*call, idle, now);
  call->confirms_end = request.frame.has_value() || request.idle.has_value();
  const bool long_unary = !request.frame.has_value() && call->method_info().kind == MethodKind::kUnary;
  if (long_unary) {
    frames.OweAcceptAt(now + *request.accept);
    frames.ScheduleIn(flows_);
    return Run(call);
  }
  frames.sending().Grant(request.frame.has_value() ? request.frame->number : kPlainLimit);
  frames.OweAccept();
  absl::Status status;
  if (call->method_info().streams_requests()) {
    if (!request.frame->empty) status = frames.Message(request.fragment, now);
  } else if (request.fragment.more) {
    frames.waits_for_request = true;
    frames.LimitSilence(kRequestPatience, now);
    held_[call.get()] = call;
    status = frames.Message(request.fragment, now);
    if (status.ok()) status = Deliver(*call, now);
  } else {
    frames.receiving().PassThrough(request.fragment);
  }
  if (!status.ok()) return Break(*call, std::move(status), now);
  Settle(*call, now);  // The accept goes out before anything that the handler says.
  if (!frames.waits_for_request) Run(call);
}

void Dispatcher::RequestIsWhole(const std::shared_ptr<ServerCall::State>& call, std::string payload,
                                mqtt::TimePoint now) {
  call->frames->waits_for_request = false;
  call->frames->LimitSilence(std::nullopt, now);
  held_.erase(call.get());
  call->SetPayload(std::move(payload));
  Run(call);
}

// --- Later frames

void Dispatcher::LaterArrived(const mqtt::MessageView& message, mqtt::TimePoint now) {
  const absl::StatusOr<LaterIn> later = codec_.DecodeLater(message);
  if (!later.ok()) {
    return Log(LogLevel::kWarning, "frame_dropped", message.topic_name, ToStd(later.status().message()));
  }
  if (later->instance != instance_)
    return Log(LogLevel::kWarning, "frame_dropped", message.topic_name, "not our topic");
  const ReplyCache::Entry* entry = cache_.Find(later->caller, later->correlation_data);
  const bool cancels = later->broken.ok() && later->frame.kind == Frame::Kind::kCancel;
  if (entry == nullptr) return cancels ? void() : UnknownCall(*later);
  const auto call = entry->running == nullptr ? nullptr : entry->running->weak_from_this().lock();
  if (call == nullptr) {
    if (cancels || entry->running != nullptr) return;
    // It is over; the caller has not heard of it, unless this only tells that it has.
    const bool asks = later->frame.kind != Frame::Kind::kWindow || later->frame.again;
    if (entry->answer.has_value()) {
      if (asks) Duplicate(*entry, now);
    } else if (asks) {
      UnknownCall(*later);
    }
    return;
  }
  if (cancels) return CancelledByCaller(*call, now);
  if (!GoesOn(*call)) return;
  absl::Status status = later->broken.ok() ? TakeFrame(*call, *later, now) : later->broken;
  if (!status.ok()) return Break(*call, std::move(status), now);
  Settle(*call, now);
}

// It may have been ours before a restart, or have ended long ago.
void Dispatcher::UnknownCall(const LaterIn& later) {
  if (later.inbox.empty()) return;
  absl::Status why = absl::UnavailableError(absl::StrCat("server ", instance_, " does not know this call"));
  SetOutcome(why, Outcome::kPerhaps);
  const Answer answer = AnswerFor(why, ContentType::kProtobuf);
  ResponseOut head;
  head.caller = later.caller;
  head.inbox = later.inbox;
  head.correlation_data = later.correlation_data;
  head.instance = instance_;
  head.remaining = kFrameExpiry;
  head.status = &answer.status;
  shell_.SendAnswer(codec_.EncodeResponse(head, answer.payload));
}

absl::Status Dispatcher::TakeFrame(ServerCall::State& call, const LaterIn& later, mqtt::TimePoint now) {
  ServerFrames& frames = *call.frames;
  frames.Heard(now);
  const Frame::Kind kind = later.frame.kind;
  if (kind == Frame::Kind::kWindow || kind == Frame::Kind::kPing || kind == Frame::Kind::kPong) {
    return frames.Control(later.frame, now);
  }
  if (frames.lingers()) return absl::OkStatus();  // Nobody reads any more.
  const bool takes_messages = call.method_info().streams_requests() || frames.waits_for_request;
  if (kind == Frame::Kind::kMessage && takes_messages) {
    if (waiting_bytes_ + later.fragment.payload.size() > options_.maximum_waiting_bytes) {
      return TooMuchWaits();
    }
    if (frames.waiters.reading()) {
      if (const auto whole = frames.receiving().PassThrough(later.fragment)) return ReadDone(call, *whole);
    }
    absl::Status status = frames.Message(later.fragment, now);
    return status.ok() ? Deliver(call, now) : status;
  }
  if (kind == Frame::Kind::kEnd && call.method_info().streams_requests()) {
    absl::Status status = frames.End(later.fragment, false, now);
    return status.ok() ? Deliver(call, now) : status;
  }
  // Sent again by a caller that does not know that it was here.
  if (kind == Frame::Kind::kMessage && later.fragment.sequence < frames.receiving().next()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("the caller sent the frame ", later.frame.Text(), " where it means nothing"));
}

// Gives what has come to whoever waits for it.
absl::Status Dispatcher::Deliver(ServerCall::State& call, mqtt::TimePoint now) {
  ServerFrames& frames = *call.frames;
  if (!frames.waits_for_request && !frames.waiters.reading()) return absl::OkStatus();
  absl::StatusOr<std::optional<std::string>> message = frames.receiving().TakeMessage();
  frames.Taken();
  call.lost.store(frames.receiving().lost(), std::memory_order_relaxed);
  if (!message.ok()) return message.status();
  if (frames.waits_for_request) {
    if (message->has_value()) RequestIsWhole(call.shared_from_this(), std::move(**message), now);
    return absl::OkStatus();
  }
  if (message->has_value()) return ReadDone(call, **message);
  if (frames.receiving().over()) frames.waiters.EndRead(false, Ends());
  return absl::OkStatus();
}

absl::Status Dispatcher::ReadDone(ServerCall::State& call, std::string_view payload) {
  ServerFrames& frames = *call.frames;
  frames.Taken();
  if (absl::Status status = ReadPayload(payload, call.content_type(), frames.waiters.message()); !status.ok())
    return status;
  frames.waiters.EndRead(true, Ends());
  return absl::OkStatus();
}

// --- What handlers want

void Dispatcher::Read(ServerCall::State& call, google::protobuf::Message& message, mqtt::Completion<bool> done,
                      std::uint64_t number, mqtt::TimePoint now) {
  if (call.answered || call.frames == nullptr || call.frames->waiters.reading() ||
      !call.method_info().streams_requests()) {
    return shell_.Step(std::move(done), false);
  }
  call.frames->waiters.BeginRead(message, std::move(done), number);
  if (absl::Status status = Deliver(call, now); !status.ok()) return Break(call, std::move(status), now);
  Settle(call, now);
}

void Dispatcher::CancelRead(ServerCall::State& call, std::uint64_t number) {
  if (call.frames != nullptr) call.frames->waiters.CancelRead(number, Ends());
}

void Dispatcher::Write(ServerCall::State& call, WrittenMessage message, mqtt::Completion<bool> done,
                       mqtt::TimePoint now) {
  if (call.answered || call.frames == nullptr || !call.method_info().streams_replies()) {
    return shell_.Step(std::move(done), false);
  }
  if (!message.status.ok()) {
    shell_.Step(std::move(done), false);
    return Break(call, std::move(message.status), now);
  }
  ServerFrames& frames = *call.frames;
  if (!message.metadata.empty()) {
    std::size_t bytes = 0;
    for (const auto& [key, value] : message.metadata) bytes += key.size() + 2 * value.size() + 8;
    frames.sending().set_room(RoomTo(call, bytes));
    frames.first_metadata = std::move(message.metadata);
  }
  frames.waiters.BeginWrite(std::move(done));
  frames.sending().Write(std::move(message.payload));
  Settle(call, now);
}

void Dispatcher::GiveUp(ServerCall::State& call, const absl::Status& why, mqtt::TimePoint now) {
  if (call.frames != nullptr) Break(call, why, now);
}

// --- Sending

std::size_t Dispatcher::MaximumPacketTo(const ServerCall::State& call) const {
  return std::min(maximum_packet_size_, call.caller_packet.value_or(maximum_packet_size_));
}

std::size_t Dispatcher::RoomTo(const ServerCall::State& call, std::size_t metadata_bytes) const {
  return FragmentRoom(MaximumPacketTo(call), metadata_bytes + options_.name_space.size() + call.caller().size() + 64 +
                                                 call.correlation_data().size() + 2 * instance_.size());
}

ResponseOut Dispatcher::FrameHead(const ServerCall::State& call) const {
  ResponseOut head = call.ResponseHead(kFrameExpiry);
  head.qos = mqtt::QoS::kAtLeastOnce;
  return head;
}

void Dispatcher::SendControl(ServerCall::State& call, const Frame& frame) {
  ResponseOut head = FrameHead(call);
  head.frame = frame;
  head.maximum_packet = options_.limits.frame_bytes;
  shell_.SendFrame(codec_.EncodeResponse(head, ""), nullptr, 0);
}

void Dispatcher::SendFragment(CallFlow& flow) {
  ServerFrames& frames = static_cast<ServerFrames&>(flow);
  const FragmentOut fragment = frames.sending().Take();
  ResponseOut head = FrameHead(frames.call);
  head.frame.emplace(fragment.end ? Frame::Kind::kEnd : Frame::Kind::kMessage, fragment.sequence);
  head.frame->more = fragment.more;
  head.fragment = &fragment;
  std::string payload(fragment.payload());
  if (fragment.end) {
    head.status = &frames.end->status;
    head.metadata = &frames.end->metadata;
    if (frames.end->status.code != 0) payload = frames.end->payload;
  } else {
    if (frames.call.method_info().kind != MethodKind::kUnary) head.qos = frames.call.method_info().qos;
    if (fragment.sequence == 0) head.metadata = &frames.first_metadata;
  }
  shell_.SendFrame(codec_.EncodeResponse(head, std::move(payload)), frames.call.shared_from_this(), fragment.size);
}

void Dispatcher::FrameSent(ServerCall::State& call, std::size_t bytes, const absl::Status& status,
                           mqtt::TimePoint now) {
  pacer_.Sent(bytes);
  if (!GoesOn(call)) return;
  if (IsRefusedForNow(status)) {
    if (log_.Wants(LogLevel::kWarning)) {
      log_.Write(LogLevel::kWarning,
                 absl::StrCat("event=frame_not_taken instance=", instance_, " caller=", mqtt::ToAbsl(call.caller()),
                              " why=", Quoted(ToStd(status.message()))));
    }
    call.frames->SendAgainLater(now);
    call.frames->ScheduleIn(flows_);
  }
  if (call.frames->waiters.writing()) Settle(call, now);
  if (IsRefusedForGood(status)) Break(call, status, now);
}

// Its handler has not ended, or what it sent is kept until the caller has confirmed the end.
bool Dispatcher::GoesOn(const ServerCall::State& call) const {
  if (call.frames == nullptr) return false;
  return !call.answered || (call.frames->lingers() && held_.contains(&call));
}

// After anything that may have changed what a call owes, or whom it lets go on.
void Dispatcher::Settle(ServerCall::State& call, mqtt::TimePoint now) {
  if (!GoesOn(call)) return;
  ServerFrames& frames = *call.frames;
  const bool plenty = kept_bytes_ < options_.maximum_waiting_bytes / 2;
  frames.sending().set_most_kept_bytes(plenty ? SendFlow::kMostKeptBytes : kLeastKeptBytes);
  frames.waiters.WritesAreCut(frames.sending().messages_cut(), Ends());
  frames.Written(now);
  CountBytes(frames);
  call.lost.store(frames.receiving().lost(), std::memory_order_relaxed);
  while (const std::optional<Frame> frame = frames.TakeControl()) SendControl(call, *frame);
  pacer_.Wake(frames);
  if (!GoesOn(call)) return;  // Sending has ended it.
  const bool all_sent = frames.sending().ended() && !frames.sending().HasFragment();
  if (frames.lingers() && all_sent && (frames.sending().acknowledged() || !call.confirms_end)) return Release(call);
  frames.ScheduleIn(flows_);
}

void Dispatcher::CountBytes(ServerFrames& frames) {
  const std::size_t bytes = frames.receiving().bytes();
  waiting_bytes_ += bytes - std::exchange(frames.counted_bytes, bytes);
  const std::size_t kept = frames.sending().kept_bytes();
  kept_bytes_ += kept - std::exchange(frames.counted_kept, kept);
}

// --- Connection and time

void Dispatcher::Connected(bool session_present, std::size_t maximum_packet_size, std::size_t receive_maximum,
                           mqtt::TimePoint now) {
  connected_ = true;
  maximum_packet_size_ = maximum_packet_size;
  for (const auto& call : CallsWithFrames()) {
    call->frames->Connected(session_present, now);
    Settle(*call, now);
  }
  pacer_.Connected(receive_maximum);
}

void Dispatcher::Disconnected(mqtt::TimePoint now) {
  connected_ = false;
  pacer_.Disconnected();
  for (const auto& call : CallsWithFrames()) {
    call->frames->Disconnected(now);
    call->frames->ScheduleIn(flows_);
  }
}

std::vector<std::shared_ptr<ServerCall::State>> Dispatcher::CallsWithFrames() const {
  std::vector<std::shared_ptr<ServerCall::State>> calls;
  running_.ForEach([&calls](ServerCall::State& call) {
    if (call.frames == nullptr) return;
    if (auto held = call.weak_from_this().lock()) calls.push_back(std::move(held));
  });
  const std::size_t running = calls.size();
  for (const auto& [state, call] : held_) calls.push_back(call);
  // A map's order is another one in each process: the same seed must do the same.
  std::sort(calls.begin() + static_cast<std::ptrdiff_t>(running), calls.end(), [](const auto& a, const auto& b) {
    return std::pair(a->caller(), a->correlation_data()) < std::pair(b->caller(), b->correlation_data());
  });
  return calls;
}

void Dispatcher::FlowsAreDue(mqtt::TimePoint now) {
  while (mqtt::DeadlineQueue::Entry* due = flows_.PopDue(now)) {
    ServerFrames& frames = static_cast<ServerFrames&>(*due);
    const auto call = frames.call.weak_from_this().lock();
    if (call == nullptr) continue;
    absl::Status status = frames.TimeIs(now);
    if (status.ok()) {
      Settle(*call, now);
    } else if (frames.lingers()) {
      Release(*call);
    } else {
      Break(*call,
            absl::UnavailableError(absl::StrCat("caller ", mqtt::ToAbsl(call->caller()), ": ", status.message())), now);
    }
  }
}

}  // namespace mqttrpc
