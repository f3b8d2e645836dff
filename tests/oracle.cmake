# Random histories through the engine and through the oracle (tests/oracle): every message must agree.
find_program(PYTHON3 python3 REQUIRED)
add_test(NAME oracle/histories COMMAND ${PYTHON3} ${CMAKE_SOURCE_DIR}/tests/oracle/run.py --histories 2000 --seed 1
                                       --ctl $<TARGET_FILE:shouwangctl>)
add_test(NAME oracle/finds COMMAND ${PYTHON3} ${CMAKE_SOURCE_DIR}/tests/oracle/run.py --selftest
                                   --ctl $<TARGET_FILE:shouwangctl>)
set_tests_properties(oracle/histories oracle/finds PROPERTIES SKIP_RETURN_CODE 77)
