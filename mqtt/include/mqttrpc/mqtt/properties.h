// The 27 properties of MQTT 5.0 (2.2.2), typed, in the order they travel.
//
//   Properties properties;
//   properties.Set(property::kResponseTopic, "rpc1/r/me/1");
//   properties.Add(property::kUserProperty, {"color", "red"});
//   if (auto topic = properties.Get(property::kResponseTopic)) ...
//
// A set of properties is kept as its wire bytes: reading is a short scan,
// forwarding is a copy, and the order of user properties holds by itself.
//
// All classes here are values: several threads may read the same one at a time, or one may
// change it. None of their functions fails; what a packet may not carry is refused when it
// is encoded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace mqttrpc::mqtt {

// A property's number on the wire (table 2-4 of the specification, which also says in
// which packets each may stand).
enum class PropertyId : std::uint8_t {
  kPayloadFormatIndicator = 0x01,
  kMessageExpiryInterval = 0x02,
  kContentType = 0x03,
  kResponseTopic = 0x08,
  kCorrelationData = 0x09,
  kSubscriptionIdentifier = 0x0B,
  kSessionExpiryInterval = 0x11,
  kAssignedClientIdentifier = 0x12,
  kServerKeepAlive = 0x13,
  kAuthenticationMethod = 0x15,
  kAuthenticationData = 0x16,
  kRequestProblemInformation = 0x17,
  kWillDelayInterval = 0x18,
  kRequestResponseInformation = 0x19,
  kResponseInformation = 0x1A,
  kServerReference = 0x1C,
  kReasonString = 0x1F,
  kReceiveMaximum = 0x21,
  kTopicAliasMaximum = 0x22,
  kTopicAlias = 0x23,
  kMaximumQoS = 0x24,
  kRetainAvailable = 0x25,
  kUserProperty = 0x26,
  kMaximumPacketSize = 0x27,
  kWildcardSubscriptionAvailable = 0x28,
  kSubscriptionIdentifierAvailable = 0x29,
  kSharedSubscriptionAvailable = 0x2A,
};

// A name and a value, both UTF-8, each at most 65,535 bytes. Points into the
// properties it was read from.
struct UserPropertyView {
  std::string_view name;
  std::string_view value;
  bool operator==(const UserPropertyView&) const = default;
};

// A property's identifier together with the type of its value, so that Get() and Set()
// take and give nothing else. std::string_view stands for UTF-8 text, or for bytes
// where it says so.
template <typename T>
struct Property {
  PropertyId id;
};

