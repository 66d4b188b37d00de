// Line breaks for generated code.
#pragma once

#include <string>
#include <string_view>

namespace mqttrpc::codegen {

// Breaks the lines of `code` that are over 120 columns as clang-format would:
// at the commas between a call's or function's arguments, else before the
// function's name. Comments and preprocessor lines stay.
std::string WrapLongLines(std::string_view code);

}  // namespace mqttrpc::codegen
