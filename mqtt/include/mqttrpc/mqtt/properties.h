// The 27 properties of MQTT 5.0 (2.2.2), typed, in the order they travel.
//
//   Properties properties;
//   properties.Set(property::kResponseTopic, "rpc1/r/me/1");
//   properties.Add(property::kUserProperty, {"color", "red"});
//   if (auto topic = properties.Get(property::kResponseTopic)) ...
//
// A set of properties is kept as its wire bytes: reading is a short scan,
// forwarding is a copy, and the order of user properties holds by itself.
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
inline constexpr Property<std::uint8_t> kPayloadFormatIndicator{PropertyId::kPayloadFormatIndicator};
inline constexpr Property<std::uint32_t> kMessageExpiryInterval{PropertyId::kMessageExpiryInterval};  // seconds
inline constexpr Property<std::string_view> kContentType{PropertyId::kContentType};
inline constexpr Property<std::string_view> kResponseTopic{PropertyId::kResponseTopic};
inline constexpr Property<std::string_view> kCorrelationData{PropertyId::kCorrelationData};             // bytes
inline constexpr Property<std::uint32_t> kSubscriptionIdentifier{PropertyId::kSubscriptionIdentifier};  // 1-268,435,455
inline constexpr Property<std::uint32_t> kSessionExpiryInterval{PropertyId::kSessionExpiryInterval};    // seconds
inline constexpr Property<std::string_view> kAssignedClientIdentifier{PropertyId::kAssignedClientIdentifier};
inline constexpr Property<std::uint16_t> kServerKeepAlive{PropertyId::kServerKeepAlive};  // seconds
inline constexpr Property<std::string_view> kAuthenticationMethod{PropertyId::kAuthenticationMethod};
inline constexpr Property<std::string_view> kAuthenticationData{PropertyId::kAuthenticationData};  // bytes
inline constexpr Property<std::uint8_t> kRequestProblemInformation{PropertyId::kRequestProblemInformation};
inline constexpr Property<std::uint32_t> kWillDelayInterval{PropertyId::kWillDelayInterval};  // seconds
inline constexpr Property<std::uint8_t> kRequestResponseInformation{PropertyId::kRequestResponseInformation};
inline constexpr Property<std::string_view> kResponseInformation{PropertyId::kResponseInformation};
inline constexpr Property<std::string_view> kServerReference{PropertyId::kServerReference};
inline constexpr Property<std::string_view> kReasonString{PropertyId::kReasonString};
inline constexpr Property<std::uint16_t> kReceiveMaximum{PropertyId::kReceiveMaximum};  // packets, not 0
inline constexpr Property<std::uint16_t> kTopicAliasMaximum{PropertyId::kTopicAliasMaximum};
inline constexpr Property<std::uint16_t> kTopicAlias{PropertyId::kTopicAlias};  // not 0
inline constexpr Property<std::uint8_t> kMaximumQoS{PropertyId::kMaximumQoS};
inline constexpr Property<std::uint8_t> kRetainAvailable{PropertyId::kRetainAvailable};
inline constexpr Property<UserPropertyView> kUserProperty{PropertyId::kUserProperty};
inline constexpr Property<std::uint32_t> kMaximumPacketSize{PropertyId::kMaximumPacketSize};  // bytes, not 0
inline constexpr Property<std::uint8_t> kWildcardSubscriptionAvailable{PropertyId::kWildcardSubscriptionAvailable};
inline constexpr Property<std::uint8_t> kSubscriptionIdentifierAvailable{PropertyId::kSubscriptionIdentifierAvailable};
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

  // The first value of `property`; empty if it is not there.
  std::optional<std::uint8_t> Get(Property<std::uint8_t> property) const;
  std::optional<std::uint16_t> Get(Property<std::uint16_t> property) const;
  std::optional<std::uint32_t> Get(Property<std::uint32_t> property) const;
  std::optional<std::string_view> Get(Property<std::string_view> property) const;

  // The value of the first user property called `name`.
  std::optional<std::string_view> UserProperty(std::string_view name) const;

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
