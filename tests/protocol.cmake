# The model of the protocol: no fault as the daemon does it, one without any of its rules.
find_program(PYTHON3 python3 REQUIRED)
add_test(NAME protocol/model COMMAND ${PYTHON3} -B ${CMAKE_SOURCE_DIR}/tests/protocol/test_protocol.py)
