# The daemon's outside: log, metrics, HTTP, start, stop and reload; and the embedded broker that others use too.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
add_executable(mock_broker tests/lib/mock_broker.c)
target_link_libraries(mock_broker PRIVATE strict PkgConfig::RDKAFKA)

foreach(name log metrics health)
  add_executable(test_${name} tests/unit/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE edges PkgConfig::CMOCKA)
  add_test(NAME unit/${name} COMMAND test_${name})
endforeach()
add_test(NAME systemd COMMAND ${CMAKE_SOURCE_DIR}/tests/systemd.sh)
find_program(PYTHON3 python3 REQUIRED)
add_test(NAME daemon/outside COMMAND ${PYTHON3} ${CMAKE_SOURCE_DIR}/tests/daemon/test_daemon.py $<TARGET_FILE:shouwangd>
                                     $<TARGET_FILE:mock_broker>)
add_test(NAME lib/tally COMMAND ${PYTHON3} ${CMAKE_SOURCE_DIR}/tests/lib/test_tally.py)
add_test(NAME daemon/install COMMAND ${CMAKE_SOURCE_DIR}/tests/daemon/test_install.sh ${CMAKE_BINARY_DIR})
