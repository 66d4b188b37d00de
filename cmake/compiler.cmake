# Warnings and sanitizers for our own targets.
include_guard(GLOBAL)

option(MQTTRPC_WARNINGS_AS_ERRORS "Treat warnings as errors" OFF)
set(MQTTRPC_SANITIZE "" CACHE STRING "Value of -fsanitize=, e.g. address,undefined")

add_library(mqttrpc_compile_options INTERFACE)
# BUILD_INTERFACE: the installed package names this target, empty, because static
# libraries name what they were built with.
target_compile_options(mqttrpc_compile_options INTERFACE
  "$<BUILD_INTERFACE:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wnon-virtual-dtor;-Woverloaded-virtual>")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False positives of GCC 12: on coroutine frames, and on string + string.
  target_compile_options(mqttrpc_compile_options INTERFACE
    "$<BUILD_INTERFACE:-Wno-mismatched-new-delete;-Wno-restrict>")
endif()
if(MQTTRPC_WARNINGS_AS_ERRORS)
  target_compile_options(mqttrpc_compile_options INTERFACE $<BUILD_INTERFACE:-Werror>)
endif()

# Every translation unit must agree on sanitizers, so these are global.
if(MQTTRPC_SANITIZE)
  add_compile_options(-fsanitize=${MQTTRPC_SANITIZE} -fno-omit-frame-pointer -g -O1)
  add_link_options(-fsanitize=${MQTTRPC_SANITIZE})
  if(MQTTRPC_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # The instrumentation hides from GCC 12 what was initialised.
    add_compile_options(-Wno-maybe-uninitialized)
    if(MQTTRPC_SANITIZE MATCHES "thread")
      add_compile_options(-Wno-tsan)
    endif()
  endif()
endif()

# What is fuzzed reports its coverage; the fuzz targets bring libFuzzer itself.
if(MQTTRPC_BUILD_FUZZERS)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(MQTTRPC_CCACHE ccache)
mark_as_advanced(MQTTRPC_CCACHE)
if(MQTTRPC_CCACHE AND PROJECT_IS_TOP_LEVEL)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${MQTTRPC_CCACHE})
endif()