// The properties by name. Values of one byte are 0 or 1. Text and bytes have at most
// 65,535 bytes. All may stand once in a packet, but for kUserProperty and, in a PUBLISH
// from a broker, kSubscriptionIdentifier.
namespace property {
// PUBLISH, will: 1: the payload is UTF-8 text (3.3.2.3.2).
inline constexpr Property<std::uint8_t> kPayloadFormatIndicator{PropertyId::kPayloadFormatIndicator};
// PUBLISH, will: how long the message is worth delivering; on arrival, what is left of that.
inline constexpr Property<std::uint32_t> kMessageExpiryInterval{PropertyId::kMessageExpiryInterval};  // seconds
// PUBLISH, will: what the payload is, such as a MIME type; the publisher and the receiver agree on it.
inline constexpr Property<std::string_view> kContentType{PropertyId::kContentType};
// PUBLISH, will: makes it a request, to be answered there (4.10).
inline constexpr Property<std::string_view> kResponseTopic{PropertyId::kResponseTopic};
// PUBLISH, will: what the answer repeats, so that the requester knows which it is for.
inline constexpr Property<std::string_view> kCorrelationData{PropertyId::kCorrelationData};  // bytes
// SUBSCRIBE: a number for the subscription. PUBLISH from a broker: those of all that matched.
inline constexpr Property<std::uint32_t> kSubscriptionIdentifier{PropertyId::kSubscriptionIdentifier};  // 1-268,435,455
// CONNECT, CONNACK, DISCONNECT: how long the session outlives the connection; 0xFFFFFFFF: for ever.
inline constexpr Property<std::uint32_t> kSessionExpiryInterval{PropertyId::kSessionExpiryInterval};  // seconds
// CONNACK: the client id the broker has chosen, for a client that had none.
inline constexpr Property<std::string_view> kAssignedClientIdentifier{PropertyId::kAssignedClientIdentifier};
// CONNACK: to be used in the place of CONNECT's Keep Alive.
inline constexpr Property<std::uint16_t> kServerKeepAlive{PropertyId::kServerKeepAlive};  // seconds
// CONNECT, CONNACK, AUTH: the name of the exchange, e.g. "SCRAM-SHA-256" (4.12).
inline constexpr Property<std::string_view> kAuthenticationMethod{PropertyId::kAuthenticationMethod};
// The same: what this step of it says.
inline constexpr Property<std::string_view> kAuthenticationData{PropertyId::kAuthenticationData};  // bytes
// CONNECT: 0: no Reason Strings wanted but where a failure needs one; 1 unless said.
inline constexpr Property<std::uint8_t> kRequestProblemInformation{PropertyId::kRequestProblemInformation};
// Will: how long the broker waits for the client to come back before it publishes it.
inline constexpr Property<std::uint32_t> kWillDelayInterval{PropertyId::kWillDelayInterval};  // seconds
// CONNECT: 1: kResponseInformation is wanted; 0 unless said.
inline constexpr Property<std::uint8_t> kRequestResponseInformation{PropertyId::kRequestResponseInformation};
// CONNACK: what to begin a Response Topic with (4.10.1).
inline constexpr Property<std::string_view> kResponseInformation{PropertyId::kResponseInformation};
// CONNACK, DISCONNECT: other brokers, with kUseAnotherServer and kServerMoved (4.11).
inline constexpr Property<std::string_view> kServerReference{PropertyId::kServerReference};
// All answers and DISCONNECT: why, for people and logs.
inline constexpr Property<std::string_view> kReasonString{PropertyId::kReasonString};
// CONNECT, CONNACK: how many unacknowledged QoS 1 and 2 messages its sender takes; 65,535 unless said.
inline constexpr Property<std::uint16_t> kReceiveMaximum{PropertyId::kReceiveMaximum};  // packets, not 0
// CONNECT, CONNACK: the highest Topic Alias its sender takes; 0 unless said: none.
inline constexpr Property<std::uint16_t> kTopicAliasMaximum{PropertyId::kTopicAliasMaximum};
// PUBLISH: a number for the Topic Name, on this connection.
inline constexpr Property<std::uint16_t> kTopicAlias{PropertyId::kTopicAlias};  // not 0
// CONNACK: the highest QoS that may be published with; 2 unless said.
inline constexpr Property<std::uint8_t> kMaximumQoS{PropertyId::kMaximumQoS};
// CONNACK: 0: no retained messages; 1 unless said, as of the other ...Available.
inline constexpr Property<std::uint8_t> kRetainAvailable{PropertyId::kRetainAvailable};
// Any packet: a name and a value that MQTT gives no meaning.
inline constexpr Property<UserPropertyView> kUserProperty{PropertyId::kUserProperty};
// CONNECT, CONNACK: the largest packet its sender takes; without it, the largest there is.
inline constexpr Property<std::uint32_t> kMaximumPacketSize{PropertyId::kMaximumPacketSize};  // bytes, not 0
// CONNACK: 0: no wildcards in Topic Filters.
inline constexpr Property<std::uint8_t> kWildcardSubscriptionAvailable{PropertyId::kWildcardSubscriptionAvailable};
// CONNACK: 0: no Subscription Identifiers.
inline constexpr Property<std::uint8_t> kSubscriptionIdentifierAvailable{PropertyId::kSubscriptionIdentifierAvailable};
// CONNACK: 0: no "$share/..." filters.
inline constexpr Property<std::uint8_t> kSharedSubscriptionAvailable{PropertyId::kSharedSubscriptionAvailable};
}  // namespace property

// A property as the scan meets it. `number` holds any integer value; `text`
// any string or binary value, or a user property's name; `value` a user
// property's value.
struct PropertyView {
  PropertyId id{};
  std::uint32_t number = 0;
  std::string_view text;
  std::string_view value;
};

// Reads a set of properties that was checked when it was decoded or built.
// Borrows the bytes: as long-lived as the packet or Properties behind it.
class PropertiesView {
 public:
  PropertiesView() = default;

  // The first value of `property`; empty if it is not there. Text points into the bytes
  // that the view borrows. A scan, unless the property is known not to be there.
  std::optional<std::uint8_t> Get(Property<std::uint8_t> property) const;
  std::optional<std::uint16_t> Get(Property<std::uint16_t> property) const;
  std::optional<std::uint32_t> Get(Property<std::uint32_t> property) const;
  std::optional<std::string_view> Get(Property<std::string_view> property) const;

  // The value of the first user property called `name`.
  std::optional<std::string_view> UserProperty(std::string_view name) const;

  // Whether there is one, whatever its type.
  bool Has(PropertyId id) const { return ids_ == kAllIds ? Find(id).has_value() : MayHold(id); }

