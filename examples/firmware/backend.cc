// The backend: sends an image to a device.
//
//   firmware-backend --device kitchen --version 1.2.0 image.bin
//
// Stop and start the broker meanwhile: the bar stands still, then goes on.
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <utility>

#include <absl/strings/escaping.h>
#include <CLI/CLI.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include "mqttrpc/rpc/channel.h"
#include "upload.h"

// `[##########----------]  50 %  512 of 1024 KiB`, on standard error, drawn when it changes.
class ProgressBar {
 public:
  explicit ProgressBar(std::uint64_t total) : total_(total) {}

  void Show(std::uint64_t bytes) {
    const int percent = static_cast<int>(bytes * 100 / total_);
    if (percent == percent_) return;
    percent_ = percent;
    const auto filled = static_cast<std::size_t>(percent / 5);
    std::cerr << "\r[" << std::string(filled, '#') << std::string(20 - filled, '-') << "] " << percent << " %  "
              << bytes / 1024 << " of " << total_ / 1024 << " KiB" << (bytes == total_ ? "\n" : "") << std::flush;
  }

 private:
  const std::uint64_t total_;
  int percent_ = -1;
};

struct Task {
  std::string device;
  std::string version;
  std::string file;
  std::size_t chunk_bytes = 16 * 1024;
};

asio::awaitable<absl::Status> Run(mqttrpc::mqtt::ClientOptions options, const Task& task) {
  std::ifstream file(task.file, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) co_return absl::NotFoundError("cannot read " + task.file);

  mqttrpc::mqtt::Client client(co_await asio::this_coro::executor, options);
  auto watch = client.WatchState([](const mqttrpc::mqtt::ConnectionState& state) {
    if (state.kind == mqttrpc::mqtt::ConnectionState::Kind::kWaiting)
      std::cerr << '\n' << state.why << "; trying again\n";
  });
  client.Start();
  mqttrpc::Channel channel(client);

  ProgressBar bar(bytes.size());
  const demo::firmware::Progress progress = [&bar](std::uint64_t sent) { bar.Show(sent); };
  const demo::firmware::v1::FirmwareStub device(channel, task.device);
  const auto reply =
      co_await demo::firmware::Upload(device, task.version, std::move(bytes), task.chunk_bytes, progress);
  if (reply.ok()) {
    std::cout << task.device << " has " << reply->image().version() << ": " << reply->image().size() << " bytes in "
              << reply->chunks() << " chunks, SHA-256 " << absl::BytesToHexString(reply->image().sha256()) << '\n';
  }
  absl::Status disconnected = co_await client.Disconnect();
  co_return reply.ok() ? disconnected : reply.status();
}

int main(int argc, char** argv) {
  mqttrpc::mqtt::ClientOptions options;
  Task task;
  CLI::App app(
      "Sends a firmware image to a device over MQTT. The bar counts what the device has taken\n"
      "or has room for. A connection that is lost may come back within 30 s: the upload then\n"
      "goes on where it was. Exit status 1 if the device has not got the image.");
  app.add_option("--broker", options.broker, "Where the broker listens")->capture_default_str();
  app.add_option("--device", task.device, "The device's id")->required();
  app.add_option("--version", task.version, "What the image is called")->required();
  app.add_option("--chunk", task.chunk_bytes, "Bytes per message; 8k, 16k ... are understood")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(1, 1024 * 1024))
      ->capture_default_str();
  app.add_option("image", task.file, "The file to send")->required()->check(CLI::ExistingFile);
  app.footer("Example:\n  firmware-backend --device kitchen --version 1.2.0 image.bin");
  CLI11_PARSE(app, argc, argv);

  asio::io_context io;
  absl::Status status;
  asio::co_spawn(io, Run(options, task), [&](std::exception_ptr thrown, absl::Status result) {
    if (thrown) std::rethrow_exception(thrown);
    status = result;
  });
  io.run();
  if (!status.ok()) std::cerr << "\nfirmware-backend: " << status << '\n';
  return status.ok() ? 0 : 1;
}
