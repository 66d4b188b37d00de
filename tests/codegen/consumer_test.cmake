# Installs BUILD_DIR, moves the prefix, and builds and runs the project in
# consumer/ against it. Run by ctest; BUILD_DIR must be built.
#
# Variables: BUILD_DIR WORK_DIR SOURCE_DIR, and what the consumer must share with
# the build: GENERATOR BUILD_TYPE CXX_COMPILER CXX_LAUNCHER CXX_FLAGS
cmake_minimum_required(VERSION 3.25)

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${what} failed (${result}):\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

# The consumer's own build folder always is the same, so that ccache knows it.
file(REMOVE_RECURSE ${WORK_DIR})
run("install" ${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${WORK_DIR}/first)
file(RENAME ${WORK_DIR}/first ${WORK_DIR}/prefix)

# A package that names where it was made works there and nowhere else.
file(GLOB_RECURSE package ${WORK_DIR}/prefix/*.cmake)
foreach(file IN LISTS package)
  file(READ ${file} text)
  foreach(folder ${WORK_DIR}/first ${BUILD_DIR} ${SOURCE_DIR})
    string(FIND "${text}" "${folder}/" at)
    if(NOT at EQUAL -1)
      message(FATAL_ERROR "${file} names ${folder}")
    endif()
  endforeach()
endforeach()

set(build ${WORK_DIR}/build)
run("configuring the consumer" ${CMAKE_COMMAND} -S ${SOURCE_DIR} -B ${build} -G ${GENERATOR}
  -DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix -DCMAKE_BUILD_TYPE=${BUILD_TYPE} -DCMAKE_CXX_COMPILER=${CXX_COMPILER}
  "-DCMAKE_CXX_COMPILER_LAUNCHER=${CXX_LAUNCHER}" "-DCMAKE_CXX_FLAGS=${CXX_FLAGS}")
run("building the consumer" ${CMAKE_COMMAND} --build ${build})
run("the consumer" ${build}/consumer)
if(NOT output STREQUAL "the lamp shines at 40%\n")
  message(FATAL_ERROR "the consumer said: ${output}")
endif()

run("the test kit" ${build}/world)

# A changed import makes the files again, an unchanged one does not.
run("building again" ${CMAKE_COMMAND} --build ${build})
if(output MATCHES "protoc ")
  message(FATAL_ERROR "nothing changed, yet protoc ran:\n${output}")
endif()
file(TOUCH_NOCREATE ${WORK_DIR}/prefix/include/mqttrpc/options.proto)
if(GENERATOR STREQUAL "Ninja")  # It can say what it would do.
  run("looking at what is to be built" ${CMAKE_COMMAND} --build ${build} -- -n)
  if(NOT output MATCHES "protoc acme/lamp.proto" OR output MATCHES "protoc acme/light.proto")
    message(FATAL_ERROR "only lamp.proto imports what changed, yet to be built is:\n${output}")
  endif()
endif()
