#include "names.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <google/protobuf/descriptor.pb.h>

namespace mqttrpc::codegen {
namespace {

// What protoc's C++ generator appends `_` to, in its newest version; 3.21 lacks
// the C++20 words and leaves packages alone, but then its own output does not
// compile as C++20. `final`, `override` and `import` are good names.
constexpr std::string_view kKeywords[] = {
    "NULL",
    "alignas",
    "alignof",
    "and",
    "and_eq",
    "asm",
    "assert",
    "auto",
    "bitand",
    "bitor",
    "bool",
    "break",
    "case",
    "catch",
    "char",
    "char16_t",
    "char32_t",
    "char8_t",
    "class",
    "co_await",
    "co_return",
    "co_yield",
    "compl",
    "concept",
    "const",
    "const_cast",
    "consteval",
    "constexpr",
    "constinit",
    "continue",
    "decltype",
    "default",
    "delete",
    "do",
    "double",
    "dynamic_cast",
    "else",
    "enum",
    "explicit",
    "export",
    "extern",
    "false",
    "float",
    "for",
    "friend",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "mutable",
    "namespace",
    "new",
    "noexcept",
    "not",
    "not_eq",
    "nullptr",
    "operator",
    "or",
    "or_eq",
    "private",
    "protected",
    "public",
    "register",
    "reinterpret_cast",
    "requires",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "static_assert",
    "static_cast",
    "struct",
    "switch",
    "template",
    "this",
    "thread_local",
    "throw",
    "true",
    "try",
    "typedef",
    "typeid",
    "typename",
    "union",
    "unsigned",
    "using",
    "virtual",
    "void",
    "volatile",
    "wchar_t",
    "while",
    "xor",
    "xor_eq",
};

// Macros of the C and POSIX headers that the runtime includes, as far as someone
// might call a method so.
constexpr std::string_view kMacros[] = {
    "BUFSIZ", "EOF",   "FILENAME_MAX", "INFINITY", "NAN",      "RAND_MAX", "SIGINT", "SIGTERM", "alloca", "errno",
    "h_addr", "linux", "major",        "minor",    "offsetof", "stderr",   "stdin",  "stdout",  "unix",
};

template <typename List>
bool Contains(const List& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

std::string ResolveKeyword(std::string name) {
  if (Contains(kKeywords, name)) name += '_';
  return name;
}

std::string ResolveMacro(std::string name) {
  if (Contains(kMacros, name)) name += '_';
  return name;
}

// "acme.lamp.v1" -> "acme::lamp::v1".
std::string Namespace(std::string_view package) {
  std::string result;
  while (!package.empty()) {
    const std::size_t dot = std::min(package.find('.'), package.size());
    if (!result.empty()) result += "::";
    result += ResolveKeyword(std::string(package.substr(0, dot)));
    package.remove_prefix(std::min(dot + 1, package.size()));
  }
  return result;
}

std::string Join(std::string_view scope, std::string_view name) {
  std::string result(scope);
  if (!result.empty()) result += "::";
  return result.append(name);
}

// Nested messages are flattened: Outer.Inner is Outer_Inner.
std::string FlatClass(const gpb::Descriptor& message) {
  std::string name(message.name());
  if (message.containing_type() != nullptr) name = FlatClass(*message.containing_type()) + "_" + name;
  return ResolveKeyword(std::move(name));
}

std::string FlatEnum(const gpb::EnumDescriptor& descriptor) {
  std::string name(descriptor.name());
  if (descriptor.containing_type() == nullptr) return ResolveKeyword(std::move(name));
  return FlatClass(*descriptor.containing_type()) + "_" + name;
}

void CollectMessage(const gpb::Descriptor& message, const std::string& scope, std::set<std::string>& into) {
  into.insert(Join(scope, FlatClass(message)));
  for (int i = 0; i < message.nested_type_count(); ++i) CollectMessage(*message.nested_type(i), scope, into);
  for (int i = 0; i < message.enum_type_count(); ++i) into.insert(Join(scope, FlatEnum(*message.enum_type(i))));
}

// Members of the generated classes and of their base, and the parameters and
// variables of their functions: nearer than a message's class.
constexpr std::string_view kMembers[] = {"Info", "info", "Serve", "Token", "channel_", "target_"};
constexpr std::string_view kLocals[] = {"Service", "call",    "channel", "context", "method", "options",
                                        "reader",  "request", "stream",  "target",  "token",  "writer"};

bool IsMember(std::string_view name, const ServiceNames& service) {
  return Contains(kMembers, name) || name == service.stub || name == service.service || name == service.mock;
}

bool IsUsedIn(std::string_view name, const ServiceNames& service) {
  return IsMember(name, service) || Contains(kLocals, name) ||
         std::any_of(service.methods.begin(), service.methods.end(),
                     [name](const MethodNames& method) { return name == method.plain || name == method.coroutine; });
}

std::string Free(std::string name, const std::set<std::string>& taken) {
  while (taken.count(name) != 0) name += '_';
  return name;
}

// Those of `service`, whose classes `names` has already.
void NameMethods(const gpb::ServiceDescriptor& service, ServiceNames& names) {
  // One name for a method everywhere, so it avoids the members of all classes.
  std::set<std::string> taken(std::begin(kMembers), std::end(kMembers));
  taken.insert({names.stub, names.service, names.mock});
  names.methods.resize(service.method_count());
  // First those that need no change, so that none of them changes for another's sake.
  for (const bool changes : {false, true}) {
    for (int i = 0; i < service.method_count(); ++i) {
      const std::string declared(service.method(i)->name());
      std::string name = ResolveMacro(ResolveKeyword(declared));
      if ((name != declared || IsMember(declared, names)) != changes) continue;
      names.methods[i].plain = Free(std::move(name), taken);
      taken.insert(names.methods[i].plain);
    }
  }
  for (MethodNames& method : names.methods) {
    method.coroutine = Free("Co" + method.plain, taken);
    taken.insert(method.coroutine);
  }
}

}  // namespace

std::string QualifiedClass(const gpb::Descriptor& message) {
  return Join(Namespace(std::string(message.file()->package())), FlatClass(message));
}

std::string StripProto(std::string_view file_name) {
  for (const std::string_view suffix : {".protodevel", ".proto"}) {
    if (file_name.size() >= suffix.size() && file_name.substr(file_name.size() - suffix.size()) == suffix) {
      return std::string(file_name.substr(0, file_name.size() - suffix.size()));
    }
  }
  return std::string(file_name);
}

Names::Names(const gpb::FileDescriptor& file) : name_space_(Namespace(std::string(file.package()))) {
  std::set<const gpb::FileDescriptor*> seen;
  CollectDeclared(file, seen);
  for (int i = 0; i < file.service_count(); ++i) {
    ServiceNames names;
    names.stub = TakeClass(std::string(file.service(i)->name()) + "Stub");
    names.service = TakeClass(std::string(file.service(i)->name()) + "Service");
    services_.push_back(std::move(names));
  }
  // Behind all others, so that none of them changes for a mock's sake.
  for (int i = 0; i < file.service_count(); ++i) {
    services_[i].mock = TakeClass("Mock" + std::string(file.service(i)->name()) + "Service");
  }
  for (int i = 0; i < file.service_count(); ++i) NameMethods(*file.service(i), services_[i]);
}

std::string Names::TakeClass(std::string name) {
  while (!declared_.insert(Join(name_space_, name)).second) name += '_';
  return name;
}

void Names::CollectDeclared(const gpb::FileDescriptor& file, std::set<const gpb::FileDescriptor*>& seen) {
  if (!seen.insert(&file).second) return;
  const std::string scope = Namespace(std::string(file.package()));
  for (std::size_t end = scope.find("::"); end != std::string::npos; end = scope.find("::", end + 2)) {
    declared_.insert(scope.substr(0, end));
  }
  if (!scope.empty()) declared_.insert(scope);
  for (int i = 0; i < file.message_type_count(); ++i) CollectMessage(*file.message_type(i), scope, declared_);
  for (int i = 0; i < file.enum_type_count(); ++i) {
    const gpb::EnumDescriptor& descriptor = *file.enum_type(i);
    declared_.insert(Join(scope, FlatEnum(descriptor)));
    for (int j = 0; j < descriptor.value_count(); ++j) {
      declared_.insert(Join(scope, ResolveKeyword(std::string(descriptor.value(j)->name()))));
    }
  }
  for (int i = 0; i < file.extension_count(); ++i) {
    declared_.insert(Join(scope, ResolveKeyword(std::string(file.extension(i)->name()))));
  }
  if (file.options().cc_generic_services()) {  // protoc then makes classes, too.
    for (int i = 0; i < file.service_count(); ++i) {
      const std::string name(file.service(i)->name());
      declared_.insert(Join(scope, name));
      declared_.insert(Join(scope, name + "_Stub"));
    }
  }
  for (int i = 0; i < file.dependency_count(); ++i) CollectDeclared(*file.dependency(i), seen);
}

std::string Names::Class(const gpb::Descriptor& message, const gpb::ServiceDescriptor& service) const {
  const std::string qualified = QualifiedClass(message);
  std::string name = FlatClass(message);
  if (!name_space_.empty() && qualified == Join(name_space_, name) && !IsUsedIn(name, Of(service))) return name;
  // Always from the root: some other file of our package's owner may declare a
  // namespace that hides this one's beginning (acme.google beside acme.lamp).
  return "::" + qualified;
}

std::string Names::Root(std::string_view name) const {
  return IsHidden(name) ? "::" + std::string(name) : std::string(name);
}

bool Names::IsHidden(std::string_view name) const {
  // In one of the namespaces around us, from the outermost in.
  for (std::size_t end = name_space_.find("::");; end = name_space_.find("::", end + 2)) {
    if (!name_space_.empty() && declared_.count(Join(name_space_.substr(0, end), name)) != 0) return true;
    if (end == std::string::npos) return false;
  }
}

}  // namespace mqttrpc::codegen
