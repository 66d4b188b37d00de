// How calls end on the serving side: refused, answered, at the end of a stream, or unheard.
#include <algorithm>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "dispatcher.h"
#include "mqttrpc/mqtt/status.h"
#include "packet_size.h"
#include "time_left.h"

namespace mqttrpc {

using mqtt::LogLevel;
using mqtt::ToStd;
using std::chrono::milliseconds;

namespace {

// How long the end of a call with frames is told again to a caller who asks.
constexpr std::chrono::minutes kFramesRemembered{2};

// An end has at least so much room for a reply's last fragment.
constexpr std::size_t kLeastFragment = 64;

}  // namespace

void Dispatcher::Refuse(const RequestIn& request, absl::Status why, mqtt::QoS qos, milliseconds remaining) {
  SetOutcome(why, Outcome::kNotExecuted);
  if (request.inbox.empty()) {
    return Log(LogLevel::kDebug, "one_way_refused", request.service, ToStd(why.message()));
  }
  const Answer answer = AnswerFor(why, request.content_type);
  ResponseOut head;
  head.caller = request.caller;
  head.inbox = request.inbox;
  head.correlation_data = request.correlation_data;
  head.instance = instance_;
  head.qos = qos;
  head.content_type = request.content_type;
  head.remaining = remaining;
  head.status = &answer.status;
  shell_.SendAnswer(codec_.EncodeResponse(head, answer.payload));
}

void Dispatcher::HandlerEnded(ServerCall::State& call, Answer answer, mqtt::TimePoint now) {
  Forget(call);
  if (call.answered) return EndFrames(call);
  if (!EndInFrames(call, answer, now)) GiveAnswer(call, std::move(answer), now);
}

void Dispatcher::HandlerLost(ServerCall::State& call) {
  if (call.frames != nullptr) EndFrames(call);
  if (!call.linked()) return;
  Forget(call);
  if (call.entry != nullptr) cache_.FinishUnanswered(*std::exchange(call.entry, nullptr));
}

// The call's one answer: sent if somebody still waits for it, and kept for duplicates.
void Dispatcher::GiveAnswer(ServerCall::State& call, Answer answer, mqtt::TimePoint now) {
  call.answered = true;
  EndFrames(call);
  ReplyCache::Entry* entry = std::exchange(call.entry, nullptr);
  // A stream may have no deadline; who has not heard of its end asks soon.
  if (entry != nullptr && call.frames != nullptr) {
    entry->answer_until = std::min(entry->answer_until, now + kFramesRemembered);
  }
  if (entry != nullptr && answer.status.code != 0) {
    using Failure = ReplyCache::Entry::Failure;
    entry->attempt = call.attempt();
    entry->failure = answer.status.outcome == Outcome::kNotExecuted ? Failure::kNotExecuted : Failure::kFailed;
  }
  if (answer.details_lost) {
    Log(LogLevel::kWarning, "details_lost", call.method(), "JSON cannot say a detail whose type is not linked in");
  }
  if (call.one_way() || call.deadline() <= now) {
    if (entry != nullptr) cache_.FinishUnanswered(*entry);
    return;
  }
  ResponseOut head = call.ResponseHead(TimeLeft(call.deadline(), now));
  head.status = &answer.status;
  head.metadata = &answer.metadata;
  mqtt::Message message = codec_.EncodeResponse(head, std::move(answer.payload));
  const std::size_t limit = MaximumPacketTo(call);
  if (const std::size_t size = PacketSize(message); size > limit) {
    const Answer instead = AnswerFor(absl::ResourceExhaustedError(absl::StrCat(
                                         "answer is ", size, " bytes; ", limit, " go in one packet, and the caller ",
                                         call.caller_packet.has_value() ? "has no more time" : "takes no fragments")),
                                     call.content_type());
    head.status = &instead.status;
    head.metadata = nullptr;
    message = codec_.EncodeResponse(head, instead.payload);
  }
  if (entry != nullptr) cache_.Finish(*entry, message);
  shell_.SendAnswer(std::move(message));
}

// The handler has ended: what it said goes behind its messages, or in fragments. False: as
// a plain answer.
bool Dispatcher::EndInFrames(ServerCall::State& call, Answer& answer, mqtt::TimePoint now) {
  if (call.one_way() || call.deadline() <= now || call.correlation_data().empty()) return false;
  const bool streams = call.method_info().streams_replies();
  if (!streams) {
    if (answer.status.code != 0 || !call.caller_packet.has_value()) return false;
    if (answer.payload.size() <= RoomTo(call) && answer.metadata.empty()) return false;
    ResponseOut head = call.ResponseHead(milliseconds(1));
    head.metadata = &answer.metadata;
    if (PacketSize(codec_.EncodeResponse(head, "")) + answer.payload.size() <= MaximumPacketTo(call)) return false;
  }
  const auto held = call.shared_from_this();
  const bool is_new = call.frames == nullptr;
  ServerFrames& frames = MakeFrames(call, {}, now);
  // The end carries the status and the metadata, and the reply's last fragment.
  const std::size_t end_size = EndSize(call, answer);
  const std::size_t limit = MaximumPacketTo(call);
  if (end_size + kLeastFragment > limit) {
    answer = AnswerFor(absl::ResourceExhaustedError(absl::StrCat("the call's end is ", end_size, " bytes, most of it ",
                                                                 answer.status.code == 0 ? "metadata" : "details", "; ",
                                                                 limit, " go in one packet")),
                       call.content_type());
    if (!streams) return false;
  }
  if (!streams) frames.sending().set_room(limit - end_size);
  if (is_new || !streams) {
    frames.sending().Grant(kPlainLimit);
    frames.OweAccept();
  }
  if (answer.details_lost) {
    Log(LogLevel::kWarning, "details_lost", call.method(), "JSON cannot say a detail whose type is not linked in");
  }
  call.answered = true;
  if (frames.waiters.reading()) frames.waiters.EndRead(false, Ends());
  frames.receiving().Discard();
  frames.end = std::move(answer);
  frames.Linger(now);
  held_[&call] = held;
  deadlines_.Schedule(call, call.deadline());
  if (streams) {
    frames.sending().End();
  } else {
    frames.sending().EndWith(std::exchange(frames.end->payload, {}));
  }
  Settle(call, now);
  return true;
}

// What the end takes in a packet, without a reply's last fragment.
std::size_t Dispatcher::EndSize(const ServerCall::State& call, const Answer& answer) const {
  ResponseOut head = FrameHead(call);
  head.frame.emplace(Frame::Kind::kEnd, kMaximumSequence);
  head.status = &answer.status;
  head.metadata = &answer.metadata;
  FragmentOut fragment;
  fragment.checksum = 0;
  head.fragment = &fragment;
  const std::size_t payload = answer.status.code == 0 ? 0 : answer.payload.size();
  return PacketSize(codec_.EncodeResponse(head, "")) + payload + 32;
}

// It cannot go on: the caller is gone or does what it must not.
void Dispatcher::Break(ServerCall::State& call, absl::Status why, mqtt::TimePoint now) {
  if (call.answered) return Release(call);
  const auto held = call.shared_from_this();
  SetOutcome(why, call.frames->waits_for_request ? Outcome::kNotExecuted : Outcome::kPerhaps);
  GiveAnswer(call, AnswerFor(why, call.content_type()), now);
  call.Cancel(why);
  Release(call);
}

// Its frames are of no more use; who waits for them is told.
void Dispatcher::EndFrames(ServerCall::State& call) {
  if (call.frames == nullptr) return;
  ServerFrames& frames = *call.frames;
  flows_.Cancel(frames);
  FramePacer::Forget(frames);
  frames.receiving().Discard();
  CountBytes(frames);
  kept_bytes_ -= std::exchange(frames.counted_kept, 0);
  frames.waiters.EndAll(Ends());
}

// Nothing more is to be said to the caller. If no handler holds the call, it goes.
void Dispatcher::Release(ServerCall::State& call) {
  const auto found = held_.find(&call);
  if (found == held_.end()) return;
  const std::shared_ptr<ServerCall::State> held = std::move(found->second);
  held_.erase(found);
  EndFrames(call);
  deadlines_.Cancel(call);
  if (call.entry != nullptr) cache_.FinishUnanswered(*std::exchange(call.entry, nullptr));
  shell_.CallReleased();
}

void Dispatcher::CancelAll(const absl::Status& why, mqtt::TimePoint now) {
  std::vector<std::shared_ptr<ServerCall::State>> calls;
  running_.ForEach([&calls](ServerCall::State& call) {
    if (auto held = call.weak_from_this().lock()) calls.push_back(std::move(held));
  });
  for (const auto& [state, call] : held_) calls.push_back(call);
  for (const auto& call : calls) {
    if (!call->answered && !why.ok()) GiveAnswer(*call, AnswerFor(why, call->content_type()), now);
    call->answered = true;
    if (call->entry != nullptr) cache_.FinishUnanswered(*std::exchange(call->entry, nullptr));
    call->Cancel(why.ok() ? absl::CancelledError("server is gone") : why);
    Release(*call);
  }
}

void Dispatcher::ForgetAll() {
  for (const auto& call : CallsWithFrames()) EndFrames(*call);
  held_.clear();
  while (ServerCall::State* call = running_.front()) Forget(*call);
}

void Dispatcher::Forget(ServerCall::State& call) {
  if (!call.linked()) return;
  LinkedList<ServerCall::State>::Remove(call);
  --running_count_;
  deadlines_.Cancel(call);
}

}  // namespace mqttrpc
