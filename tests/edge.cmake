# The edges: decoding, partitions, messages, files, tools; simulations of the engine through `shouwangctl run`.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
foreach(name decode decode_answer partition message memory inbox_file kafka_conf)
  add_executable(test_${name} tests/unit/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE edges PkgConfig::CMOCKA)
  add_test(NAME unit/${name} COMMAND test_${name})
endforeach()

add_executable(bench_decode EXCLUDE_FROM_ALL tests/bench/bench_decode.c)
target_link_libraries(bench_decode PRIVATE edges)

find_program(PYTHON3 python3 REQUIRED)
add_test(NAME sim/engine COMMAND ${PYTHON3} ${CMAKE_SOURCE_DIR}/tests/sim/sim.py $<TARGET_FILE:shouwangctl>)
add_test(NAME sim/properties COMMAND ${PYTHON3} ${CMAKE_SOURCE_DIR}/tests/sim/properties.py $<TARGET_FILE:shouwangctl>)

include(tests/fuzz/fuzz.cmake)
file(GLOB FUZZ_CORE CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} daemon/util/*.c daemon/core/*.c)
file(GLOB FUZZ_CONF CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} daemon/conf/*.c)
add_fuzzer(decode SECONDS 10 SOURCES tests/fuzz/fuzz_decode.c consumers/decode.c consumers/decode_answer.c
           consumers/json_simd.cpp ${FUZZ_CORE}
           LIBRARIES -lsimdjson -lstdc++ -lm)
add_fuzzer(codec SECONDS 10 SOURCES tests/fuzz/fuzz_codec.c daemon/state/codec.c daemon/state/codec_read.c
           daemon/state/state_json.c daemon/outbox/json_write.c ${FUZZ_CONF} ${FUZZ_CORE} LIBRARIES -lyaml -lrdkafka -lm)

add_test(NAME edge/tools COMMAND ${PYTHON3} ${CMAKE_SOURCE_DIR}/tests/edge/test_tools.py $<TARGET_FILE:shouwangctl>
                                 ${CMAKE_BINARY_DIR}/mock_broker)
