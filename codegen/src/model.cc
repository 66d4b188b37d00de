#include "model.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include <google/protobuf/descriptor.pb.h>

namespace mqttrpc::codegen {
namespace {

// Names become topic levels. MQTT would take more, but a topic has 65,535 bytes
// in all, and brokers commonly far less.
constexpr std::size_t kMaximumNameBytes = 255;

void CheckNameLength(const gpb::FileDescriptor& file, SourcePath path, int name_field, std::string_view what,
                     const std::string& name, Diagnostics& diagnostics) {
  if (name.size() <= kMaximumNameBytes) return;
  path.push_back(name_field);
  diagnostics.Report(file, std::move(path),
                     std::string(what) + " is " + std::to_string(name.size()) +
                         " bytes; as a topic level it may have " + std::to_string(kMaximumNameBytes));
}

// Generated code shares its namespace with the file's own things; these cannot
// live together with what it refers to.
void CheckPackage(const gpb::FileDescriptor& file, Diagnostics& diagnostics) {
  for (const char* package : {"mqttrpc", "mqttrpc.mqtt", "mqttrpc.broker"}) {
    if (file.package() != package) continue;
    diagnostics.Report(
        file, {gpb::FileDescriptorProto::kPackageFieldNumber},
        "package " + std::string(package) + " is the C++ namespace of the runtime; choose another for services");
  }
  if (!file.package().empty()) return;
  for (int i = 0; i < file.message_type_count(); ++i) {
    const std::string name(file.message_type(i)->name());
    for (const std::string_view root : {"mqttrpc", "absl", "asio", "google", "std"}) {
      if (name != root) continue;
      diagnostics.Report(file, {gpb::FileDescriptorProto::kMessageTypeFieldNumber, i},
                         "message " + name + " outside a package clashes with the C++ namespace; add a package");
    }
  }
}

MethodKind KindOf(const gpb::MethodDescriptor& method) {
  if (method.client_streaming()) {
    return method.server_streaming() ? MethodKind::kBidiStreaming : MethodKind::kClientStreaming;
  }
  return method.server_streaming() ? MethodKind::kServerStreaming : MethodKind::kUnary;
}

// What both handlers take and what the plain one returns.
void AddHandler(MethodKind kind, Variables& v) {
  const std::string status = v.at("absl") + "Status";
  const std::string status_or_reply = v.at("absl") + "StatusOr<" + v.at("reply") + ">";
  const bool one_reply = kind == MethodKind::kUnary || kind == MethodKind::kClientStreaming;
  v["result"] = one_reply ? status_or_reply : status;
  v["parameters"] = v.at("rt") + "ServerContext& context";
  v["types"] = v.at("rt") + "ServerContext&";
  const auto add = [&v](const std::string& type, const std::string& name) {
    v["parameters"] += ", " + type + "& " + name;
    v["types"] += ", " + type + "&";
  };
  if (kind == MethodKind::kUnary || kind == MethodKind::kServerStreaming) add("const " + v.at("request"), "request");
  switch (kind) {
    case MethodKind::kUnary: break;
    case MethodKind::kServerStreaming: add(v.at("rt") + "ServerWriter<" + v.at("reply") + ">", "writer"); break;
    case MethodKind::kClientStreaming: add(v.at("rt") + "ServerReader<" + v.at("request") + ">", "reader"); break;
    case MethodKind::kBidiStreaming:
      add(v.at("rt") + "ServerReaderWriter<" + v.at("request") + ", " + v.at("reply") + ">", "stream");
      break;
  }
}

bool IsUnary(const MethodModel& method) { return method.kind == MethodKind::kUnary; }

MethodModel BuildMethod(const gpb::MethodDescriptor& method, const Names& names, const Variables& service,
                        std::int64_t service_timeout_ms, Diagnostics& diagnostics) {
  CheckNameLength(*method.file(), PathOf(method), gpb::MethodDescriptorProto::kNameFieldNumber, "the method's name",
                  std::string(method.name()), diagnostics);
  const MethodNames& named = names.Of(*method.service()).methods[method.index()];
  MethodModel model;
  model.descriptor = &method;
  model.kind = KindOf(method);
  // A service's timeout is for calls that are over soon: streams have none but their own.
  if (model.kind != MethodKind::kUnary) service_timeout_ms = 0;
  model.settings = ReadMethodSettings(method, service_timeout_ms, diagnostics);
  model.variables = service;
  model.variables["name"] = named.plain;
  model.variables["coroutine"] = named.coroutine;
  model.variables["wire_name"] = std::string(method.name());
  model.variables["index"] = std::to_string(method.index());
  model.variables["request"] = names.Class(*method.input_type(), *method.service());
  model.variables["reply"] = names.Class(*method.output_type(), *method.service());
  AddHandler(model.kind, model.variables);
  return model;
}

ServiceModel BuildService(const gpb::ServiceDescriptor& service, const Names& names, const Variables& file,
                          Diagnostics& diagnostics) {
  CheckNameLength(*service.file(), PathOf(service), gpb::ServiceDescriptorProto::kNameFieldNumber,
                  "the service's full name", std::string(service.full_name()), diagnostics);
  ServiceModel model;
  model.descriptor = &service;
  model.share_group = ReadShareGroup(service, diagnostics);
  model.variables = file;
  model.variables["stub"] = names.Of(service).stub;
  model.variables["service"] = names.Of(service).service;
  model.variables["mock"] = names.Of(service).mock;
  model.variables["full_name"] = std::string(service.full_name());
  const std::int64_t timeout_ms = ReadServiceTimeout(service, diagnostics);
  for (int i = 0; i < service.method_count(); ++i) {
    model.methods.push_back(BuildMethod(*service.method(i), names, model.variables, timeout_ms, diagnostics));
  }
  return model;
}

std::string MessageHeader(const gpb::FileDescriptor& file) {
  const std::string name = StripProto(std::string(file.name())) + ".pb.h";
  const bool is_protobufs_own = name.rfind("google/protobuf/", 0) == 0;
  return is_protobufs_own ? "<" + name + ">" : "\"" + name + "\"";
}

// The file's own first, then those of the imports that declare messages which
// its methods use, wherever the import comes through.
std::vector<std::string> MessageHeaders(const gpb::FileDescriptor& file) {
  std::set<std::string> others;
  const auto add = [&](const gpb::Descriptor& message) {
    if (message.file() != &file) others.insert(MessageHeader(*message.file()));
  };
  for (int i = 0; i < file.service_count(); ++i) {
    for (int j = 0; j < file.service(i)->method_count(); ++j) {
      add(*file.service(i)->method(j)->input_type());
      add(*file.service(i)->method(j)->output_type());
    }
  }
  std::vector<std::string> headers = {MessageHeader(file)};
  headers.insert(headers.end(), others.begin(), others.end());
  return headers;
}

}  // namespace

bool HasUnary(const ServiceModel& service) {
  return std::any_of(service.methods.begin(), service.methods.end(), IsUnary);
}

bool HasStreams(const ServiceModel& service) {
  return !std::all_of(service.methods.begin(), service.methods.end(), IsUnary);
}

void CheckMocks(const FileModel& file, Diagnostics& diagnostics) {
  // gMock's macros say std::, not ::std::.
  if (file.services.empty() || file.variables.at("std") == "std::") return;
  diagnostics.Report(*file.descriptor, {gpb::FileDescriptorProto::kPackageFieldNumber},
                     "no mocks of these services: a package or a message hides namespace std, which gMock refers to; "
                     "rename it or leave out mocks=true");
}

FileModel BuildModel(const gpb::FileDescriptor& file, Diagnostics& diagnostics) {
  const Names names(file);
  FileModel model;
  model.descriptor = &file;
  model.name_space = names.name_space();
  model.stem = StripProto(std::string(file.name()));
  model.message_headers = MessageHeaders(file);
  model.variables["rt"] = "::mqttrpc::";  // For "acme.mqttrpc" is a likely package.
  for (const char* root : {"absl", "asio", "std"}) model.variables[root] = names.Root(root) + "::";
  if (file.service_count() > 0) CheckPackage(file, diagnostics);
  for (int i = 0; i < file.service_count(); ++i) {
    model.services.push_back(BuildService(*file.service(i), names, model.variables, diagnostics));
  }
  return model;
}

}  // namespace mqttrpc::codegen
