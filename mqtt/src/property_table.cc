#include "property_table.h"

#include "property_scan.h"
#include "topic_rules.h"

namespace mqttrpc::mqtt {
namespace {

using Id = PropertyId;

template <typename... Types>
constexpr Places FromClient(Types... types) {
  return (BitOf(In(types), Sender::kClient) | ... | 0u);
}
template <typename... Types>
constexpr Places FromServer(Types... types) {
  return (BitOf(In(types), Sender::kServer) | ... | 0u);
}

// Packets that only one side may send, from that side; the others from both.
constexpr Places kWill = BitOf(PropertyPlace::kWill, Sender::kClient);
constexpr Places kConnect = FromClient(PacketType::kConnect);
constexpr Places kConnAck = FromServer(PacketType::kConnAck);
constexpr Places kPublish = FromClient(PacketType::kPublish) | FromServer(PacketType::kPublish);
constexpr Places kAuth = FromClient(PacketType::kAuth) | FromServer(PacketType::kAuth);
constexpr Places kResponses =
    FromClient(PacketType::kPubAck, PacketType::kPubRec, PacketType::kPubRel, PacketType::kPubComp) |
    FromServer(PacketType::kPubAck, PacketType::kPubRec, PacketType::kPubRel, PacketType::kPubComp) |
    FromServer(PacketType::kSubAck, PacketType::kUnsubAck);
constexpr Places kDisconnect = FromClient(PacketType::kDisconnect) | FromServer(PacketType::kDisconnect);
constexpr Places kRequests = FromClient(PacketType::kSubscribe, PacketType::kUnsubscribe);

constexpr Places kReasons = kConnAck | kResponses | kDisconnect | kAuth;
constexpr Places kAll = kWill | kConnect | kPublish | kRequests | kReasons;

// Identifier, name, type, rule, once in, often in.
constexpr std::array<PropertySpec, 27> kSpecs = {{
    {Id::kPayloadFormatIndicator, "Payload Format Indicator", WireType::kByte, ValueRule::kZeroOrOne, kPublish | kWill},
    {Id::kMessageExpiryInterval, "Message Expiry Interval", WireType::kFourBytes, ValueRule::kAny, kPublish | kWill},
    {Id::kContentType, "Content Type", WireType::kString, ValueRule::kAny, kPublish | kWill},
    {Id::kResponseTopic, "Response Topic", WireType::kString, ValueRule::kTopicName, kPublish | kWill},
    {Id::kCorrelationData, "Correlation Data", WireType::kBinary, ValueRule::kAny, kPublish | kWill},
    {Id::kSubscriptionIdentifier, "Subscription Identifier", WireType::kVariable, ValueRule::kNotZero,
     FromClient(PacketType::kSubscribe), FromServer(PacketType::kPublish)},  // MQTT-3.3.4-6
    {Id::kSessionExpiryInterval, "Session Expiry Interval", WireType::kFourBytes, ValueRule::kAny,
     kConnect | kConnAck | FromClient(PacketType::kDisconnect)},  // MQTT-3.14.2-2
    {Id::kAssignedClientIdentifier, "Assigned Client Identifier", WireType::kString, ValueRule::kAny, kConnAck},
    {Id::kServerKeepAlive, "Server Keep Alive", WireType::kTwoBytes, ValueRule::kAny, kConnAck},
    {Id::kAuthenticationMethod, "Authentication Method", WireType::kString, ValueRule::kAny,
     kConnect | kConnAck | kAuth},
    {Id::kAuthenticationData, "Authentication Data", WireType::kBinary, ValueRule::kAny, kConnect | kConnAck | kAuth},
    {Id::kRequestProblemInformation, "Request Problem Information", WireType::kByte, ValueRule::kZeroOrOne, kConnect},
    {Id::kWillDelayInterval, "Will Delay Interval", WireType::kFourBytes, ValueRule::kAny, kWill},
    {Id::kRequestResponseInformation, "Request Response Information", WireType::kByte, ValueRule::kZeroOrOne, kConnect},
    {Id::kResponseInformation, "Response Information", WireType::kString, ValueRule::kAny, kConnAck},
    {Id::kServerReference, "Server Reference", WireType::kString, ValueRule::kAny,
     kConnAck | FromServer(PacketType::kDisconnect)},
    {Id::kReasonString, "Reason String", WireType::kString, ValueRule::kAny, kReasons},
    {Id::kReceiveMaximum, "Receive Maximum", WireType::kTwoBytes, ValueRule::kNotZero, kConnect | kConnAck},
    {Id::kTopicAliasMaximum, "Topic Alias Maximum", WireType::kTwoBytes, ValueRule::kAny, kConnect | kConnAck},
    {Id::kTopicAlias, "Topic Alias", WireType::kTwoBytes, ValueRule::kAlias, kPublish},  // MQTT-3.3.2-8
    {Id::kMaximumQoS, "Maximum QoS", WireType::kByte, ValueRule::kZeroOrOne, kConnAck},
    {Id::kRetainAvailable, "Retain Available", WireType::kByte, ValueRule::kZeroOrOne, kConnAck},
    {Id::kUserProperty, "User Property", WireType::kStringPair, ValueRule::kAny, 0, kAll},
    {Id::kMaximumPacketSize, "Maximum Packet Size", WireType::kFourBytes, ValueRule::kNotZero, kConnect | kConnAck},
    {Id::kWildcardSubscriptionAvailable, "Wildcard Subscription Available", WireType::kByte, ValueRule::kZeroOrOne,
     kConnAck},
    {Id::kSubscriptionIdentifierAvailable, "Subscription Identifier Available", WireType::kByte, ValueRule::kZeroOrOne,
     kConnAck},
    {Id::kSharedSubscriptionAvailable, "Shared Subscription Available", WireType::kByte, ValueRule::kZeroOrOne,
     kConnAck},
}};

// kSpecs by identifier: position + 1, or 0.
constexpr std::size_t kIds = 0x2B;
constexpr auto kPositions = [] {
  std::array<std::uint8_t, kIds> positions{};
  for (std::size_t i = 0; i < kSpecs.size(); ++i) {
    positions[static_cast<std::size_t>(kSpecs[i].id)] = static_cast<std::uint8_t>(i + 1);
  }
  return positions;
}();

constexpr ReasonCode kMalformed = ReasonCode::kMalformedPacket;
constexpr ReasonCode kProtocolError = ReasonCode::kProtocolError;

bool IsText(WireType type) { return type == WireType::kString || type == WireType::kStringPair; }

bool IsWellFormed(const PropertyView& property) {
  return IsValidUtf8(property.text) && (property.value.empty() || IsValidUtf8(property.value));
}

// Whether the value is one the specification allows.
Fault CheckRule(const PropertySpec& spec, const PropertyView& property) {
  switch (spec.rule) {
    case ValueRule::kAny: return {};
    case ValueRule::kZeroOrOne:
      if (property.number > 1) return {kProtocolError, spec.name, "is neither 0 nor 1"};
      return {};
    case ValueRule::kNotZero:
      if (property.number == 0) return {kProtocolError, spec.name, "is 0"};
      return {};
    case ValueRule::kAlias:
      if (property.number == 0) return {ReasonCode::kTopicAliasInvalid, spec.name, "is 0"};
      return {};
    case ValueRule::kTopicName:  // MQTT-3.3.2-14
      if (const Fault fault = TopicNameFault(property.text)) return {kProtocolError, spec.name, fault.problem};
      return {};
  }
  return {};
}

// Why the property may not stand here.
Fault PlaceFault(const PropertySpec& spec, PropertyPlace place, Sender sender) {
  if (spec.AllowedIn(place, sender)) return {kProtocolError, spec.name, "occurs twice"};
  const Sender other = sender == Sender::kClient ? Sender::kServer : Sender::kClient;
  if (!spec.AllowedIn(place, other)) return {kMalformed, spec.name, "does not belong here"};  // 2.2.2.2
  return {kProtocolError, spec.name, "may not be sent by this side"};
}

// The name of the first property that Properties could not hold; empty if there is none.
std::string_view OverlongProperty(std::string_view bytes) {
  PropertyView property;
  while (!bytes.empty() && bytes.front() != kOverlongMark) {
    if (TakeProperty(bytes, property)) return {};
  }
  if (bytes.size() < 2) return {};
  const PropertySpec* spec = FindPropertySpec(static_cast<std::uint8_t>(bytes[1]));
  return spec == nullptr ? std::string_view() : spec->name;
}

}  // namespace

const std::array<PropertySpec, 27>& PropertySpecs() { return kSpecs; }

constexpr std::array<std::uint8_t, 256> kWireTypes = [] {
  std::array<std::uint8_t, 256> types{};
  types.fill(kNoWireType);
  for (const PropertySpec& spec : kSpecs) {
    types[static_cast<std::size_t>(spec.id)] = static_cast<std::uint8_t>(spec.type);
  }
  return types;
}();

const PropertySpec* FindPropertySpec(std::uint32_t id) {
  if (id >= kIds || kPositions[id] == 0) return nullptr;
  return &kSpecs[kPositions[id] - 1];
}

Fault TakeProperty(std::string_view& rest, PropertyView& property) {
  Reader in(rest);
  property = PropertyView();
  const PropertySpec* spec = FindPropertySpec(in.VariableByteInteger("a property's identifier"));
  if (in.failed()) return in.Verdict();
  if (spec == nullptr) return {kMalformed, {}, "a property's identifier is unknown"};
  property.id = spec->id;
  switch (spec->type) {
    case WireType::kByte: property.number = in.U8(spec->name); break;
    case WireType::kTwoBytes: property.number = in.U16(spec->name); break;
    case WireType::kFourBytes: property.number = in.U32(spec->name); break;
    case WireType::kVariable: property.number = in.VariableByteInteger(spec->name); break;
    case WireType::kString:
    case WireType::kBinary: property.text = in.Binary(spec->name); break;
    case WireType::kStringPair:
      property.text = in.Binary(spec->name);
      property.value = in.Binary(spec->name);
      break;
  }
  if (in.failed()) return in.Verdict();
  rest.remove_prefix(rest.size() - in.remaining());
  return {};
}

Fault CheckProperties(std::string_view bytes, PropertyPlace place, Sender sender, PropertiesView::Ids& ids) {
  const Places here = BitOf(place, sender);
  ids = 0;
  while (!bytes.empty()) {
    PropertyView property;
    if (!TakeSimpleProperty(bytes, property)) {
      if (const Fault fault = TakeProperty(bytes, property)) return fault;
    }
    const PropertySpec& spec = kSpecs[kPositions[static_cast<std::size_t>(property.id)] - 1];
    const bool again = (ids & PropertiesView::BitOf(property.id)) != 0;
    if (((again ? spec.often : spec.once | spec.often) & here) == 0) return PlaceFault(spec, place, sender);
    if (IsText(spec.type) && !IsWellFormed(property)) {
      return {kMalformed, spec.name, "is not well-formed UTF-8"};  // MQTT-1.5.4-1, MQTT-1.5.7-1
    }
    if (spec.rule != ValueRule::kAny) {
      if (const Fault fault = CheckRule(spec, property)) return fault;
    }
    ids |= PropertiesView::BitOf(property.id);
  }
  const auto has = [&](Id id) { return (ids & PropertiesView::BitOf(id)) != 0; };
  if (has(Id::kAuthenticationData) && !has(Id::kAuthenticationMethod)) {
    return {kProtocolError, "Authentication Data", "comes without an Authentication Method"};  // 3.1.2.11.10
  }
  return {};
}

PropertiesView ReadProperties(Reader& in, PropertyPlace place, Sender sender) {
  if (!in.v5()) return {};
  const std::string_view bytes = in.Take(in.VariableByteInteger("Property Length"), "Property Length");
  if (bytes.empty() || in.failed()) return {};
  PropertiesView::Ids ids = 0;
  if (const Fault fault = CheckProperties(bytes, place, sender, ids)) {
    in.Fail(fault);
    return {};
  }
  return PropertiesView::FromCheckedBytes(bytes, ids);
}

std::optional<PropertiesView> CutTopicAlias(PropertiesView properties) {
  constexpr std::size_t kAliasBytes = 3;
  const std::optional<std::size_t> offset = properties.OffsetOf(Id::kTopicAlias);
  const std::size_t size = properties.size_bytes();
  if (!offset.has_value()) return properties;
  if (*offset == 0) return properties.Slice(kAliasBytes, size, Id::kTopicAlias);
  if (*offset + kAliasBytes == size) return properties.Slice(0, *offset, Id::kTopicAlias);
  return std::nullopt;
}

void WriteProperties(PropertiesView properties, PropertyPlace place, Sender sender, Writer& out) {
  if (!out.v5()) return;
  const std::string_view bytes = properties.wire_bytes();
  PropertiesView::Ids ids = 0;
  if (const Fault fault = CheckProperties(bytes, place, sender, ids)) {
    const std::string_view overlong = OverlongProperty(bytes);
    return out.Fail(overlong.empty() ? fault : Fault{kMalformed, overlong, "is too long"});
  }
  if (bytes.size() > kMaximumVariableByteInteger) return out.Fail("the properties are over 268,435,455 bytes");
  out.VariableByteInteger(static_cast<std::uint32_t>(bytes.size()));
  out.Raw(bytes);
}

}  // namespace mqttrpc::mqtt
