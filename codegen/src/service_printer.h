// The serving side's class: derive from it and override.
#pragma once

#include <google/protobuf/io/printer.h>

#include "model.h"

namespace mqttrpc::codegen {

void PrintServiceClass(const ServiceModel& service, gpb::io::Printer& out);
void PrintServiceSource(const ServiceModel& service, gpb::io::Printer& out);

}  // namespace mqttrpc::codegen
