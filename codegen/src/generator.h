// The plugin: x.proto in, x.mqttrpc.h and x.mqttrpc.cc out, and x.mqttrpc.mock.h
// with the parameter mocks=true.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <google/protobuf/compiler/code_generator.h>

namespace mqttrpc::codegen {

class Generator final : public google::protobuf::compiler::CodeGenerator {
 public:
  // Writes all files for every .proto, also for one without services: build
  // rules name them before anyone has read it. All files' errors are reported at once.
  bool GenerateAll(const std::vector<const google::protobuf::FileDescriptor*>& files, const std::string& parameter,
                   google::protobuf::compiler::GeneratorContext* context, std::string* error) const override;

  bool Generate(const google::protobuf::FileDescriptor* file, const std::string& parameter,
                google::protobuf::compiler::GeneratorContext* context, std::string* error) const override;

  std::uint64_t GetSupportedFeatures() const override;

#if GOOGLE_PROTOBUF_VERSION >= 5027000
  // Nothing here depends on what editions change: presence, packing, enums.
  google::protobuf::Edition GetMinimumEdition() const override { return google::protobuf::EDITION_PROTO2; }
  google::protobuf::Edition GetMaximumEdition() const override { return google::protobuf::EDITION_2023; }
#endif
};

}  // namespace mqttrpc::codegen
