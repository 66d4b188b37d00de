# mqttrpc_test(NAME SOURCES file... LIBRARIES target...)
#
# One GoogleTest program; each TEST is a ctest case of its own.
include_guard(GLOBAL)

function(mqttrpc_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;LIBRARIES")
  if(NOT arg_SOURCES)
    set(arg_SOURCES ${name}.cc)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} GTest::gmock GTest::gtest_main mqttrpc_compile_options)
  include(GoogleTest)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${arg_TIMEOUT})
endfunction()

# mqttrpc_test_on_shards(NAME [TEST...])
#
# The whole program once more, with brokers of three shards (tests/support/test_shards.h), but
# for the tests named: what they promise is the matter of one shard.
function(mqttrpc_test_on_shards name)
  list(JOIN ARGN ":" without)
  add_test(NAME ${name}.on_three_shards COMMAND ${name} --gtest_brief=1 --gtest_filter=*-${without})
  set_tests_properties(${name}.on_three_shards PROPERTIES TIMEOUT 240 ENVIRONMENT "MQTTRPC_TEST_SHARDS=3")
endfunction()
