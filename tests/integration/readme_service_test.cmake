# Does what the README's "A first service in five minutes" says, with the files it
# shows, against an installed package. Run by ctest.
#
# Variables: README WORK_DIR PREFIX, and what the project must share with the
# build of PREFIX: GENERATOR BUILD_TYPE CXX_COMPILER CXX_LAUNCHER CXX_FLAGS
cmake_minimum_required(VERSION 3.25)

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${what} failed (${result}):\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

# Writes the fenced block that follows the line "`name`" to WORK_DIR/name.
function(write_block name)
  string(FIND "${readme}" "\n`${name}`\n" title)
  if(title EQUAL -1)
    message(FATAL_ERROR "the README shows no ${name}")
  endif()
  string(SUBSTRING "${readme}" ${title} -1 rest)
  string(FIND "${rest}" "\n```" fence)
  math(EXPR fence "${fence} + 1")
  string(SUBSTRING "${rest}" ${fence} -1 rest)
  string(FIND "${rest}" "\n" begin)
  math(EXPR begin "${begin} + 1")
  string(SUBSTRING "${rest}" ${begin} -1 rest)
  string(FIND "${rest}" "```" end)
  string(SUBSTRING "${rest}" 0 ${end} block)
  file(WRITE ${WORK_DIR}/${name} "${block}")
endfunction()

file(READ ${README} readme)
file(REMOVE_RECURSE ${WORK_DIR})
foreach(name hello.proto CMakeLists.txt hello.cc)
  write_block(${name})
endforeach()

run("configuring" ${CMAKE_COMMAND} -S ${WORK_DIR} -B ${WORK_DIR}/build -G ${GENERATOR}
  -DCMAKE_PREFIX_PATH=${PREFIX} -DCMAKE_BUILD_TYPE=${BUILD_TYPE} -DCMAKE_CXX_COMPILER=${CXX_COMPILER}
  "-DCMAKE_CXX_COMPILER_LAUNCHER=${CXX_LAUNCHER}" "-DCMAKE_CXX_FLAGS=${CXX_FLAGS}")
run("building" ${CMAKE_COMMAND} --build ${WORK_DIR}/build)
run("hello" ${WORK_DIR}/build/hello)
if(NOT output STREQUAL "Hello, Ada!\n")
  message(FATAL_ERROR "hello said: ${output}")
endif()
