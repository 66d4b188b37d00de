// One thread's connections, and waiting for them.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace bench {

class Connection;

// Reads what has come, then writes what that gave rise to, once for each connection.
class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void RunFor(std::chrono::nanoseconds duration);
  void RunTill(std::chrono::steady_clock::time_point end);

  // Runs until `done` holds. Throws Void if that takes longer than `patience`, naming
  // what was waited for.
  void RunUntil(const std::function<bool()>& done, const std::string& what,
                std::chrono::milliseconds patience = std::chrono::seconds(20));

  // For connections only.
  void Add(Connection& connection, int file);
  void Remove(Connection& connection, int file);
  void WatchWriting(Connection& connection, int file, bool watch);
  void WriteLater(Connection& connection) { dirty_.push_back(&connection); }
  std::vector<char>& read_buffer() { return read_buffer_; }

 private:
  void Turn(std::chrono::nanoseconds longest);

  int epoll_;
  std::vector<Connection*> dirty_;    // Have something to write; each once.
  std::vector<Connection*> writing_;  // Those that are being written.
  std::vector<char> read_buffer_;
};

}  // namespace bench
