// The calling side's class: a function per method.
#pragma once

#include <google/protobuf/io/printer.h>

#include "model.h"

namespace mqttrpc::codegen {

// Wants the service's class printed before it, for its Info().
void PrintStubClass(const ServiceModel& service, gpb::io::Printer& out);

}  // namespace mqttrpc::codegen
