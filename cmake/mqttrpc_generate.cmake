# mqttrpc_generate(TARGET name PROTOS file.proto...
#                  [IMPORT_DIRS dir...] [OUT_DIR dir] [MESSAGES_ONLY] [MOCKS])
#
# Makes the library `name` from .proto files: for x.proto the messages (x.pb.h)
# and the stubs and services (x.mqttrpc.h). Linking it brings the include folder
# and mqttrpc::rpc. Files are made again when a .proto or one of its imports changes.
#
# PROTOS         relative to the current source folder, or absolute
# IMPORT_DIRS    where imports are found, and what the files' own names count
#                from; the current source folder comes last by itself.
#                mqttrpc/options.proto and google/protobuf/*.proto are always found
# OUT_DIR        for generated files; default: a folder of the target's own
# MESSAGES_ONLY  no stubs and services, and no mqttrpc::rpc
# MOCKS          also mock services (x.mqttrpc.mock.h), for tests. These link the
#                library `name`_mocks, which brings `name` and GTest::gmock: call
#                find_package(GTest) in front
#
# Protos that import those of another target: name their folder in IMPORT_DIRS
# and link that target to this one.
include_guard(GLOBAL)

function(mqttrpc_generate)
  cmake_parse_arguments(PARSE_ARGV 0 arg "MESSAGES_ONLY;MOCKS" "TARGET;OUT_DIR" "PROTOS;IMPORT_DIRS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "mqttrpc_generate: unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_TARGET OR NOT arg_PROTOS)
    message(FATAL_ERROR "mqttrpc_generate needs TARGET and PROTOS")
  endif()
  if(arg_MOCKS AND arg_MESSAGES_ONLY)
    message(FATAL_ERROR "mqttrpc_generate: MOCKS mock services, of which MESSAGES_ONLY makes none")
  endif()
  if(NOT arg_OUT_DIR)
    set(arg_OUT_DIR ${arg_TARGET}-generated)
  endif()
  cmake_path(ABSOLUTE_PATH arg_OUT_DIR BASE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR} NORMALIZE)

  set(roots "")
  foreach(dir IN LISTS arg_IMPORT_DIRS ITEMS .)
    cmake_path(ABSOLUTE_PATH dir BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    string(REGEX REPLACE "/$" "" dir "${dir}")
    list(APPEND roots ${dir})
  endforeach()
  list(REMOVE_DUPLICATES roots)

  _mqttrpc_protoc_includes(includes ${roots})
  set(sources "")
  foreach(proto IN LISTS arg_PROTOS)
    _mqttrpc_generate_one(made "${proto}" ${arg_OUT_DIR} "${roots}" "${includes}" "${arg_MESSAGES_ONLY}"
      "${arg_MOCKS}")
    list(APPEND sources ${made})
  endforeach()

  add_library(${arg_TARGET} ${sources})
  # SYSTEM: warnings in generated headers are nobody's to mend.
  target_include_directories(${arg_TARGET} SYSTEM PUBLIC $<BUILD_INTERFACE:${arg_OUT_DIR}>)
  target_compile_features(${arg_TARGET} PUBLIC cxx_std_20)
  target_link_libraries(${arg_TARGET} PUBLIC protobuf::libprotobuf)
  if(NOT arg_MESSAGES_ONLY)
    target_link_libraries(${arg_TARGET} PUBLIC mqttrpc::rpc mqttrpc::options_proto)
  endif()
  if(arg_MOCKS)
    add_library(${arg_TARGET}_mocks INTERFACE)
    target_link_libraries(${arg_TARGET}_mocks INTERFACE ${arg_TARGET} GTest::gmock)
  endif()
endfunction()

# Sets `out` to protoc's -I arguments for `roots`, our options and Protobuf's own
# files. These last are named although protoc mostly finds them: it looks beside
# its executable, which fails where /proc is not mounted.
function(_mqttrpc_protoc_includes out)
  get_target_property(protobuf_includes protobuf::libprotobuf INTERFACE_INCLUDE_DIRECTORIES)
  find_path(MQTTRPC_PROTOBUF_PROTO_DIR google/protobuf/descriptor.proto
    HINTS ${protobuf_includes} ${Protobuf_INCLUDE_DIRS} REQUIRED
    DOC "Folder that holds google/protobuf/descriptor.proto")
  mark_as_advanced(MQTTRPC_PROTOBUF_PROTO_DIR)
  get_property(options_dir GLOBAL PROPERTY MQTTRPC_PROTO_DIR)
  set(dirs ${ARGN} ${options_dir} ${MQTTRPC_PROTOBUF_PROTO_DIR})
  list(REMOVE_DUPLICATES dirs)
  list(TRANSFORM dirs PREPEND "-I")
  set(${out} ${dirs} PARENT_SCOPE)
endfunction()

# Adds the command for one .proto; sets `made` to what it writes.
function(_mqttrpc_generate_one made proto out_dir roots includes messages_only mocks)
  cmake_path(ABSOLUTE_PATH proto BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
  set(name "")
  foreach(root IN LISTS roots)
    cmake_path(IS_PREFIX root "${proto}" NORMALIZE inside)
    if(inside)
      cmake_path(RELATIVE_PATH proto BASE_DIRECTORY ${root} OUTPUT_VARIABLE name)
      break()
    endif()
  endforeach()
  if(NOT name)
    message(FATAL_ERROR "mqttrpc_generate: ${proto} is in none of the IMPORT_DIRS: ${roots}")
  endif()
  string(REGEX REPLACE "\\.proto$" "" name "${name}")

  set(stem ${out_dir}/${name})
  set(outputs ${stem}.pb.cc ${stem}.pb.h)
  set(generators --cpp_out=${out_dir})
  set(plugin "")
  if(NOT messages_only)
    # In front: Ninja wants the first output to be the depfile's first, and protoc sorts.
    list(PREPEND outputs ${stem}.mqttrpc.cc ${stem}.mqttrpc.h)
    set(plugin mqttrpc::protoc-gen-mqttrpc)
    list(APPEND generators --plugin=protoc-gen-mqttrpc=$<TARGET_FILE:${plugin}> --mqttrpc_out=${out_dir})
    if(mocks)
      list(APPEND outputs ${stem}.mqttrpc.mock.h)
      list(APPEND generators --mqttrpc_opt=mocks=true)
    endif()
  endif()
  cmake_path(GET stem PARENT_PATH folder)
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(
    OUTPUT ${outputs}
    COMMAND protobuf::protoc ${includes} ${generators} --dependency_out=${stem}.d ${proto}
    DEPENDS ${proto} protobuf::protoc ${plugin}
    DEPFILE ${stem}.d
    COMMENT "protoc ${name}.proto"
    VERBATIM)
  set_source_files_properties(${stem}.pb.cc PROPERTIES COMPILE_OPTIONS -w)
  set(${made} ${outputs} PARENT_SCOPE)
endfunction()
