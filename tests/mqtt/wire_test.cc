#include "wire.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "mqttrpc/mqtt/status.h"
#include "support/wire_text.h"

namespace mqttrpc::mqtt {
namespace {

using test::Bytes;
using test::Hex;

// --- Variable Byte Integers (1.5.5) -------------------------------------------------

struct Encoding {
  std::uint32_t value;
  const char* bytes;
};

constexpr Encoding kLimits[] = {
    {0, "00"},
    {1, "01"},
    {127, "7F"},
    {128, "8001"},
    {16'383, "FF7F"},
    {16'384, "808001"},
    {2'097'151, "FFFF7F"},
    {2'097'152, "80808001"},
    {268'435'455, "FFFFFF7F"},
};

TEST(VariableByteIntegerTest, IsReadAndWrittenAtTheLimitsOfEachSize) {
  for (const Encoding& each : kLimits) {
    std::string out;
    Writer(out).VariableByteInteger(each.value);
    EXPECT_EQ(Hex(out), Hex(Bytes(each.bytes)));
    EXPECT_EQ(VariableByteIntegerSize(each.value), out.size());
    Reader in(out);
    EXPECT_EQ(in.VariableByteInteger(), each.value);
    EXPECT_TRUE(in.Finish().ok());
  }
}

TEST(VariableByteIntegerTest, IsRefusedInAnyOtherForm) {  // MQTT-1.5.5-1
  for (const char* text : {"8000", "808000", "80808000", "FF00", "FFFFFF00", "8080808000", "FFFFFFFF7F", "FFFFFF80"}) {
    const std::string bytes = Bytes(text);
    Reader in(bytes);
    in.VariableByteInteger("Property Length");
    EXPECT_EQ(ReasonCodeOf(in.Finish()), ReasonCode::kMalformedPacket) << text;
  }
}

TEST(VariableByteIntegerTest, IsRefusedCutShort) {
  for (const char* text : {"", "80", "FFFF", "FFFFFF"}) {
    const std::string bytes = Bytes(text);
    Reader in(bytes);
    in.VariableByteInteger();
    EXPECT_TRUE(in.failed()) << text;
  }
}

TEST(VariableByteIntegerTest, OverTheLimitIsNotWritten) {
  std::string out;
  Writer writer(out);
  writer.VariableByteInteger(268'435'456);
  EXPECT_TRUE(absl::IsInvalidArgument(writer.status()));
  EXPECT_EQ(out, "");
}

// --- UTF-8 (1.5.4) ------------------------------------------------------------------

constexpr std::string_view kGoodText[] = {
    "",
    "a",
    "\x01\x7F",                // Control characters are allowed, if unwise.
    "\xC2\x80",                // U+0080
    "\xDF\xBF",                // U+07FF
    "\xE0\xA0\x80",            // U+0800
    "\xED\x9F\xBF",            // U+D7FF, before the surrogates
    "\xEE\x80\x80",            // U+E000, behind them
    "\xEF\xBB\xBF",            // U+FEFF: MQTT-1.5.4-3
    "\xEF\xBF\xBF",            // U+FFFF, a non-character
    "\xF0\x90\x80\x80",        // U+10000
    "\xF4\x8F\xBF\xBF",        // U+10FFFF
    "A\xE2\x89\xA2\xCE\x91.",  // From RFC 3629.
    "1234567\xC3\xA4",         // Across the eight-byte steps.
    "12345678\xC3\xA4__________",
};

constexpr std::string_view kBadText[] = {
    std::string_view("\0", 1),
    std::string_view("abc\0def", 7),
    std::string_view("12345678\0", 9),
    std::string_view("1234567\0x", 9),
    "\x80",  // A continuation alone.
    "\xBF",
    "\xC0\x80",  // Overlong NUL.
    "\xC1\xBF",
    "\xE0\x80\x80",
    "\xE0\x9F\xBF",  // Overlong U+07FF.
    "\xF0\x80\x80\x80",
    "\xF0\x8F\xBF\xBF",  // Overlong U+FFFF.
    "\xED\xA0\x80",      // U+D800
    "\xED\xAF\xBF",
    "\xED\xB0\x80",              // U+DC00
    "\xED\xBF\xBF",              // U+DFFF
    "\xED\xA0\x80\xED\xB0\x80",  // A surrogate pair (CESU-8).
    "\xF4\x90\x80\x80",          // U+110000
    "\xF5\x80\x80\x80",
    "\xF8\x88\x80\x80\x80",  // Five bytes.
    "\xFE",
    "\xFF",
    "\xC3",  // Cut short.
    "\xE2\x82",
    "\xF0\x9F\x92",
    "\xC3(",  // No continuation.
    "\xE2(\xA1",
    "\xE2\x82(",
    "\xF0(\x8C\xBC",
    "\xF0\x9F(\xBC",
    "\xF0\x9F\x92(",
    "1234567\xC3",
    "12345678\xFF",
    "\xFF_2345678",
};

TEST(Utf8Test, TakesWellFormedText) {
  for (const std::string_view text : kGoodText) EXPECT_TRUE(IsValidUtf8(text)) << Hex(text);
}

TEST(Utf8Test, RefusesIllFormedTextSurrogatesAndNul) {
  for (const std::string_view text : kBadText) EXPECT_FALSE(IsValidUtf8(text)) << Hex(text);
}

// The fast path looks at eight bytes at a time: a bad byte must be found at each place.
TEST(Utf8Test, FindsABadByteAnywhere) {
  for (std::size_t size = 1; size <= 40; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, 'a');
      text[at] = '\0';
      EXPECT_FALSE(IsValidUtf8(text)) << size << " " << at;
      text[at] = '\x80';
      EXPECT_FALSE(IsValidUtf8(text)) << size << " " << at;
      text[at] = '\x01';
      EXPECT_TRUE(IsValidUtf8(text)) << size << " " << at;
    }
  }
}

TEST(Utf8Test, AgreesWithTheDefinitionOnEveryCodePoint) {
  for (std::uint32_t point = 0; point < 0x110000;
       point += point < 0x3000 || (point >= 0xD700 && point < 0xE100) ? 1 : 251) {
    std::string text;
    const auto tail = [&](int shift) { text += static_cast<char>(0x80 | ((point >> shift) & 0x3F)); };
    if (point < 0x80) {
      text += static_cast<char>(point);
    } else if (point < 0x800) {
      text += static_cast<char>(0xC0 | point >> 6);
      tail(0);
    } else if (point < 0x10000) {
      text += static_cast<char>(0xE0 | point >> 12);
      tail(6);
      tail(0);
    } else {
      text += static_cast<char>(0xF0 | point >> 18);
      tail(12);
      tail(6);
      tail(0);
    }
    const bool good = point != 0 && !(point >= 0xD800 && point <= 0xDFFF);
    ASSERT_EQ(IsValidUtf8(text), good) << std::hex << point;
  }
}

// --- Reader and Writer --------------------------------------------------------------

TEST(ReaderTest, KeepsItsFirstFailureAndThenReadsZeros) {
  const std::string bytes = Bytes("0001 'a' 0005 'b'");
  Reader in(bytes);
  EXPECT_EQ(in.Binary("first"), "a");
  EXPECT_EQ(in.Binary("second"), "");
  EXPECT_EQ(in.U32("third"), 0u);
  EXPECT_EQ(in.U8("fourth"), 0);
  in.Fail(ReasonCode::kProtocolError, "later");
  const absl::Status status = in.Finish();
  EXPECT_EQ(ReasonCodeOf(status), ReasonCode::kMalformedPacket);
  EXPECT_EQ(ToStd(status.message()), "Malformed Packet: second runs over the end");
}

TEST(ReaderTest, RefusesBytesLeftOver) {
  Reader in("ab");
  in.U8();
  EXPECT_EQ(ReasonCodeOf(in.Finish()), ReasonCode::kMalformedPacket);
  EXPECT_EQ(in.Rest(), "b");
  EXPECT_TRUE(in.Finish().ok());
}

TEST(WriterTest, WritesBigEndianAndRefusesStringsOver65535Bytes) {
  std::string out;
  Writer writer(out);
  writer.U8(0x01);
  writer.U16(0x0203);
  writer.U32(0x04050607);
  writer.String("\xC3\xA4");
  EXPECT_EQ(Hex(out), "01 02 03 04 05 06 07 00 02 C3 A4");
  EXPECT_TRUE(writer.status().ok());
  writer.Binary(std::string(65'535, 'x'));
  EXPECT_TRUE(writer.status().ok());
  writer.Binary(std::string(65'536, 'x'), "Password");
  EXPECT_EQ(ToStd(writer.status().message()), "Password is longer than 65,535 bytes");
}

}  // namespace
}  // namespace mqttrpc::mqtt
