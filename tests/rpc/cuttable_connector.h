// A network that a test can cut.
#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <asio/post.hpp>

#include "mqttrpc/mqtt/transport.h"

namespace mqttrpc::test {

// Dials through another connector; its streams can be cut, and dialling can be
// made to fail. Used on the thread that runs the event loop.
class CuttableConnector final : public mqtt::Connector {
 public:
  explicit CuttableConnector(mqtt::Connector& inner) : inner_(&inner) {}

  void set_inner(mqtt::Connector& inner) { inner_ = &inner; }
  void set_down(bool down) { down_ = down; }

  // What is written from now on never arrives, and nobody notices.
  void set_swallowing(bool swallowing) { swallowing_ = swallowing; }

  // What is written waits on the way until this is over.
  void set_stalled(bool stalled) {
    stalled_ = stalled;
    for (Stream* stream : streams_) stream->SendHeld();
  }

  // Both ends see the stream end without a word.
  void Cut() {
    const auto streams = std::exchange(streams_, {});
    for (Stream* stream : streams) stream->Cut();
  }

  std::unique_ptr<Attempt> Connect(const mqtt::Endpoint& endpoint, asio::any_io_executor executor, Done done) override {
    if (down_) {
      auto attempt = std::make_unique<FailedAttempt>();
      asio::post(executor, [alive = std::weak_ptr(attempt->alive), done = std::move(done)]() mutable {
        if (!alive.expired()) done(absl::UnavailableError("connection refused"));
      });
      return attempt;
    }
    return inner_->Connect(endpoint, executor, [this, executor, done = std::move(done)](auto opened) mutable {
      if (!opened.ok()) return done(opened.status());
      done(std::make_unique<Stream>(*this, executor, *std::move(opened)));
    });
  }

 private:
  struct FailedAttempt final : Attempt {
    std::shared_ptr<int> alive = std::make_shared<int>(0);
  };

  class Stream final : public mqtt::Transport, private mqtt::Transport::Handler {
   public:
    Stream(CuttableConnector& owner, asio::any_io_executor executor, std::unique_ptr<mqtt::Transport> inner)
        : owner_(owner), executor_(std::move(executor)), inner_(std::move(inner)) {
      owner_.streams_.insert(this);
    }
    ~Stream() override { owner_.streams_.erase(this); }

    void Cut() {
      inner_ = nullptr;
      asio::post(executor_, [this, alive = std::weak_ptr(alive_)] {
        if (!alive.expired() && handler_ != nullptr) handler_->OnClosed(absl::UnavailableError("cut"));
      });
    }

    void SendHeld() {
      if (owner_.stalled_ || held_.empty() || inner_ == nullptr) return;
      inner_->Write(std::exchange(held_, {}));
    }

    void Start(mqtt::Transport::Handler& handler) override {
      handler_ = &handler;
      if (inner_ != nullptr) inner_->Start(*this);
    }
    void Write(std::span<const std::span<const std::byte>> gather) override {
      if (owner_.swallowing_) {
        asio::post(executor_, [this, alive = std::weak_ptr(alive_)] {
          if (!alive.expired() && handler_ != nullptr) handler_->OnWritten();
        });
      } else {
        held_.assign(gather.begin(), gather.end());
        SendHeld();
      }
    }
    void PauseReading() override {
      if (inner_ != nullptr) inner_->PauseReading();
    }
    void ResumeReading() override {
      if (inner_ != nullptr) inner_->ResumeReading();
    }
    void Close() override {
      handler_ = nullptr;
      if (inner_ != nullptr) inner_->Close();
    }
    std::string peer() const override { return "cuttable"; }

   private:
    void OnBytes(std::span<const std::byte> bytes) override { handler_->OnBytes(bytes); }
    void OnWritten() override { handler_->OnWritten(); }
    void OnClosed(absl::Status why) override { handler_->OnClosed(std::move(why)); }

    CuttableConnector& owner_;
    const asio::any_io_executor executor_;
    std::unique_ptr<mqtt::Transport> inner_;
    mqtt::Transport::Handler* handler_ = nullptr;
    std::vector<std::span<const std::byte>> held_;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  };

  mqtt::Connector* inner_;
  bool down_ = false;
  bool swallowing_ = false;
  bool stalled_ = false;
  std::set<Stream*> streams_;
};

}  // namespace mqttrpc::test
