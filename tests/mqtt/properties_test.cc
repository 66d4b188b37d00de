#include "mqttrpc/mqtt/properties.h"

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "frame_buffer.h"
#include "mqttrpc/mqtt/status.h"
#include "packets.h"
#include "property_table.h"
#include "support/property_cases.h"
#include "support/wire_text.h"

namespace mqttrpc::mqtt {
namespace {

using test::AllProperties;
using test::Bytes;
using test::Companion;
using test::Contains;
using test::Hex;
using test::PacketWith;
using test::PropertyCase;
using test::PropertyPlaceCase;
using test::PropertyPlaces;

absl::Status Receive(std::string_view bytes, Sender sender) {
  FrameBuffer buffer(kMaximumVariableByteInteger);
  buffer.Feed(AsBytes(bytes));
  const auto frame = buffer.Next();
  if (!frame.ok() || !frame->has_value()) return absl::OutOfRangeError("no packet");
  return DecodePacket(**frame, sender).status();
}

std::string Trace(const PropertyPlaceCase& place, const PropertyCase& property) {
  return property.name + " in " + place.name + (place.sender == Sender::kClient ? " from client" : " from server");
}

// --- the table, against the specification told packet by packet ---------------------

TEST(PropertyTableTest, NamesAll27) {
  std::set<std::string_view> names;
  for (const PropertyCase& each : AllProperties()) {
    const PropertySpec* spec = FindPropertySpec(static_cast<std::uint32_t>(each.id));
    ASSERT_NE(spec, nullptr);
    EXPECT_EQ(spec->name, each.name);
    names.insert(spec->name);
  }
  EXPECT_EQ(names.size(), 27u);
  EXPECT_EQ(PropertySpecs().size(), 27u);
}

TEST(PropertyTableTest, TakesWhatMayStandInEachPacket) {
  for (const PropertyPlaceCase& place : PropertyPlaces()) {
    for (const PropertyCase& property : AllProperties()) {
      if (!Contains(place.once, property.id) && !Contains(place.often, property.id)) continue;
      SCOPED_TRACE(Trace(place, property));
      const std::string bytes = PacketWith(place, Companion(place, property.id) + property.good);
      EXPECT_TRUE(Receive(bytes, place.sender).ok()) << Receive(bytes, place.sender);
    }
  }
}

TEST(PropertyTableTest, TakesTwiceOnlyWhatMayStandTwice) {
  for (const PropertyPlaceCase& place : PropertyPlaces()) {
    for (const PropertyCase& property : AllProperties()) {
      const bool often = Contains(place.often, property.id);
      if (!often && !Contains(place.once, property.id)) continue;
      SCOPED_TRACE(Trace(place, property));
      const std::string bytes = PacketWith(place, Companion(place, property.id) + property.good + property.good);
      const absl::Status status = Receive(bytes, place.sender);
      EXPECT_EQ(status.ok(), often) << status;
      if (!often) {
        EXPECT_EQ(ReasonCodeOf(status), ReasonCode::kProtocolError) << status;
      }
    }
  }
}

// MQTT 2.2.2.2: an identifier that is not valid for the packet type makes the packet
// malformed; one that only the other side may send is a protocol error.
TEST(PropertyTableTest, RefusesWhatIsForeignToThePacket) {
  int foreign = 0;
  int other_side = 0;
  for (const PropertyPlaceCase& place : PropertyPlaces()) {
    for (const PropertyCase& property : AllProperties()) {
      if (Contains(place.once, property.id) || Contains(place.often, property.id)) continue;
      SCOPED_TRACE(Trace(place, property));
      const bool never = test::IsForeign(place, property.id);
      ++(never ? foreign : other_side);
      const std::string bytes = PacketWith(place, Companion(place, property.id) + property.good);
      EXPECT_EQ(ReasonCodeOf(Receive(bytes, place.sender)),
                never ? ReasonCode::kMalformedPacket : ReasonCode::kProtocolError);
    }
  }
  // Subscription Identifier in PUBLISH from the client (MQTT-3.3.4-6), Session Expiry
  // Interval in DISCONNECT from the server (MQTT-3.14.2-2), Server Reference from the client.
  EXPECT_EQ(other_side, 3);
  EXPECT_GT(foreign, 400);
}

TEST(PropertyTableTest, RefusesToEncodeWhatItRefusesToDecode) {
  for (const PropertyCase& property : AllProperties()) {
    const std::string bytes = Bytes(property.good);
    Publish publish;
    publish.topic_name = "t";
    publish.properties = PropertiesView::FromCheckedBytes(bytes);
    for (const PropertyPlaceCase& place : PropertyPlaces()) {
      if (place.name != "PUBLISH") continue;
      SCOPED_TRACE(Trace(place, property));
      WireBuffer out = "kept";
      const absl::Status status = EncodePublish(publish, place.sender, out);
      EXPECT_EQ(status.ok(), Contains(place.once, property.id) || Contains(place.often, property.id)) << status;
      if (!status.ok()) {
        EXPECT_EQ(out, "kept");
      }
    }
  }
}

TEST(PropertyTableTest, RefusesPropertiesCutShort) {
  for (const PropertyPlaceCase& place : PropertyPlaces()) {
    for (const PropertyCase& property : AllProperties()) {
      const std::string whole = Bytes(property.good);
      for (std::size_t size = 1; size < whole.size(); ++size) {
        SCOPED_TRACE(Trace(place, property) + " cut to " + std::to_string(size));
        EXPECT_EQ(ReasonCodeOf(Receive(PacketWith(place, Hex(whole.substr(0, size))), place.sender)),
                  ReasonCode::kMalformedPacket);
      }
    }
  }
}

TEST(PropertyTableTest, RefusesIllFormedTextInEveryStringButTakesAnyBinaryData) {
  for (const PropertySpec& spec : PropertySpecs()) {
    const std::string id = Hex(std::string(1, static_cast<char>(spec.id)));
    std::vector<std::string> cases;
    if (spec.type == WireType::kString || spec.type == WireType::kBinary) cases = {id + "0001 00", id + "0002 C328"};
    if (spec.type == WireType::kStringPair) cases = {id + "0001 00 <v>", id + "<k> 0003 EDA080"};
    for (const PropertyPlaceCase& place : PropertyPlaces()) {
      if (!Contains(place.once, spec.id) && !Contains(place.often, spec.id)) continue;
      for (const std::string& text : cases) {
        SCOPED_TRACE(place.name + " " + text);
        const absl::Status status = Receive(PacketWith(place, Companion(place, spec.id) + text), place.sender);
        EXPECT_EQ(status.ok(), spec.type == WireType::kBinary) << status;
        if (!status.ok()) {
          EXPECT_EQ(ReasonCodeOf(status), ReasonCode::kMalformedPacket) << status;
        }
      }
    }
  }
}

// --- the values in code -------------------------------------------------------------

TEST(PropertiesTest, GivesBackWhatWasSetInOrder) {
  Properties properties;
  properties.Set(property::kPayloadFormatIndicator, 1);
  properties.Set(property::kTopicAlias, 0x1234);
  properties.Set(property::kMessageExpiryInterval, 0x12345678);
  properties.Set(property::kContentType, "text/plain");
  properties.Add(property::kUserProperty, {"color", "red"});
  properties.Add(property::kSubscriptionIdentifier, kMaximumVariableByteInteger);
  properties.Add(property::kUserProperty, {"color", "blue"});

  EXPECT_EQ(properties.Get(property::kPayloadFormatIndicator), 1);
  EXPECT_EQ(properties.Get(property::kTopicAlias), 0x1234);
  EXPECT_EQ(properties.Get(property::kMessageExpiryInterval), 0x12345678u);
  EXPECT_EQ(properties.Get(property::kContentType), "text/plain");
  EXPECT_EQ(properties.Get(property::kSubscriptionIdentifier), kMaximumVariableByteInteger);
  EXPECT_EQ(properties.Get(property::kResponseTopic), std::nullopt);
  EXPECT_EQ(properties.Get(property::kReceiveMaximum), std::nullopt);
  EXPECT_EQ(properties.UserProperty("color"), "red");
  EXPECT_EQ(properties.UserProperty("Color"), std::nullopt);
  EXPECT_TRUE(properties.view().Has(PropertyId::kUserProperty));
  EXPECT_EQ(Hex(properties.view().wire_bytes()),
            Hex(Bytes("01 01 23 1234 02 12345678 03 <text/plain> 26 <color> <red> 0B FFFFFF7F 26 <color> <blue>")));

  std::vector<UserPropertyView> users;
  properties.view().ForEachUserProperty([&](UserPropertyView each) { users.push_back(each); });
  EXPECT_EQ(users, (std::vector<UserPropertyView>{{"color", "red"}, {"color", "blue"}}));
}

TEST(PropertiesTest, SetReplacesInPlace) {
  Properties properties;
  properties.Set(property::kContentType, "a");
  properties.Set(property::kMessageExpiryInterval, 1);
  properties.Set(property::kContentType, "longer");
  properties.Set(property::kMessageExpiryInterval, 2);
  EXPECT_EQ(Hex(properties.view().wire_bytes()), Hex(Bytes("03 <longer> 02 00000002")));
}

TEST(PropertiesTest, SetAndAddMayReadFromThePropertiesThemselves) {
  Properties properties;
  properties.Set(property::kContentType, std::string(100, 'c'));
  properties.Set(property::kResponseTopic, *properties.Get(property::kContentType));
  properties.Add(property::kUserProperty, {*properties.Get(property::kContentType), "v"});
  EXPECT_EQ(properties.Get(property::kResponseTopic), std::string(100, 'c'));
  EXPECT_EQ(properties.UserProperty(std::string(100, 'c')), "v");
}

TEST(PropertiesTest, RemoveTakesEveryOccurrence) {
  Properties properties;
  properties.Add(property::kUserProperty, {"a", "1"});
  properties.Set(property::kContentType, "t");
  properties.Add(property::kUserProperty, {"b", "2"});
  properties.Remove(PropertyId::kUserProperty);
  EXPECT_EQ(Hex(properties.view().wire_bytes()), Hex(Bytes("03 <t>")));
  properties.Remove(PropertyId::kUserProperty);
  properties.Remove(PropertyId::kContentType);
  EXPECT_TRUE(properties.empty());
}

TEST(PropertiesTest, SaysWhichAreThereThroughEveryChange) {
  Properties properties;
  const auto has = [&](PropertyId id) { return properties.view().Has(id); };
  EXPECT_FALSE(has(PropertyId::kContentType));
  properties.Set(property::kContentType, "t");
  properties.Add(property::kUserProperty, {"k", "v"});
  const Properties copy(properties.view());
  EXPECT_TRUE(has(PropertyId::kContentType));
  EXPECT_FALSE(has(PropertyId::kResponseTopic));
  properties.Remove(PropertyId::kContentType);
  EXPECT_FALSE(has(PropertyId::kContentType));
  EXPECT_TRUE(copy.view().Has(PropertyId::kContentType));

  const Properties taken = std::move(properties);
  EXPECT_TRUE(taken.view().Has(PropertyId::kUserProperty));
  EXPECT_FALSE(has(PropertyId::kUserProperty));   // NOLINT: moved from is empty.
  properties.Set(property::kResponseTopic, "r");  // NOLINT(bugprone-use-after-move): and may be used again.
  EXPECT_TRUE(has(PropertyId::kResponseTopic));
  EXPECT_FALSE(has(PropertyId::kUserProperty));
  properties.Set(property::kContentType, std::string(65'536, 'x'));
  EXPECT_FALSE(has(PropertyId::kContentType));
  EXPECT_TRUE(has(PropertyId::kResponseTopic));
}

TEST(PropertiesTest, AnOverlongValueIsNotThereAndHidesNothing) {
  Properties properties;
  properties.Set(property::kContentType, std::string(65'536, 'x'));
  properties.Add(property::kSubscriptionIdentifier, kMaximumVariableByteInteger + 1);
  properties.Add(property::kUserProperty, {"k", "v"});
  EXPECT_EQ(properties.Get(property::kContentType), std::nullopt);
  EXPECT_EQ(properties.UserProperty("k"), "v");
  properties.Set(property::kContentType, std::string(65'535, 'x'));
  EXPECT_EQ(properties.Get(property::kContentType)->size(), 65'535u);
}

TEST(PropertiesViewTest, EndsItsScanOnBytesThatWereNeverChecked) {
  for (const std::string_view text : {"26 0005 'k'", "FF", "00", "04 04", "02 00"}) {
    const std::string bytes = Bytes(text);
    const auto view = PropertiesView::FromCheckedBytes(bytes);
    int visits = 0;
    view.ForEach([&](const PropertyView&) { ++visits; });
    EXPECT_EQ(visits, 1) << text;
    EXPECT_FALSE(view.Has(PropertyId::kContentType));
  }
}

}  // namespace
}  // namespace mqttrpc::mqtt
