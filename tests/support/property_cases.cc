#include "support/property_cases.h"

#include <algorithm>

#include "support/packet_corpus.h"
#include "support/wire_text.h"

namespace mqttrpc::test {
namespace {

using namespace mqtt;
using enum PropertyId;
using enum Sender;

using Ids = std::vector<PropertyId>;

// CONNACK, the acknowledgements, DISCONNECT and AUTH: 3.4.2.2 and others.
const Ids kOnlyReason = {kReasonString};
const Ids kOnlyUser = {kUserProperty};

std::vector<PropertyPlaceCase> MakePlaces() {
  const Ids message = {kPayloadFormatIndicator, kMessageExpiryInterval, kContentType, kResponseTopic, kCorrelationData};
  Ids publish = message;
  publish.push_back(kTopicAlias);
  Ids will = message;
  will.push_back(kWillDelayInterval);

  std::vector<PropertyPlaceCase> places = {
      {"CONNECT",
       kClient,
       "10 ( <MQTT> 05 02 003C (",
       ") <me> )",  // 3.1.2.11
       {kSessionExpiryInterval, kReceiveMaximum, kMaximumPacketSize, kTopicAliasMaximum, kRequestResponseInformation,
        kRequestProblemInformation, kAuthenticationMethod, kAuthenticationData},
       kOnlyUser},
      {"Will", kClient, "10 ( <MQTT> 05 06 003C () <me> (", ") <w> <x> )", will, kOnlyUser},  // 3.1.3.2
      {"CONNACK",
       kServer,
       "20 ( 00 00 (",
       ") )",  // 3.2.2.3
       {kSessionExpiryInterval, kReceiveMaximum, kMaximumQoS, kRetainAvailable, kMaximumPacketSize,
        kAssignedClientIdentifier, kTopicAliasMaximum, kReasonString, kWildcardSubscriptionAvailable,
        kSubscriptionIdentifierAvailable, kSharedSubscriptionAvailable, kServerKeepAlive, kResponseInformation,
        kServerReference, kAuthenticationMethod, kAuthenticationData},
       kOnlyUser},
      {"PUBLISH", kClient, "30 ( <t> (", ") 'x' )", publish, kOnlyUser},  // 3.3.2.3
      {"PUBLISH", kServer, "30 ( <t> (", ") 'x' )", publish, {kUserProperty, kSubscriptionIdentifier}},
      {"SUBSCRIBE", kClient, "82 ( 0001 (", ") <t> 00 )", {kSubscriptionIdentifier}, kOnlyUser},        // 3.8.2.1
      {"SUBACK", kServer, "90 ( 0001 (", ") 00 )", kOnlyReason, kOnlyUser},                             // 3.9.2.1
      {"UNSUBSCRIBE", kClient, "A2 ( 0001 (", ") <t> )", {}, kOnlyUser},                                // 3.10.2.1
      {"UNSUBACK", kServer, "B0 ( 0001 (", ") 00 )", kOnlyReason, kOnlyUser},                           // 3.11.2.1
      {"DISCONNECT", kClient, "E0 ( 00 (", ") )", {kSessionExpiryInterval, kReasonString}, kOnlyUser},  // 3.14.2.2
      {"DISCONNECT", kServer, "E0 ( 8B (", ") )", {kReasonString, kServerReference}, kOnlyUser},
  };
  for (const Sender sender : {kClient, kServer}) {
    places.push_back({"PUBACK", sender, "40 ( 0001 00 (", ") )", kOnlyReason, kOnlyUser});
    places.push_back({"PUBREC", sender, "50 ( 0001 00 (", ") )", kOnlyReason, kOnlyUser});
    places.push_back({"PUBREL", sender, "62 ( 0001 00 (", ") )", kOnlyReason, kOnlyUser});
    places.push_back({"PUBCOMP", sender, "70 ( 0001 00 (", ") )", kOnlyReason, kOnlyUser});
    places.push_back({"AUTH",
                      sender,
                      "F0 ( 18 (",
                      ") )",  // 3.15.2.2
                      {kAuthenticationMethod, kAuthenticationData, kReasonString},
                      kOnlyUser});
  }
  return places;
}

// 2.2.2.2, table 2-4, and what chapter 3 says of each value.
const std::vector<PropertyCase> kProperties = {
    {kPayloadFormatIndicator, "Payload Format Indicator", "01 01", {"01 02", "01 FF"}},
    {kMessageExpiryInterval, "Message Expiry Interval", "02 00000000", {}},
    {kContentType, "Content Type", "03 <text/plain>", {}},
    {kResponseTopic, "Response Topic", "08 <r/me>", {"08 <r/+>", "08 <#>", "08 <>"}},
    {kCorrelationData, "Correlation Data", "09 0002 00FF", {}},
    {kSubscriptionIdentifier, "Subscription Identifier", "0B 01", {"0B 00"}},
    {kSessionExpiryInterval, "Session Expiry Interval", "11 FFFFFFFF", {}},
    {kAssignedClientIdentifier, "Assigned Client Identifier", "12 <auto>", {}},
    {kServerKeepAlive, "Server Keep Alive", "13 0000", {}},
    {kAuthenticationMethod, "Authentication Method", "15 <PLAIN>", {}},
    {kAuthenticationData, "Authentication Data", "16 0001 00", {}},
    {kRequestProblemInformation, "Request Problem Information", "17 00", {"17 02"}},
    {kWillDelayInterval, "Will Delay Interval", "18 00000001", {}},
    {kRequestResponseInformation, "Request Response Information", "19 01", {"19 02"}},
    {kResponseInformation, "Response Information", "1A <r/>", {}},
    {kServerReference, "Server Reference", "1C <other:1883>", {}},
    {kReasonString, "Reason String", "1F <so>", {}},
    {kReceiveMaximum, "Receive Maximum", "21 0001", {"21 0000"}},
    {kTopicAliasMaximum, "Topic Alias Maximum", "22 0000", {}},
    {kTopicAlias, "Topic Alias", "23 0001", {"23 0000"}, ReasonCode::kTopicAliasInvalid},
    {kMaximumQoS, "Maximum QoS", "24 00", {"24 02"}},
    {kRetainAvailable, "Retain Available", "25 00", {"25 02"}},
    {kUserProperty, "User Property", "26 <k> <v>", {}},
    {kMaximumPacketSize, "Maximum Packet Size", "27 00000001", {"27 00000000"}},
    {kWildcardSubscriptionAvailable, "Wildcard Subscription Available", "28 00", {"28 02"}},
    {kSubscriptionIdentifierAvailable, "Subscription Identifier Available", "29 00", {"29 02"}},
    {kSharedSubscriptionAvailable, "Shared Subscription Available", "2A 00", {"2A 02"}},
};

std::string Title(const PropertyPlaceCase& place) {
  return place.name + (place.sender == kClient ? " from the client" : " from the server");
}

}  // namespace

const std::vector<PropertyPlaceCase>& PropertyPlaces() {
  static const std::vector<PropertyPlaceCase> all = MakePlaces();
  return all;
}

const std::vector<PropertyCase>& AllProperties() { return kProperties; }

std::string PacketWith(const PropertyPlaceCase& place, const std::string& properties) {
  return Bytes(place.before + properties + place.after);
}

std::string Companion(const PropertyPlaceCase& place, PropertyId id) {
  const bool wanted = id == kAuthenticationData || place.name == "AUTH";
  return wanted && id != kAuthenticationMethod && Contains(place.once, kAuthenticationMethod) ? "15 <m>" : "";
}

bool IsForeign(const PropertyPlaceCase& place, PropertyId id) {
  const auto& places = PropertyPlaces();
  return std::none_of(places.begin(), places.end(), [&](const PropertyPlaceCase& each) {
    return each.name == place.name && (Contains(each.once, id) || Contains(each.often, id));
  });
}

bool Contains(const std::vector<PropertyId>& ids, PropertyId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

std::vector<MalformedPacket> MalformedProperties() {
  std::vector<MalformedPacket> all;
  for (const PropertyPlaceCase& place : PropertyPlaces()) {
    const auto add = [&](const std::string& what, PropertyId id, const std::string& text, ReasonCode code) {
      all.push_back(
          {Title(place) + " with " + what, place.sender, PacketWith(place, Companion(place, id) + text), code});
    };
    for (const PropertyCase& property : AllProperties()) {
      if (!Contains(place.once, property.id) && !Contains(place.often, property.id)) {
        // 2.2.2.2 for what has no meaning in the packet; else the clause that forbids it to this side.
        add("a foreign " + property.name, property.id, property.good,
            IsForeign(place, property.id) ? ReasonCode::kMalformedPacket : ReasonCode::kProtocolError);
        continue;
      }
      if (Contains(place.once, property.id)) {
        add(property.name + " twice", property.id, property.good + property.good, ReasonCode::kProtocolError);
        add(property.name + " twice, apart", property.id, property.good + "26 <k> <v>" + property.good,
            ReasonCode::kProtocolError);
      }
      for (const std::string& bad : property.bad) {
        add(property.name + " of " + bad, property.id, bad, property.bad_reason_code);
      }
    }
  }
  return all;
}

}  // namespace mqttrpc::test
