# The worker: its records and its cache by units; the daemon's promises on a real broker in tests/kafka.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
foreach(name worker_record worker_cache)
  add_executable(test_${name} tests/unit/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE edges PkgConfig::CMOCKA)
  add_test(NAME unit/${name} COMMAND test_${name})
  set_tests_properties(unit/${name} PROPERTIES SKIP_RETURN_CODE 77)
endforeach()

add_executable(test_waits tests/unit/test_waits.c daemon/waits.c)
target_link_libraries(test_waits PRIVATE strict Threads::Threads PkgConfig::RDKAFKA PkgConfig::CMOCKA)
add_test(NAME unit/waits COMMAND test_waits)

# tests/kafka starts a real Apache Kafka; where it can't, its cases are reported as skipped, by name.
add_executable(peek tests/kafka/peek.c daemon/cli/kafka.c)
target_link_libraries(peek PRIVATE edges)
add_test(NAME kafka/promises COMMAND python3 -B ${CMAKE_SOURCE_DIR}/tests/kafka/test_kafka.py ${CMAKE_BINARY_DIR})
add_test(NAME kafka/silent COMMAND python3 -B ${CMAKE_SOURCE_DIR}/tests/kafka/test_silent.py ${CMAKE_BINARY_DIR})
add_test(NAME kafka/embedded COMMAND python3 -B ${CMAKE_SOURCE_DIR}/tests/kafka/test_mock.py ${CMAKE_BINARY_DIR})
add_test(NAME kafka/reload COMMAND python3 -B ${CMAKE_SOURCE_DIR}/tests/kafka/test_reload.py ${CMAKE_BINARY_DIR})
add_test(NAME kafka/language COMMAND python3 -B ${CMAKE_SOURCE_DIR}/tests/kafka/test_language.py ${CMAKE_BINARY_DIR})
