# The pure core: days, money, the functions of time.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
foreach(name day money clock)
  add_executable(test_${name} tests/unit/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE core PkgConfig::CMOCKA)
  add_test(NAME unit/${name} COMMAND test_${name})
endforeach()
