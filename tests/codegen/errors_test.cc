// What the plugin refuses, in the words and at the place that protoc shows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "protoc.h"
#include "support/child_process.h"

namespace mqttrpc::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// Protoc's output for `proto`; empty if it was accepted.
std::string ErrorsOf(std::string_view proto, const std::vector<std::string>& arguments = {}) {
  const ScratchFolder scratch;
  WriteFile(scratch.path() / "dir/bad.proto", proto);
  const ProtocResult result = RunPlugin(scratch.path(), {"dir/bad.proto"}, scratch.path() / "out", arguments);
  EXPECT_EQ(result.exit_status == 0, result.output.empty()) << result.output;
  if (result.exit_status != 0) {
    EXPECT_FALSE(std::filesystem::exists(scratch.path() / "out/dir/bad.mqttrpc.h"));
  }
  return result.output;
}

// The same for a file in which `service` begins on line 6.
std::string ErrorsOfService(std::string_view service) {
  const bool has_options = service.find("(mqttrpc.") != std::string_view::npos;
  std::string proto = "syntax = \"proto3\";\npackage t;\n";
  proto += has_options ? "import \"mqttrpc/options.proto\";\n" : "\n";
  proto += "message M {}\n\n";
  return ErrorsOf(proto.append(service));
}

TEST(CodegenErrorsTest, AcceptsWhatIsRight) {
  EXPECT_EQ(ErrorsOfService(R"(service S {
  option (mqttrpc.service) = {share_group: "g" timeout_ms: 1};
  rpc A(M) returns (M) { option (mqttrpc.method) = {timeout_ms: 2592000000 qos: AT_MOST_ONCE}; }
}
)"),
            "");
}

TEST(CodegenErrorsTest, RefusesATimeoutOutOfRangeAtItsOption) {
  EXPECT_EQ(ErrorsOfService(R"(service S {
  rpc A(M) returns (M) {
    option (mqttrpc.method).timeout_ms = 0;
  }
}
)"),
            "--mqttrpc_out: 1 error\n"
            "dir/bad.proto:8:5: timeout_ms is 0; it must be 1 to 2592000000 (30 days)\n");
  EXPECT_THAT(ErrorsOfService(R"(service S {
  option (mqttrpc.service).timeout_ms = -5;
}
)"),
              HasSubstr("dir/bad.proto:7:3: timeout_ms is -5; it must be 1 to 2592000000 (30 days)\n"));
  EXPECT_THAT(ErrorsOfService(R"(service S {
  rpc A(M) returns (M) {
    option (mqttrpc.method) = {
      timeout_ms: 2592000001
    };
  }
}
)"),
              HasSubstr("dir/bad.proto:8:5: timeout_ms is 2592000001; it must be"));
}

// MQTT-4.8.2-1, MQTT-4.8.2-2.
TEST(CodegenErrorsTest, RefusesAShareGroupThatIsNoShareName) {
  const auto with_group = [](const std::string& group) {
    return ErrorsOfService("service S {\n\n  option (mqttrpc.service).share_group = \"" + group + "\";\n}\n");
  };
  EXPECT_THAT(with_group(""), HasSubstr("dir/bad.proto:8:3: share_group is empty; leave it out"));
  EXPECT_THAT(with_group("a/b"), HasSubstr("dir/bad.proto:8:3: share_group \"a/b\" contains '/', which MQTT"));
  EXPECT_THAT(with_group("+"), HasSubstr("contains '+', which MQTT"));
  EXPECT_THAT(with_group("x#"), HasSubstr("contains '#', which MQTT"));
  EXPECT_THAT(with_group("a b"), HasSubstr("contains a space"));
  EXPECT_THAT(with_group("\\000"), HasSubstr("a control character"));
  EXPECT_THAT(with_group(std::string(256, 'g')), HasSubstr("share_group is 256 bytes; it may have 255"));
  EXPECT_EQ(with_group(std::string(255, 'g')), "");
  EXPECT_EQ(with_group("quote\\\"and\\\\"), "");
}

TEST(CodegenErrorsTest, RefusesNamesTooLongForATopicLevel) {
  const std::string fits(253, 'S');  // With "t." 255 bytes.
  EXPECT_EQ(ErrorsOfService("service " + fits + " {}\n"), "");
  EXPECT_THAT(ErrorsOfService("service " + fits + "S {}\n"),
              HasSubstr("dir/bad.proto:6:9: the service's full name is 256 bytes; as a topic level it may have 255\n"));
  EXPECT_THAT(ErrorsOfService("service S {\n  rpc " + std::string(256, 'A') + "(M) returns (M);\n}\n"),
              HasSubstr("dir/bad.proto:7:7: the method's name is 256 bytes; as a topic level it may have 255\n"));
}

