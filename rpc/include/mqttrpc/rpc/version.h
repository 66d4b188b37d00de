// The version handshake between generated code and the runtime.
#pragma once

// major * 1,000,000 + minor * 1,000 + patch.
#define MQTTRPC_VERSION 1000

// The oldest plugin whose output this runtime still serves.
#define MQTTRPC_MINIMUM_GENERATED_VERSION 1000
