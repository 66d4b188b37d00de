// GoogleTest matchers for recorded packets. The one header here that needs it.
//
//   EXPECT_THAT(world.recorder().To("lamp-42", PacketKind::kPublish),
//               ElementsAre(AllOf(IsPublish("set", "on"), WithQoS(mqtt::QoS::kAtLeastOnce))));
#pragma once

#include <iostream>
#include <optional>
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mqttrpc/testing/recorded_packet.h"
#include "mqttrpc/testing/recorder.h"
#include "mqttrpc/testing/world.h"

namespace mqttrpc::testing {

// Arguments named `..._is` are values or matchers of them. All matchers take a
// RecordedPacket, never fail on one of another kind but just do not match it, and combine
// with GoogleTest's: AllOf(), Not(), Contains(), ...

// A whole packet of that kind: malformed ones are of none.
MATCHER_P(OfKind, kind, std::string(negation ? "is not a " : "is a ") + std::string(NameOf(kind))) {
  return arg.kind == kind && !arg.malformed;
}

// A PUBLISH by its Topic Name, which is in full also where a Topic Alias was sent, and
// by its payload: IsPublish("set", "on"), IsPublish(StartsWith("lamp/"), Not(IsEmpty())).
MATCHER_P(IsPublish, topic_name_is, "is a PUBLISH to that topic") {
  return arg.kind == PacketKind::kPublish && !arg.malformed &&
         ::testing::ExplainMatchResult(topic_name_is, arg.topic_name, result_listener);
}

// The same, by its payload too: any bytes.
MATCHER_P2(IsPublish, topic_name_is, payload_is, "is a PUBLISH to that topic with that payload") {
  return arg.kind == PacketKind::kPublish && !arg.malformed &&
         ::testing::ExplainMatchResult(topic_name_is, arg.topic_name, result_listener) &&
         ::testing::ExplainMatchResult(payload_is, arg.payload, result_listener);
}

// Carries that Reason Code; of SUBACK and UNSUBACK, which have several, one suffices.
MATCHER_P(HasReason, code, std::string("has the Reason Code ") + std::string(NameOf(code))) {
  // Those of the answer, if it has several.
  for (const mqtt::ReasonCode each : arg.reasons) {
    if (each == code) return true;
  }
  return arg.reasons.empty() && arg.reason == code;
}

// Of PUBLISH with QoS 1 and 2, its acknowledgements, SUBSCRIBE, UNSUBSCRIBE and their
// answers; 0 for all others.
MATCHER_P(WithPacketId, packet_id_is, "has that Packet Identifier") {
  return ::testing::ExplainMatchResult(packet_id_is, arg.packet_id, result_listener);
}

// The QoS of a PUBLISH or a will; of SUBSCRIBE the highest asked for.
MATCHER_P(WithQoS, qos, std::string("has QoS ") + std::to_string(static_cast<int>(qos))) { return arg.qos == qos; }

// The flags of a PUBLISH; RETAIN of a will too.
MATCHER(WithDup, negation ? "has no DUP flag" : "has the DUP flag") { return arg.dup; }

// As sent; for how messages come with it see Message::retain.
MATCHER(WithRetain, negation ? "has no RETAIN flag" : "has the RETAIN flag") { return arg.retain; }

// One of the Topic Filters of SUBSCRIBE or UNSUBSCRIBE.
MATCHER_P(WithFilter, topic_filter_is, "names that Topic Filter") {
  return ::testing::ExplainMatchResult(::testing::Contains(topic_filter_is), arg.topic_filters, result_listener);
}

// The first of that property: WithProperty(mqtt::property::kMessageExpiryInterval, Le(60u)).
// The value's type is the property's.
MATCHER_P2(WithProperty, property, value_is, "has the property with that value") {
  const auto value = arg.properties.Get(property);
  if (!value.has_value()) {
    *result_listener << "which it does not have";
    return false;
  }
  return ::testing::ExplainMatchResult(value_is, *value, result_listener);
}

// The first user property of that name: WithUserProperty("color", "red").
MATCHER_P2(WithUserProperty, name, value_is, "has the user property with that value") {
  const auto value = arg.properties.UserProperty(name);
  if (!value.has_value()) {
    *result_listener << "which it does not have";
    return false;
  }
  return ::testing::ExplainMatchResult(value_is, std::string(*value), result_listener);
}

// Prints the recording, its last `lines` lines, to stdout at the end of its scope if the
// test failed by then: make one right after the world, which has to outlive it. The test's
// own thread.
class RecordingOnFailure {
 public:
  explicit RecordingOnFailure(World& world, std::size_t lines = 200) : world_(world), lines_(lines) {}
  ~RecordingOnFailure() {
    if (::testing::Test::HasFailure()) std::cout << "Recording:\n" << world_.recorder().ToString(lines_);
  }
  RecordingOnFailure(const RecordingOnFailure&) = delete;
  RecordingOnFailure& operator=(const RecordingOnFailure&) = delete;

 private:
  World& world_;
  const std::size_t lines_;
};

}  // namespace mqttrpc::testing
