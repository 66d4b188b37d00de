# Finds what mqttrpc stands on. docs/dependencies.md says why each is here.
# The installed package includes this file, so keep it free of project state, and
# of a guard: imported targets are known only below the folder that looks them up.

find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(absl CONFIG REQUIRED)

# Protobuf 22 and later must be found by its own config files (they bring
# Abseil along); Debian's 3.21 ships none, so CMake's module is the fallback.
find_package(Protobuf CONFIG QUIET)
if(NOT Protobuf_FOUND)
  find_package(Protobuf REQUIRED)
endif()

# Asio is headers without a .pc or CMake file.
find_path(MQTTRPC_ASIO_INCLUDE_DIR asio.hpp REQUIRED
  DOC "Folder that holds standalone asio.hpp (Debian: libasio-dev)")
mark_as_advanced(MQTTRPC_ASIO_INCLUDE_DIR)

# ISA-L, for CRC-32C: a library with a pkg-config file, which cross builds often lack.
find_path(MQTTRPC_ISAL_INCLUDE_DIR isa-l/crc.h REQUIRED DOC "Folder that holds isa-l/crc.h (Debian: libisal-dev)")
find_library(MQTTRPC_ISAL_LIBRARY isal REQUIRED DOC "ISA-L (Debian: libisal-dev)")
mark_as_advanced(MQTTRPC_ISAL_INCLUDE_DIR MQTTRPC_ISAL_LIBRARY)
if(NOT TARGET mqttrpc_isal)
  add_library(mqttrpc_isal INTERFACE IMPORTED)
  target_include_directories(mqttrpc_isal INTERFACE ${MQTTRPC_ISAL_INCLUDE_DIR})
  target_link_libraries(mqttrpc_isal INTERFACE ${MQTTRPC_ISAL_LIBRARY})
endif()

# Only for building mqttrpcd: the installed libraries do without.
if(PROJECT_NAME STREQUAL "mqttrpc")
  find_package(CLI11 CONFIG REQUIRED)
  find_package(spdlog CONFIG REQUIRED)
endif()