  // Calls `visit(const PropertyView&)` for each property, in order.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    std::string_view rest = bytes_;
    while (!rest.empty()) visit(TakeFirst(rest));
  }

  // Calls `visit(UserPropertyView)` for each user property, in order.
  template <typename Visit>
  void ForEachUserProperty(Visit&& visit) const {
    ForEach([&](const PropertyView& each) {
      if (each.id == PropertyId::kUserProperty) visit(UserPropertyView{each.text, each.value});
    });
  }

  bool empty() const { return bytes_.empty(); }
  std::size_t size_bytes() const { return bytes_.size(); }  // On the wire, without their length.
  std::string_view wire_bytes() const { return bytes_; }    // As long-lived as the view.
  // The same bytes, so also in the same order.
  bool operator==(const PropertiesView& other) const { return bytes_ == other.bytes_; }

  // A set of identifiers: bit n stands for identifier n.
  using Ids = std::uint64_t;
  static constexpr Ids BitOf(PropertyId id) { return Ids{1} << static_cast<unsigned>(id); }
  static constexpr Ids kAllIds = ~Ids{0};

  // Trusts `wire_bytes`: only for bytes that were checked before. `ids`: the identifiers
  // that are there, so that asking for another one costs no scan; kAllIds: any may be.
  static PropertiesView FromCheckedBytes(std::string_view wire_bytes, Ids ids = kAllIds) {
    return PropertiesView(wire_bytes, ids);
  }
  // The properties from byte `first` up to `end`; none with identifier `gone` is among them.
  PropertiesView Slice(std::size_t first, std::size_t end, PropertyId gone) const {
    return PropertiesView(bytes_.substr(first, end - first), ids_ == kAllIds ? kAllIds : ids_ & ~BitOf(gone));
  }
  // At which byte the first property with that identifier begins.
  std::optional<std::size_t> OffsetOf(PropertyId id) const;

 private:
  friend class Properties;
  PropertiesView(std::string_view bytes, Ids ids) : bytes_(bytes), ids_(ids) {}
  bool MayHold(PropertyId id) const { return (ids_ & BitOf(id)) != 0; }
  // Removes one property from the front of `rest`, which holds checked bytes.
  static PropertyView TakeFirst(std::string_view& rest);
  std::optional<PropertyView> Find(PropertyId id) const;

  std::string_view bytes_;
  Ids ids_ = 0;
};

// A set of properties that owns its bytes. Which packet may carry which
// property, and the rules for the values, are checked when it is encoded.
class Properties {
 public:
  Properties() = default;
  explicit Properties(PropertiesView view) : bytes_(view.wire_bytes()), ids_(view.ids_) {}
  Properties(const Properties&) = default;
  Properties& operator=(const Properties&) = default;
  Properties(Properties&& other) noexcept : bytes_(std::move(other.bytes_)), ids_(other.ids_) { other.clear(); }
  Properties& operator=(Properties&& other) noexcept {
    if (this == &other) return *this;
    bytes_ = std::move(other.bytes_);
    ids_ = other.ids_;
    other.clear();
    return *this;
  }

  // Puts `value` in the place of the property, or at the end if it is not there.
  void Set(Property<std::uint8_t> property, std::uint8_t value);
  void Set(Property<std::uint16_t> property, std::uint16_t value);
  void Set(Property<std::uint32_t> property, std::uint32_t value);
  void Set(Property<std::string_view> property, std::string_view value);

  // Adds one at the end; for the properties that may occur more than once.
  // Strings over 65,535 bytes are cut off by no one: encoding the packet fails.
  void Add(Property<std::uint32_t> property, std::uint32_t value);
  void Add(Property<UserPropertyView> property, UserPropertyView value);

  // Makes room for so many bytes on the wire in all: saves allocations, changes nothing.
  void Reserve(std::size_t bytes) { bytes_.reserve(bytes); }

  // Removes every occurrence; nothing happens if there is none.
  void Remove(PropertyId id);
  void clear() {
    bytes_.clear();
    ids_ = 0;
  }

  // As of PropertiesView. What they return points into this object until it changes.
  template <typename T>
  auto Get(Property<T> property) const {
    return view().Get(property);
  }
  std::optional<std::string_view> UserProperty(std::string_view name) const { return view().UserProperty(name); }

  PropertiesView view() const { return PropertiesView::FromCheckedBytes(bytes_, ids_); }
  operator PropertiesView() const { return view(); }  // NOLINT: a view of itself
  bool empty() const { return bytes_.empty(); }
  bool operator==(const Properties& other) const { return bytes_ == other.bytes_; }

 private:
  void SetNumber(PropertyId id, std::uint32_t number);
  void Put(PropertyId id, const std::string& encoded);
  void Note(PropertyId id, bool fits);

  std::string bytes_;
  PropertiesView::Ids ids_ = 0;
};

}  // namespace mqttrpc::mqtt
