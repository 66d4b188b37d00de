// A service's class for tests, with gMock's functions.
#pragma once

#include <google/protobuf/io/printer.h>

#include "model.h"

namespace mqttrpc::codegen {

void PrintMockClass(const ServiceModel& service, gpb::io::Printer& out);

}  // namespace mqttrpc::codegen