TEST(CodegenErrorsTest, RefusesWhatClashesWithTheRuntimesNamespace) {
  EXPECT_THAT(ErrorsOf("syntax = \"proto3\";\npackage mqttrpc;\nservice S {}\n"),
              HasSubstr("dir/bad.proto:2:1: package mqttrpc is the C++ namespace of the runtime"));
  EXPECT_THAT(ErrorsOf("syntax = \"proto3\";\nmessage mqttrpc {}\nservice S {}\n"),
              HasSubstr("dir/bad.proto:2:1: message mqttrpc outside a package clashes with the C++ namespace"));
  EXPECT_EQ(ErrorsOf("syntax = \"proto3\";\npackage mqttrpc;\nmessage M {}\n"), "");
}

TEST(CodegenErrorsTest, RefusesParametersThatItDoesNotKnow) {
  const auto with = [](const std::string& parameter) {
    return ErrorsOf("syntax = \"proto3\";\n", {"--mqttrpc_opt=" + parameter});
  };
  EXPECT_EQ(with("color=red"), "--mqttrpc_out: unknown parameter \"color\"; protoc-gen-mqttrpc takes mocks=true\n");
  EXPECT_THAT(with("mocks=true,mock=true"), StartsWith("--mqttrpc_out: unknown parameter \"mock\";"));
  EXPECT_THAT(with("mocks"), StartsWith("--mqttrpc_out: parameter mocks is \"\"; it must be true or false: "));
  EXPECT_THAT(with("mocks=yes"), StartsWith("--mqttrpc_out: parameter mocks is \"yes\"; it must be true or false: "));
}

// gMock's macros say std::, not ::std::.
TEST(CodegenErrorsTest, RefusesMocksWhereStdIsHidden) {
  const std::string package = "syntax = \"proto3\";\n\npackage acme.std;\n";
  EXPECT_THAT(
      ErrorsOf(package + "service S {}\n", {"--mqttrpc_opt=mocks=true"}),
      StartsWith("--mqttrpc_out: 1 error\ndir/bad.proto:3:1: no mocks of these services: a package or a message "
                 "hides namespace std"));
  EXPECT_EQ(ErrorsOf(package + "service S {}\n"), "");
  EXPECT_EQ(ErrorsOf(package + "message M {}\n", {"--mqttrpc_opt=mocks=true"}), "");
}

// All at once, in the order of the files: nobody likes to be told one by one.
TEST(CodegenErrorsTest, ReportsEveryErrorOfEveryFile) {
  const ScratchFolder scratch;
  const std::string bad =
      "syntax = \"proto3\";\nmessage M$ {}\nservice S$ { rpc " + std::string(256, 'A') + "(M$) returns (M$); }\n";
  for (const std::string name : {"1", "2"}) {
    std::string text = bad;
    for (std::size_t at; (at = text.find('$')) != std::string::npos;) text.replace(at, 1, name);
    WriteFile(scratch.path() / (name + ".proto"), text);
  }
  const ProtocResult result = RunPlugin(scratch.path(), {"1.proto", "2.proto"}, scratch.path() / "out");
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_THAT(result.output, StartsWith("--mqttrpc_out: 2 errors\n1.proto:3:18: "));
  EXPECT_THAT(result.output, HasSubstr("\n2.proto:3:18: "));
}

// Text from the .proto must not become code.
TEST(CodegenErrorsTest, KeepsCommentsComments) {
  const ScratchFolder scratch;
  WriteFile(scratch.path() / "c.proto",
            "syntax = \"proto3\";\npackage t;\n\n"
            "// one\r// two\\\n// */ $name$ \\   \n\n/* block\n int x;\n */\nservice S {}\n");
  const ProtocResult result = RunPlugin(scratch.path(), {"c.proto"}, scratch.path());
  ASSERT_EQ(result.exit_status, 0) << result.output;
  const std::string header = ReadFile(scratch.path() / "c.mqttrpc.h");
  EXPECT_EQ(header.find('\r'), std::string::npos);
  EXPECT_EQ(header.find("\\\n"), std::string::npos);
  EXPECT_THAT(header, HasSubstr("// */ $name$ \\ |\n"));
  EXPECT_THAT(header, HasSubstr("// int x;\n"));
}

struct Ended {
  int status;
  std::string output;
};

Ended RunPluginAlone(const std::string& argument) {
  ChildProcess plugin({"sh", "-c", "exec \"$@\" 2>&1", "sh", MQTTRPC_TEST_PLUGIN, argument});
  std::string output = plugin.ReadRest();
  return {plugin.Wait(), std::move(output)};
}

TEST(CodegenProgramTest, TellsItsVersionAndHowItIsRun) {
  const Ended version = RunPluginAlone("--version");
  EXPECT_EQ(version.status, 0);
  EXPECT_EQ(version.output, "protoc-gen-mqttrpc " MQTTRPC_TEST_VERSION "\n");
  const Ended help = RunPluginAlone("--help");
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.output, HasSubstr("protoc runs it."));
  const Ended unknown = RunPluginAlone("--verbose");
  EXPECT_EQ(unknown.status, 2);
  EXPECT_THAT(unknown.output, HasSubstr("unknown argument --verbose; try --help"));
}

}  // namespace
}  // namespace mqttrpc::testing
