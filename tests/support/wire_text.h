// Bytes of packets, written so that a reader sees their fields.
#pragma once

#include <string>
#include <string_view>

namespace mqttrpc::test {

// Turns text into bytes:
//   0A ff     these bytes; spaces do not matter
//   'abc'     the bytes of abc
//   <abc>     two bytes of length, then abc: an MQTT string or binary data
//   ( ... )   the length of what is inside as a Variable Byte Integer, then it
//
//   Bytes("30 ( <a/b> () 'hello' )")   PUBLISH to a/b without properties
//
// Aborts on anything else: the test is wrong.
std::string Bytes(std::string_view text);

// For messages: "30 07 00".
std::string Hex(std::string_view bytes);

}  // namespace mqttrpc::test
