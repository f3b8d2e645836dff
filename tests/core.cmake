# The pure core: days, money, the functions of time.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
foreach(name day money clock)
  add_executable(test_${name} tests/unit/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE core PkgConfig::CMOCKA)
  add_test(NAME unit/${name} COMMAND test_${name})
endforeach()

# What checks simulated runs.
add_executable(test_journal tests/unit/test_journal.c daemon/cli/journal.c)
target_link_libraries(test_journal PRIVATE core PkgConfig::CMOCKA)
add_test(NAME unit/journal COMMAND test_journal)
