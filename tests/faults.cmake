add_custom_target(fault_programs DEPENDS shouwangd shouwangctl peek meddle)

# Each number of tests/faults once, in its short form, on servers of its own; where Kafka can't be had, it is reported as
# skipped, by name.
file(GLOB FAULTS CONFIGURE_DEPENDS tests/faults/*.py)
foreach(file IN LISTS FAULTS)
  file(STRINGS ${file} line REGEX "^NAME = ")
  if(line MATCHES "\"(.*)\"")
    set(name ${CMAKE_MATCH_1})
    add_test(NAME faults/${name} COMMAND python3 -B ${CMAKE_SOURCE_DIR}/tests/faults/run.py ${CMAKE_BINARY_DIR}
                                         --rounds 5 --only ${name})
  endif()
endforeach()
set_tests_properties(faults/broker PROPERTIES COST 200) # the longest begins first
add_test(NAME faults/verifier COMMAND python3 -B ${CMAKE_SOURCE_DIR}/tests/faults/test_verify.py ${CMAKE_BINARY_DIR})
