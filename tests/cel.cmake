# The expression language: its cases as files, its C interface, eval's lines, the fuzzer, the bench.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
include(tests/fuzz/fuzz.cmake)

add_executable(run_cel tests/cel/run_cel.c)
target_link_libraries(run_cel PRIVATE core)
file(GLOB CEL_CASES CONFIGURE_DEPENDS tests/cel/*.txt)
foreach(cases IN LISTS CEL_CASES)
  get_filename_component(name ${cases} NAME_WE)
  add_test(NAME cel/${name} COMMAND run_cel ${cases})
endforeach()

foreach(name api unknown zone)
  add_executable(test_cel_${name} tests/unit/test_cel_${name}.c)
  target_link_libraries(test_cel_${name} PRIVATE core PkgConfig::CMOCKA)
  add_test(NAME unit/cel_${name} COMMAND test_cel_${name})
endforeach()

# each allocation fails in turn
add_executable(test_cel_memory tests/unit/test_cel_memory.c)
target_link_libraries(test_cel_memory PRIVATE core PkgConfig::CMOCKA)
target_link_options(test_cel_memory PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)
add_test(NAME unit/cel_memory COMMAND test_cel_memory)

add_test(NAME cel/batch COMMAND ${CMAKE_SOURCE_DIR}/tests/cel/batch.sh $<TARGET_FILE:shouwangctl>)

file(GLOB FUZZ_CEL_SOURCES CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} daemon/core/cel_*.c)
add_fuzzer(cel SECONDS 15 SOURCES tests/fuzz/fuzz_cel.c ${FUZZ_CEL_SOURCES} LIBRARIES -lm)

add_executable(bench_cel tests/bench/bench_cel.c)
target_link_libraries(bench_cel PRIVATE core)
