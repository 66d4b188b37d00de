#include "load/connection.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "report/sample.h"

namespace bench {
namespace {

// As much of a packet as anybody looks at. Of a larger one only this is kept.
constexpr std::size_t kHeadBytes = 4096;

std::string Hex(char code) {
  char text[8];
  std::snprintf(text, sizeof(text), "0x%02X", static_cast<unsigned>(static_cast<unsigned char>(code)));
  return text;
}

bool Refuses(char code) { return static_cast<unsigned char>(code) >= 0x80; }

int Dial(std::uint16_t port) {
  const int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int yes = 1;
  if (file < 0 || connect(file, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) != 0 || fcntl(file, F_SETFL, O_NONBLOCK) != 0) {
    const std::string why = std::strerror(errno);
    if (file >= 0) close(file);
    throw Void("connecting to the broker: " + why);
  }
  return file;
}

}  // namespace

Connection::Connection(Loop& loop, std::uint16_t port, std::string_view client_id, Handler& handler, std::size_t number)
    : loop_(loop), handler_(handler), number_(number), file_(Dial(port)) {
  loop_.Add(*this, file_);
  AppendConnect(out_, client_id);
  Changed();
}

Connection::~Connection() {
  loop_.Remove(*this, file_);
  close(file_);
}

void Connection::Subscribe(std::span<const std::string> topic_filters, std::uint8_t qos) {
  AppendSubscribe(out_, 1, topic_filters, qos);  // One at a time, and never beside a PUBLISH: the id is free.
  Changed();
}

void Connection::Publish(const PublishFields& publish) {
  if (publish.qos > 0) {
    ++unacknowledged_;
    if (++last_packet_id_ == 0) ++last_packet_id_;
  }
  AppendPublish(out_, publish, last_packet_id_);
  Changed();
}

void Connection::Changed() {
  if (dirty_ || blocked_) return;
  dirty_ = true;
  loop_.WriteLater(*this);
}

void Connection::WriteSome() {
  dirty_ = false;
  while (written_ < out_.size()) {
    const ssize_t size = send(file_, out_.data() + written_, out_.size() - written_, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) {
      if (!blocked_) loop_.WatchWriting(*this, file_, true);
      blocked_ = true;
      return;
    }
    if (size < 0) throw Void("the broker has closed a connection");
    written_ += static_cast<std::size_t>(size);
  }
  out_.clear();
  if (out_.capacity() > kHeadBytes * 16) out_.shrink_to_fit();
  written_ = 0;
  if (blocked_) loop_.WatchWriting(*this, file_, false);
  blocked_ = false;
}

void Connection::ReadSome() {
  std::vector<char>& buffer = loop_.read_buffer();
  const ssize_t size = recv(file_, buffer.data(), buffer.size(), 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) throw Void("the broker has closed a connection");
  Take(std::string_view(buffer.data(), static_cast<std::size_t>(size)));
}

void Connection::Take(std::string_view bytes) {
  if (rest_bytes_ > 0 || in_.empty()) return Cut(bytes);
  in_.append(bytes);
  const std::string joined = std::move(in_);
  in_.clear();
  Cut(joined);
}

void Connection::Cut(std::string_view bytes) {
  while (!bytes.empty()) {
    if (rest_bytes_ > 0) {
      const std::size_t skipped = std::min(rest_bytes_, bytes.size());
      rest_bytes_ -= skipped;
      bytes.remove_prefix(skipped);
      if (rest_bytes_ > 0) return;
      Handle(ReadPacket(in_));
      in_.clear();
      continue;
    }
    const std::size_t size = PacketSize(bytes);
    if (size > 0 && size <= bytes.size()) {
      Handle(ReadPacket(bytes.substr(0, size)));
      bytes.remove_prefix(size);
      continue;
    }
    if (size > 0 && bytes.size() >= kHeadBytes) {
      rest_bytes_ = size - bytes.size();
      bytes = bytes.substr(0, kHeadBytes);
    }
    in_.assign(bytes);
    return;
  }
}

void Connection::Handle(const Packet& packet) {
  switch (packet.type()) {
    case Type::kPublish: return HandlePublish(packet);
    case Type::kPubRec:
      if (packet.body.size() > 2 && Refuses(packet.body[2])) throw Void("PUBREC " + Hex(packet.body[2]));
      AppendAcknowledgement(out_, Type::kPubRel, ReadU16(packet.body));
      return Changed();
    case Type::kPubRel: AppendAcknowledgement(out_, Type::kPubComp, ReadU16(packet.body)); return Changed();
    case Type::kPubAck:
    case Type::kPubComp:
      if (packet.body.size() > 2 && Refuses(packet.body[2])) throw Void("PUBACK or PUBCOMP " + Hex(packet.body[2]));
      --unacknowledged_;
      return handler_.OnAcknowledged(*this);
    case Type::kConnAck:
      if (Refuses(packet.body[1])) throw Void("CONNACK " + Hex(packet.body[1]));
      connected_ = true;
      return;
    case Type::kSubAck: return HandleSubAck(packet.body);
    case Type::kDisconnect: throw Void("DISCONNECT " + Hex(packet.body.empty() ? '\0' : packet.body[0]));
  }
  throw Void("a packet that nobody expects: " + Hex(static_cast<char>(packet.first_byte)));
}

void Connection::HandlePublish(const Packet& packet) {
  const Arrival arrival = ReadPublish(packet);
  if (arrival.qos > 0) {
    AppendAcknowledgement(out_, arrival.qos == 1 ? Type::kPubAck : Type::kPubRec, arrival.packet_id);
    Changed();
  }
  handler_.OnPublish(*this, arrival);
}

// Packet id, properties whose length fits one byte with either broker, Reason Codes (3.9).
void Connection::HandleSubAck(std::string_view body) {
  const std::size_t codes = 3 + static_cast<unsigned char>(body[2]);
  for (const char code : body.substr(codes)) {
    if (Refuses(code)) throw Void("SUBACK " + Hex(code));
    ++granted_;
  }
}

}  // namespace bench
