# The language, sentence by sentence: each folder with settings in tests/language is a configuration with rule tests.
file(GLOB_RECURSE LANGUAGE_SETTINGS CONFIGURE_DEPENDS tests/language/*/shouwang.yaml)
foreach(settings IN LISTS LANGUAGE_SETTINGS)
  get_filename_component(folder ${settings} DIRECTORY)
  file(RELATIVE_PATH name ${CMAKE_SOURCE_DIR}/tests ${folder})
  add_test(NAME ${name} COMMAND shouwangctl test ${folder})
  set_tests_properties(${name} PROPERTIES PASS_REGULAR_EXPRESSION "[1-9][0-9]* passed, 0 failed")
endforeach()
add_test(NAME language/trace COMMAND python3 -B ${CMAKE_SOURCE_DIR}/tests/language/trace.py)
