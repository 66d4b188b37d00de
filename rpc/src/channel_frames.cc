// The calling side of calls that are more than a plain request and a plain answer.
#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>
#include <asio/post.hpp>

#include "channel_impl.h"
#include "mqttrpc/mqtt/status.h"
#include "names.h"
#include "packet_size.h"
#include "payload.h"
#include "refused.h"

namespace mqttrpc {

using mqtt::ReasonCode;
using mqtt::ToStd;
using std::chrono::milliseconds;

namespace {

// An opening frame is sent before anyone has said how much the responder takes.
constexpr std::size_t kFirstFragmentPacket = 16 * 1024;

}  // namespace

// --- Opening

bool Channel::Impl::NeedsFragments(const ChannelCall& call, const RequestOut& head) const {
  if (call.frames != nullptr && call.frames->sending().frames_sent() > 0) return true;  // As before.
  if (call.one_way()) return false;
  const std::size_t limit = std::min(broker_maximum_packet_, options_.fragment_above);
  constexpr std::size_t kUsualHead = 1024;
  if (call.payload.size() + kUsualHead <= limit && call.options.metadata.empty()) return false;
  return PacketSize(codec_.EncodeRequest(head, "")) + call.payload.size() + kUsualHead > limit;
}

void Channel::Impl::MakeFrames(ChannelCall& call, std::string_view instance) {
  if (call.frames != nullptr) return;
  FlowOptions flow;
  flow.caller = true;
  const bool may_lose = call.streams() && call.method->qos == mqtt::QoS::kAtMostOnce;
  flow.sends_reliably = !(may_lose && call.method->streams_requests());
  flow.receives_reliably = !(may_lose && call.method->streams_replies());
  flow.opens_with_message = !call.method->streams_requests();
  flow.limits = options_.limits;
  flow.idle = options_.ping_interval;
  call.frames = std::make_unique<ClientFrames>(call, flow, Now());
  call.frames->instance = std::string(instance);
  call.frames->sending().set_room(LaterRoom(*call.frames));
}

// Returns the opening frame's payload.
std::string Channel::Impl::OpenFrames(ChannelCall& call, RequestOut& head) {
  MakeFrames(call, IsGroupTarget(call.target) ? "" : call.target);
  ClientFrames& frames = *call.frames;
  SendFlow& sending = frames.sending();
  const bool first = sending.frames_sent() == 0 && !sending.blocked();
  head.maximum_packet = options_.limits.frame_bytes;
  head.accept = options_.accept_timeout;
  head.idle = options_.ping_interval;
  head.frame.emplace(Frame::Kind::kOpen, frames.receiving().Grant());
  head.frame->empty = call.method->streams_requests();
  std::string payload;
  if (!head.frame->empty) {
    if (first) {
      const std::size_t size = PacketSize(codec_.EncodeRequest(head, ""));
      const std::size_t whole = std::min(broker_maximum_packet_, options_.fragment_above);
      const bool fits = size + call.payload.size() + 64 <= whole;
      sending.set_room(fits ? std::max<std::size_t>(call.payload.size(), 1)
                            : FragmentRoom(std::min(whole, kFirstFragmentPacket), size));
      sending.Write(std::exchange(call.payload, {}));
      sending.Grant(1);
    } else {
      sending.Rewind();
    }
    const FragmentOut fragment = sending.Take();
    head.frame->more = fragment.more;
    head.length = fragment.length;
    payload = std::string(fragment.payload());
  }
  // The responder counts from the request's arrival; it is given the way there and back.
  frames.Opened(Now(), options_.accept_timeout + kAcceptGrace);
  frames.ScheduleIn(flows_);
  return payload;
}

// --- Arrivals

void Channel::Impl::LateAnswer(const ResponseIn& response) {
  // It works for nobody: our end of the call is over.
  const bool at_work = response.frame.has_value() &&
                       (response.frame->kind == Frame::Kind::kAccept || response.frame->kind == Frame::Kind::kWindow);
  if (at_work && response.correlation_data.size() == sizeof(CallId)) {
    SendCancelTo(response.instance, response.correlation_data);
  }
  Debug("answer_dropped", "late, or of no call of ours");
}

// Of a pool two may have got the request. The first to say a word is the one.
bool Channel::Impl::IsFromOurs(ChannelCall& call, const ResponseIn& response) {
  if (call.frames == nullptr || response.instance.empty() || call.frames->instance.empty()) return true;
  if (call.frames->instance == response.instance) return true;
  if (response.frame.has_value() && response.frame->kind == Frame::Kind::kAccept) {
    SendCancelTo(response.instance, response.correlation_data);
  }
  Debug("answer_dropped", "from another instance than the one that serves the call");
  return false;
}

void Channel::Impl::FrameArrived(ChannelCall& call, ResponseIn& response, std::string_view payload) {
  if (!IsFromOurs(call, response)) return;
  MakeFrames(call, "");
  absl::Status status = response.broken;
  if (status.ok()) {
    status = TakeFrame(call, response, payload);
  } else {
    status = absl::InternalError(status.message());
  }
  if (!status.ok()) return Break(call, status);
  if (call.accepted()) table_.Accepted(call);
  Settle(call);
  if (call.frames->receiving().complete()) EndArrived(call);
}

absl::Status Channel::Impl::TakeFrame(ChannelCall& call, ResponseIn& response, std::string_view payload) {
  ClientFrames& frames = *call.frames;
  const Frame& frame = *response.frame;
  if (frames.instance.empty() && IsId(response.instance)) frames.instance = std::string(response.instance);
  if (frame.kind == Frame::Kind::kAccept) {
    const std::string_view instance = codec_.InstanceOf(response.later_topic, caller_);
    if (instance.empty() || (!frames.instance.empty() && frames.instance != instance)) {
      return absl::InternalError("the responder's rpc-to is not its topic for our frames");
    }
    frames.instance = std::string(instance);
    call.later_topic = std::string(response.later_topic);
    frames.maximum_packet = std::max(response.maximum_packet.value_or(kFirstFragmentPacket), kLeastPacket);
    frames.sending().set_room(LaterRoom(frames));
    frames.Heard(Now());
    frames.Accepted(frame.number);
    return absl::OkStatus();
  }
  if (frames.instance.empty()) return absl::InternalError("the responder does not say who it is");
  frames.Heard(Now());
  if (frames.maximum_packet == 0 && (frame.kind == Frame::Kind::kWindow || call.method->streams_requests())) {
    // Its accept is lost, and we do not know what it takes.
    frames.sending().set_room(LaterRoom(frames));
    if (!std::exchange(frames.asked_for_accept, true)) frames.AskAgain();
  }
  ReceiveFlow& receiving = frames.receiving();
  const bool first = receiving.next() == 0 && response.fragment.sequence == 0;
  switch (frame.kind) {
    case Frame::Kind::kMessage:
      if (first) TakeInfo(call, response);
      if (frames.waiters.reading()) {
        if (const auto whole = receiving.PassThrough(response.fragment)) return ReadDone(call, *whole);
      }
      if (absl::Status status = frames.Message(response.fragment, Now()); !status.ok()) return status;
      return Deliver(call);
    case Frame::Kind::kEnd: {
      if (receiving.has_end()) return absl::OkStatus();
      TakeInfo(call, response);
      const bool failed = response.status.code != 0;
      if (failed) {
        frames.remote_end = StatusOfAnswer(call, response, payload);
        response.fragment.payload = {};
      } else {
        frames.remote_end = absl::OkStatus();
      }
      if (absl::Status status = frames.End(response.fragment, !failed && call.reply != nullptr, Now()); !status.ok()) {
        return status;
      }
      return Deliver(call);
    }
    default: return frames.Control(frame, Now());
  }
}

// Gives what has come to whoever waits for it.
absl::Status Channel::Impl::Deliver(ChannelCall& call) {
  ClientFrames& frames = *call.frames;
  if (call.reply != nullptr) {  // The one reply is put together as it comes.
    if (frames.remote_end.has_value() && !frames.remote_end->ok()) return absl::OkStatus();
    absl::StatusOr<std::optional<std::string>> message = frames.receiving().TakeMessage();
    frames.Taken();
    if (!message.ok()) return message.status();
    if (!message->has_value()) return absl::OkStatus();
    if (!frames.receiving().over()) return absl::InternalError("the reply came before the end");
    if (absl::Status status = ReadPayload(**message, call.options.content_type, *call.reply); !status.ok()) {
      frames.remote_end = BadReply(call, ToStd(status.message()));
    }
    return absl::OkStatus();
  }
  if (!frames.waiters.reading()) {
    frames.Taken();  // What is thrown away makes room too.
    return absl::OkStatus();
  }
  absl::StatusOr<std::optional<std::string>> message = frames.receiving().TakeMessage();
  frames.Taken();  // The fragments of one that is not whole yet make room as well.
  if (!message.ok()) return message.status();
  call.lost.store(frames.receiving().lost(), std::memory_order_relaxed);
  if (message->has_value()) return ReadDone(call, **message);
  if (frames.receiving().over()) frames.waiters.EndRead(false, Ends());
  return absl::OkStatus();
}

absl::Status Channel::Impl::ReadDone(ChannelCall& call, std::string_view payload) {
  ClientFrames& frames = *call.frames;
  frames.Taken();
  if (absl::Status status = ReadPayload(payload, call.options.content_type, frames.waiters.message()); !status.ok()) {
    return absl::InternalError(absl::StrCat("a reply does not parse: ", status.message()));
  }
  frames.waiters.EndRead(true, Ends());
  return absl::OkStatus();
}

// All that the responder sent is here.
void Channel::Impl::EndArrived(ChannelCall& call) {
  ClientFrames& frames = *call.frames;
  if (!frames.remote_end.has_value() || call.phase == PendingCall::Phase::kDone) return;
  Frame last(Frame::Kind::kWindow, frames.receiving().next());
  last.limit = std::max(frames.receiving().granted(), last.number);
  SendLater(call, last, nullptr);
  table_.Answered(call, *frames.remote_end);
}

// --- Sending

std::size_t Channel::Impl::LaterRoom(const ClientFrames& frames) const {
  const std::size_t packet =
      std::min(broker_maximum_packet_, frames.maximum_packet == 0 ? kLeastPacket : frames.maximum_packet);
  return FragmentRoom(packet, options_.name_space.size() + frames.instance.size() + caller_.size() +
                                  response_topic_.size() + sizeof(CallId));
}

// A cancellation, unless its frame is set.
LaterOut Channel::Impl::LaterHead(std::string_view instance, std::string_view correlation_data) const {
  LaterOut later;
  later.instance = instance;
  later.caller = caller_;
  later.response_topic = response_topic_;
  later.correlation_data = correlation_data;
  later.expiry = 3 * options_.ping_interval;  // What is not delivered by then has nobody to go to.
  return later;
}

void Channel::Impl::SendLater(ChannelCall& call, const Frame& frame, const FragmentOut* fragment) {
  if (bus_ == nullptr) return;
  LaterOut later = LaterHead(call.frames->instance, call.correlation_data());
  const bool may_be_lost = call.method->streams_requests() && fragment != nullptr && !fragment->end;
  later.qos = may_be_lost ? call.method->qos : mqtt::QoS::kAtLeastOnce;
  later.frame = frame;
  later.fragment = fragment;
  mqtt::Message message = codec_.EncodeLater(later);
  if (fragment == nullptr) return bus_->Publish(std::move(message), [](const absl::StatusOr<ReasonCode>&) {});
  auto sent = [weak = weak_from_this(), size = fragment->size,
               held = std::static_pointer_cast<ChannelCall>(call.shared_from_this())](
                  const absl::StatusOr<ReasonCode>& result) {
    const auto self = weak.lock();
    if (self == nullptr) return;
    const Turn turn(*self);
    self->pacer_.Sent(size);
    if (IsRefusedForNow(result.status()) && held->frames != nullptr && held->phase == PendingCall::Phase::kSent) {
      self->Debug("frame_not_taken", ToStd(result.status().message()));
      held->frames->SendAgainLater(self->Now());
      held->frames->ScheduleIn(self->flows_);
      self->ArmTimer();
    }
    if (IsRefusedForGood(result.status())) self->table_.GiveUp(*held, result.status());
  };
  bus_->Publish(std::move(message), mqtt::Completion<absl::StatusOr<ReasonCode>>(std::move(sent)));
}

void Channel::Impl::SendFragment(CallFlow& flow) {
  ChannelCall& call = static_cast<ClientFrames&>(flow).call;
  const FragmentOut fragment = flow.sending().Take();
  Frame frame(fragment.end ? Frame::Kind::kEnd : Frame::Kind::kMessage, fragment.sequence);
  frame.more = fragment.more;
  SendLater(call, frame, &fragment);
}

void Channel::Impl::SendCancelTo(std::string_view instance, std::string_view correlation_data) {
  if (bus_ == nullptr || !IsId(instance)) return;
  bus_->Publish(codec_.EncodeLater(LaterHead(instance, correlation_data)), [](const absl::StatusOr<ReasonCode>&) {});
}

// After anything that may have changed what a call owes, or whom it lets go on.
void Channel::Impl::Settle(ChannelCall& call) {
  if (call.frames == nullptr || call.phase == PendingCall::Phase::kDone) return;
  if (call.phase == PendingCall::Phase::kBackingOff) return;
  ClientFrames& frames = *call.frames;
  frames.waiters.WritesAreCut(frames.sending().messages_cut(), Ends());
  frames.Written(Now());
  call.lost.store(frames.receiving().lost(), std::memory_order_relaxed);
  // Never ahead of the opening frame: nobody would know the call.
  if (!frames.instance.empty() && call.phase == PendingCall::Phase::kSent) {
    while (const std::optional<Frame> frame = frames.TakeControl()) SendLater(call, *frame, nullptr);
  }
  pacer_.Wake(frames);
  if (call.phase != PendingCall::Phase::kDone) frames.ScheduleIn(flows_);  // Sending may have ended it.
}

void Channel::Impl::FlowsAreDue(mqtt::TimePoint now) {
  while (mqtt::DeadlineQueue::Entry* due = flows_.PopDue(now)) {
    ClientFrames& frames = static_cast<ClientFrames&>(*due);
    const auto call = std::static_pointer_cast<ChannelCall>(frames.call.shared_from_this());
    if (call->phase == PendingCall::Phase::kBackingOff) continue;  // Its next attempt begins anew.
    if (absl::Status status = frames.TimeIs(now); !status.ok()) {
      Break(*call, status);
    } else {
      Settle(*call);
    }
  }
}

void Channel::Impl::ResumeFlows(bool session_present) {
  for (const std::shared_ptr<PendingCall>& each : table_.AllCalls()) {
    auto& call = static_cast<ChannelCall&>(*each);
    if (call.frames == nullptr || call.phase != PendingCall::Phase::kSent) continue;
    call.frames->Connected(session_present, Now());
    Settle(call);
  }
}

void Channel::Impl::FlowsDisconnected() {
  for (const std::shared_ptr<PendingCall>& each : table_.AllCalls()) {
    auto& call = static_cast<ChannelCall&>(*each);
    if (call.frames == nullptr) continue;
    call.frames->Disconnected(Now());
    call.frames->ScheduleIn(flows_);
  }
}

// --- The end

// It cannot go on: the responder is gone or does what it must not, or we cannot say what we have to.
void Channel::Impl::Break(ChannelCall& call, const absl::Status& why) {
  table_.GiveUp(call, absl::Status(why.code(), absl::StrCat(call.Name(), ": ", why.message())));
}

void Channel::Impl::EndFrames(ChannelCall& call) {
  ClientFrames& frames = *call.frames;
  flows_.Cancel(frames);
  FramePacer::Forget(frames);
  // What the responder sent before its end may still be read.
  if (!frames.receiving().complete()) frames.receiving().Discard();
  frames.waiters.EndAll(Ends());
}

void Channel::Impl::TellEnd(ChannelCall& call) {
  if (!call.ended.has_value() || !call.done) return;
  if (call.options.info != nullptr) *call.options.info = call.info;
  End(call, *call.ended);
}

// --- What a stream's user wants

void Channel::Impl::Read(ChannelCall& call, google::protobuf::Message& message, mqtt::Completion<bool> done,
                         std::uint64_t number) {
  const Turn turn(*this);
  const StepQueue::Beginning beginning(steps_);
  // One at a time, and none after Finish().
  if (call.frames == nullptr || call.finished || call.frames->waiters.reading() || !call.method->streams_replies()) {
    return steps_.Add(std::move(done), false);
  }
  ClientFrames& frames = *call.frames;
  frames.waiters.BeginRead(message, std::move(done), number);
  if (absl::Status status = Deliver(call); !status.ok()) {
    Break(call, status);
    // The end had come: what stood before it cannot be had all the same.
    if (call.ended->ok()) {
      call.ended = WithOutcome(absl::Status(status.code(), absl::StrCat(call.Name(), ": ", status.message())),
                               Outcome::kExecuted);
    }
  }
  if (call.ended.has_value() && frames.waiters.reading()) frames.waiters.EndRead(false, Ends());
  frames.Taken();
  Settle(call);
  ArmTimer();
}

void Channel::Impl::CancelRead(ChannelCall& call, std::uint64_t number) {
  const Turn turn(*this);
  if (call.frames != nullptr) call.frames->waiters.CancelRead(number, Ends());
}

void Channel::Impl::Write(ChannelCall& call, WrittenMessage message, mqtt::Completion<bool> done) {
  const Turn turn(*this);
  const StepQueue::Beginning beginning(steps_);
  if (call.ended.has_value() || call.frames == nullptr || call.writes_done || !call.method->streams_requests()) {
    return steps_.Add(std::move(done), false);
  }
  if (!message.status.ok()) {
    Break(call, message.status);
    return steps_.Add(std::move(done), false);
  }
  call.frames->waiters.BeginWrite(std::move(done));
  call.frames->sending().Write(std::move(message.payload));
  Settle(call);
  ArmTimer();
}

void Channel::Impl::WritesDone(ChannelCall& call) {
  const Turn turn(*this);
  if (call.ended.has_value() || call.frames == nullptr || !call.method->streams_requests()) return;
  if (std::exchange(call.writes_done, true)) return;
  call.frames->sending().End();
  Settle(call);
}

void Channel::Impl::Finish(ChannelCall& call, mqtt::Completion<absl::Status> done) {
  const Turn turn(*this);
  const StepQueue::Beginning beginning(steps_);
  if (std::exchange(call.finished, true)) {
    return asio::post(executor_, [done = std::move(done)]() mutable {
      done(absl::FailedPreconditionError("Finish() was called before"));
    });
  }
  call.done = std::move(done);
  if (call.ended.has_value()) return TellEnd(call);
  if (call.reply == nullptr) {
    call.frames->receiving().Discard();
    call.frames->Taken();
  }
  Settle(call);
  if (call.frames->receiving().complete()) EndArrived(call);
  ArmTimer();
}

}  // namespace mqttrpc
