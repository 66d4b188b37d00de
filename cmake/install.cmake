# What `cmake --install` lays down, and the package that find_package(mqttrpc)
# finds there. Everything is relative to the prefix, which may be moved.
include_guard(GLOBAL)
include(CMakePackageConfigHelpers)

set(_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mqttrpc)

# Target by target: its name in the package is what follows `mqttrpc_`. Those
# that users link are rpc, mqtt, broker and testing; these bring the others along.
set(_libraries mqttrpc_compile_options mqttrpc_asio mqttrpc_mqtt_wire mqttrpc_mqtt mqttrpc_broker mqttrpc_options_proto
  mqttrpc_rpc)
set(_include_dirs mqtt/include/ broker-embedded/include/ rpc/include/)
if(TARGET mqttrpc_testing)
  list(APPEND _libraries mqttrpc_testing)
  list(APPEND _include_dirs testing/include/)
endif()
foreach(_library IN LISTS _libraries)
  string(REGEX REPLACE "^mqttrpc_" "" _name ${_library})
  set_target_properties(${_library} PROPERTIES EXPORT_NAME ${_name})
endforeach()
install(TARGETS ${_libraries} protoc-gen-mqttrpc EXPORT mqttrpcTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS mqttrpcd RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

install(DIRECTORY ${_include_dirs}
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
# Like Protobuf's own, the .proto lies beside the headers: one -I finds both.
install(FILES proto/mqttrpc/options.proto ${MQTTRPC_OPTIONS_HEADER} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/mqttrpc)

install(EXPORT mqttrpcTargets NAMESPACE mqttrpc:: DESTINATION ${_package_dir})
configure_package_config_file(cmake/mqttrpcConfig.cmake.in ${PROJECT_BINARY_DIR}/mqttrpcConfig.cmake
  INSTALL_DESTINATION ${_package_dir} PATH_VARS CMAKE_INSTALL_INCLUDEDIR)
# Before 1.0 every minor version may break what the one before it allowed.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mqttrpcConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/mqttrpcConfig.cmake ${PROJECT_BINARY_DIR}/mqttrpcConfigVersion.cmake
  cmake/dependencies.cmake cmake/mqttrpc_generate.cmake
  DESTINATION ${_package_dir})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
