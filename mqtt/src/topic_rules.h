// The rules of topic.h for the codec, which has checked the UTF-8 already.
#pragma once

#include <string_view>

#include "wire.h"

namespace mqttrpc::mqtt {

// 0x90 for a Topic Name that is empty, has a wildcard or too many levels.
Fault TopicNameFault(std::string_view topic_name);

// 0x8F for a Topic Filter, shared or not, that breaks the rules.
Fault TopicFilterFault(std::string_view topic_filter);

}  // namespace mqttrpc::mqtt
