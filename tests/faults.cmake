add_custom_target(fault_programs DEPENDS shouwangd shouwangctl peek meddle)

# Each number of tests/faults once, in its short form, on servers of its own; where Kafka can't be had, it is reported as
# skipped, by name.  Those that aren't steady yet are only in `./run faults`.
set(NOT_STEADY identity transactions)
file(GLOB FAULTS CONFIGURE_DEPENDS tests/faults/*.py)
foreach(file IN LISTS FAULTS)
  file(STRINGS ${file} line REGEX "^NAME = ")
  if(line MATCHES "\"(.*)\"")
    set(name ${CMAKE_MATCH_1})
    if(name IN_LIST NOT_STEADY)
      continue()
    endif()
    add_test(NAME faults/${name} COMMAND python3 -B ${CMAKE_SOURCE_DIR}/tests/faults/run.py ${CMAKE_BINARY_DIR}
                                         --rounds 5 --only ${name})
  endif()
endforeach()
add_test(NAME faults/verifier COMMAND python3 -B ${CMAKE_SOURCE_DIR}/tests/faults/test_verify.py ${CMAKE_BINARY_DIR})
