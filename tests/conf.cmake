# Configuration: YAML and places, settings, the ruleset, faults by folder, the shipped configuration and its rule tests.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
foreach(name yaml settings config)
  add_executable(test_${name} tests/unit/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE edges PkgConfig::CMOCKA)
  add_test(NAME unit/${name} COMMAND test_${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
endforeach()

file(GLOB BAD_FOLDERS CONFIGURE_DEPENDS tests/bad/*/expected)
foreach(expected IN LISTS BAD_FOLDERS)
  get_filename_component(folder ${expected} DIRECTORY)
  get_filename_component(name ${folder} NAME)
  add_test(NAME bad/${name} COMMAND ${CMAKE_SOURCE_DIR}/tests/bad/run.sh $<TARGET_FILE:shouwangctl> ${folder})
endforeach()

add_test(NAME config/check COMMAND shouwangctl check ${CMAKE_SOURCE_DIR}/config)
set_tests_properties(config/check PROPERTIES PASS_REGULAR_EXPRESSION "1 watch, 5 rules")
add_test(NAME config/rules COMMAND shouwangctl test ${CMAKE_SOURCE_DIR}/config)

include(tests/fuzz/fuzz.cmake)
file(GLOB FUZZ_YAML_SOURCES CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} daemon/util/*.c daemon/core/*.c daemon/conf/*.c)
add_fuzzer(yaml SECONDS 15 SOURCES tests/fuzz/fuzz_yaml.c ${FUZZ_YAML_SOURCES} LIBRARIES -lyaml -lrdkafka -lm)
