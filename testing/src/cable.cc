#include "cable.h"

#include <algorithm>
#include <map>
#include <utility>

#include "network.h"
#include "packet_text.h"

namespace mqttrpc::testing {
namespace {

// What may wait for a slow or frozen receiver before the sender is not read from any more.
constexpr std::size_t kWindowBytes = std::size_t{64} * 1024;

}  // namespace

// What a lane has yet to do at its far end, in order.
struct Cable::Piece {
  enum class Kind { kBytes, kCut, kFreeze, kClose, kDrop };

  Piece(Kind kind_in, mqtt::TimePoint due_in, std::string bytes_in = {})
      : kind(kind_in), due(due_in), bytes(std::move(bytes_in)) {}

  Kind kind;
  mqtt::TimePoint due;
  std::string bytes;
  bool alone = false;  // Not in one write with what follows.
};

// One end's transport: what is read goes into one lane, what was written came from the other.
struct Cable::End final : mqtt::Transport::Handler {
  End(std::unique_ptr<mqtt::Transport> transport_in, Lane& away_in, Lane& here_in)
      : transport(std::move(transport_in)), away(away_in), here(here_in) {}

  void OnBytes(std::span<const std::byte> bytes) override;
  void OnWritten() override;
  void OnClosed(absl::Status why) override;

  std::unique_ptr<mqtt::Transport> transport;
  Lane& away;
  Lane& here;
};

struct Cable::Lane {
  Lane(Cable& cable_in, Direction direction_in)
      : cable(cable_in),
        direction(direction_in),
        timer(cable_in.network_.clock().NewTimer(cable_in.network_.executor())) {}

  void Read(std::string_view bytes);
  void Take(std::string_view packet);
  void SourceEnds(bool in_order);
  void Pump();
  void UpdateReading();

  // Nobody is at the far end any more.
  bool leads_nowhere() const { return destination->transport == nullptr; }
  bool frozen() const { return !leads_nowhere() && cable.network_.frozen(cable.client_, direction); }
  mqtt::TimePoint now() const { return cable.network_.Now(); }
  void Add(Piece piece);
  void Record(RecordedPacket packet, std::string note);

  Cable& cable;
  const Direction direction;
  End* source = nullptr;
  End* destination = nullptr;

  void ResolveAlias(RecordedPacket& packet);

