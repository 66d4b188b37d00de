// Whole conversations of several clients with a broker, written as bytes: what the
// broker's fuzz target runs, and a seeded test of the normal suite.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mqttrpc::test {

// Writes a conversation. Any bytes are one; this makes sensible ones to begin with.
class Conversation {
 public:
  static constexpr std::size_t kClients = 4;

  Conversation& Dial(std::size_t client);  // Anew: an older connection of it is cut.
  Conversation& Say(std::size_t client, std::string_view bytes);
  Conversation& Freeze(std::size_t client);  // Or thaw, in turn.
  Conversation& Wait(unsigned exponent);     // For 2^exponent ms (0-23).

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Conversations about each thing a broker can do, and each packet of the corpus.
std::vector<std::string> ConversationSeeds();

// Holds it with a broker of small limits, under manual time. Returns what went
// against the promises, empty if nothing did: that of JudgedClient for each
// connection; that the budget holds at each step; that two clients who come after
// all that can talk to each other; that nothing is left when all sessions are over.
std::string JudgeConversation(std::string_view conversation);

}  // namespace mqttrpc::test
