#include "checksum.h"

#include <string>

#include <gtest/gtest.h>

namespace mqttrpc {
namespace {

std::string Rising(int from, int step, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes.push_back(static_cast<char>(from + i * step));
  return bytes;
}

// RFC 3720, appendix B.4, which writes them with the lowest byte first.
TEST(Crc32cTest, AgreesWithTheExamplesOfRfc3720) {
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(Crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  EXPECT_EQ(Crc32c(Rising(0, 1, 32)), 0x46DD794Eu);
  EXPECT_EQ(Crc32c(Rising(31, -1, 32)), 0x113FDB5Cu);
  std::string read_pdu(48, '\0');  // An iSCSI SCSI Read (10) command.
  read_pdu[0] = '\x01';
  read_pdu[1] = '\xC0';
  read_pdu[16] = '\x14';
  read_pdu[22] = '\x04';
  read_pdu[27] = '\x14';
  read_pdu[31] = '\x18';
  read_pdu[32] = '\x28';
  read_pdu[40] = '\x02';
  EXPECT_EQ(Crc32c(read_pdu), 0xD9963A56u);
}

TEST(Crc32cTest, OfTheNineDigitsIsTheUsualCheckValue) { EXPECT_EQ(Crc32c("123456789"), 0xE3069283u); }

TEST(Crc32cTest, OfNothingIsNothing) {
  EXPECT_EQ(Crc32c(""), 0u);
  EXPECT_EQ(Crc32c("", 0x12345678u), 0x12345678u);
}

TEST(Crc32cTest, GoesOnWhereItStopped) {
  const std::string bytes = Rising(7, 3, 200);
  const std::uint32_t whole = Crc32c(bytes);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    EXPECT_EQ(Crc32c(std::string_view(bytes).substr(cut), Crc32c(std::string_view(bytes).substr(0, cut))), whole)
        << cut;
  }
}

TEST(Crc32cTest, SeesASingleBit) {
  std::string bytes = Rising(0, 1, 64);
  const std::uint32_t whole = Crc32c(bytes);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(Crc32c(bytes), whole) << bit;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  }
}

}  // namespace
}  // namespace mqttrpc