  std::string unparsed;
  std::map<std::uint16_t, std::string> aliases;  // Topic Aliases that were introduced.
  bool doomed = false;                           // A cut is on its way: what is sent now is lost.
  bool passes_through = false;                   // It is no MQTT: bytes go as they come.
  std::string swapped;                           // Waits for the next packet to overtake it.
  std::deque<Piece> queue;
  std::size_t queued_bytes = 0;
  mqtt::TimePoint last_due{};
  std::string writing;
  bool busy = false;  // Until OnWritten().
  bool paused = false;
  std::unique_ptr<mqtt::Timer> timer;
};

void Cable::End::OnBytes(std::span<const std::byte> bytes) {
  away.Read(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void Cable::End::OnWritten() {
  here.busy = false;
  here.Pump();
}

void Cable::End::OnClosed(absl::Status why) { away.SourceEnds(why.ok()); }

void Cable::Lane::Read(std::string_view bytes) {
  unparsed.append(bytes);
  std::size_t used = 0;
  while (!passes_through && !cable.over_) {
    const std::string_view rest = std::string_view(unparsed).substr(used);
    const std::size_t size = FirstPacketSize(rest);
    if (size == 0) break;
    if (size == std::string_view::npos) {
      passes_through = true;
      break;
    }
    Take(rest.substr(0, size));
    used += size;
  }
  unparsed.erase(0, used);
  if (passes_through && !unparsed.empty()) {
    Record(ReadPacket(unparsed, direction), "");
    Add(Piece(Piece::Kind::kBytes, now(), std::exchange(unparsed, {})));
  }
  Pump();
}

void Cable::Lane::Take(std::string_view bytes) {
  RecordedPacket packet = ReadPacket(bytes, direction, cable.protocol_version_);
  if (packet.kind == PacketKind::kConnect && !packet.malformed) cable.protocol_version_ = packet.protocol_version;
  packet.client = cable.client_;
  packet.connection = cable.number_;
  ResolveAlias(packet);
  if (doomed) return Record(std::move(packet), "lost: cut before it");
  const Verdict verdict = cable.network_.rules().Judge(packet);
  const mqtt::TimePoint due = now() + verdict.delay;
  const std::string sent = verdict.drop ? std::string() : verdict.replaced.value_or(packet.bytes);
  Record(std::move(packet), verdict.note);
  doomed = verdict.cut_before || verdict.cut_after;
  if (verdict.cut_before) return Add(Piece(Piece::Kind::kCut, due));
  if (verdict.swap_with_next && swapped.empty()) {
    swapped = sent;
    return;
  }
  for (int copy = 0; copy < verdict.copies && !sent.empty(); ++copy) {
    const std::size_t split = std::min(verdict.split_at.value_or(0), sent.size());
    if (split > 0) {
      Piece first(Piece::Kind::kBytes, due, sent.substr(0, split));
      first.alone = true;
      Add(std::move(first));
    }
    if (split < sent.size()) Add(Piece(Piece::Kind::kBytes, due + verdict.split_gap, sent.substr(split)));
  }
  if (!swapped.empty()) Add(Piece(Piece::Kind::kBytes, due, std::exchange(swapped, {})));
  if (verdict.freeze_after) Add(Piece(Piece::Kind::kFreeze, due));
  if (verdict.cut_after) Add(Piece(Piece::Kind::kCut, due));
}

void Cable::Lane::ResolveAlias(RecordedPacket& packet) {
  const auto alias = packet.properties.view().Get(mqtt::property::kTopicAlias);
  if (packet.kind != PacketKind::kPublish || !alias.has_value()) return;
  if (packet.topic_omitted) {
    packet.topic_name = aliases[*alias];
  } else {
    aliases[*alias] = packet.topic_name;
  }
}

void Cable::Lane::Record(RecordedPacket packet, std::string note) {
  packet.client = cable.client_;
  packet.connection = cable.number_;
  packet.fault = std::move(note);
  cable.network_.Record(std::move(packet));
}

void Cable::Lane::SourceEnds(bool in_order) {
  const std::string_view who = direction == Direction::kToBroker ? "client" : "broker";
  cable.network_.Record(cable.client_, cable.number_, (in_order ? "closed by " : "dropped by ") + std::string(who));
  if (!swapped.empty()) Add(Piece(Piece::Kind::kBytes, now(), std::exchange(swapped, {})));
  if (!unparsed.empty()) {
    Record(ReadPacket(unparsed, direction), "");  // Half a packet.
    Add(Piece(Piece::Kind::kBytes, now(), std::exchange(unparsed, {})));
  }
  Add(Piece(in_order ? Piece::Kind::kClose : Piece::Kind::kDrop, now()));
  Pump();
}

// Nothing overtakes anything: what is held holds up what is behind it.
void Cable::Lane::Add(Piece piece) {
  piece.due = std::max(last_due, piece.due + cable.network_.latency(cable.client_, direction));
  last_due = piece.due;
  queued_bytes += piece.bytes.size();
  queue.push_back(std::move(piece));
}

void Cable::Lane::Pump() {
  while (!cable.over_ && !busy && !queue.empty() && !frozen()) {
    Piece& first = queue.front();
    if (first.due > now()) {
      timer->Arm(first.due, [this] { Pump(); });
      break;
    }
    const Piece::Kind kind = first.kind;
    if (kind != Piece::Kind::kBytes) {
      queue.pop_front();
      if (kind == Piece::Kind::kFreeze) cable.network_.SetFrozen(cable.client_, direction, true);
      if (kind == Piece::Kind::kCut) return cable.Cut("cut");
      if (kind == Piece::Kind::kDrop) return cable.Finish("over");
      if (kind == Piece::Kind::kClose) {
        if (!leads_nowhere()) destination->transport->Close();
        return cable.Finish("over");
      }
      continue;
    }
    writing.clear();
    for (bool more = true; more && !queue.empty();) {
      Piece& next = queue.front();
      if (next.kind != Piece::Kind::kBytes || next.due > now()) break;
      writing += next.bytes;
      more = !next.alone;
      queue.pop_front();
    }
    queued_bytes -= writing.size();
    if (leads_nowhere()) continue;
    const auto piece = std::as_bytes(std::span(writing));
    busy = !destination->transport->Write(std::span(&piece, 1));
  }
  UpdateReading();
}

void Cable::Lane::UpdateReading() {
  if (cable.over_ || source->transport == nullptr) return;
  const bool pause = (busy || frozen()) && queued_bytes > kWindowBytes;
  if (pause == paused) return;
  paused = pause;
  if (pause) {
    source->transport->PauseReading();
  } else {
    source->transport->ResumeReading();
  }
}

Cable::Cable(Network& network, std::string client, std::uint64_t number, std::unique_ptr<mqtt::Transport> client_end,
             std::unique_ptr<mqtt::Transport> broker_end)
    : network_(network),
      client_(std::move(client)),
      number_(number),
      to_broker_(std::make_unique<Lane>(*this, Direction::kToBroker)),
      to_client_(std::make_unique<Lane>(*this, Direction::kToClient)),
      client_end_(std::make_unique<End>(std::move(client_end), *to_broker_, *to_client_)),
      broker_end_(std::make_unique<End>(std::move(broker_end), *to_client_, *to_broker_)) {
  to_broker_->source = to_client_->destination = client_end_.get();
  to_broker_->destination = to_client_->source = broker_end_.get();
  network_.Record(client_, number_, "connected");
  client_end_->transport->Start(*client_end_);
  broker_end_->transport->Start(*broker_end_);
  Pump();
}

Cable::~Cable() = default;

void Cable::Cut(std::string_view why) {
  if (!over_) Finish(why);
}

void Cable::LoseClient() {
  if (over_ || client_end_->transport == nullptr) return;
  network_.Record(client_, number_, "lost by client; the broker is not told");
  client_end_->transport = nullptr;
  to_broker_->queue.clear();
  to_broker_->timer->Disarm();
  to_client_->busy = false;
  to_client_->Pump();
}

// The callers stand in a callback of a transport that this destroys, and return.
void Cable::Finish(std::string_view what) {
  over_ = true;
  to_broker_->timer->Disarm();
  to_client_->timer->Disarm();
  client_end_->transport = nullptr;
  broker_end_->transport = nullptr;
  network_.Record(client_, number_, what);
  network_.DropFinished();
}

void Cable::Pump() {
  to_broker_->Pump();
  if (!over_) to_client_->Pump();
}

}  // namespace mqttrpc::testing
