# add_fuzzer(name SOURCES file… LIBRARIES -lx…): build/fuzz_<name> by clang and libFuzzer, with the sanitizers; each source is
# compiled once for all fuzzers.  Runs shortly as the test fuzz/<name>, over the seeds in tests/fuzz/corpus_<name>.
include_guard()
find_program(FUZZ_CLANG NAMES clang-14 clang)
set(FUZZ_FLAGS -O1 -g -D_GNU_SOURCE -DSHOUWANG_VERSION="fuzz" -fsanitize=fuzzer-no-link,address,undefined
               -fno-sanitize-recover=all -fno-omit-frame-pointer)

function(add_fuzzer name)
  cmake_parse_arguments(ARG "" "SECONDS" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT FUZZ_CLANG)
    message(STATUS "no clang: fuzz/${name} is left out")
    return()
  endif()
  set(objects)
  foreach(source IN LISTS ARG_SOURCES)
    file(RELATIVE_PATH path ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/${source})
    string(REPLACE "/" "_" flat ${path})
    set(object ${CMAKE_BINARY_DIR}/fuzz/${flat}.o)
    get_property(made GLOBAL PROPERTY FUZZ_OBJECTS)
    if(NOT object IN_LIST made)
      set_property(GLOBAL APPEND PROPERTY FUZZ_OBJECTS ${object})
      set(language -std=gnu17)
      if(source MATCHES "[.]cpp$")
        set(language -std=c++17 -fno-sanitize=vptr,function) # linked as C
      endif()
      add_custom_command(OUTPUT ${object}
        COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/fuzz
        COMMAND ${FUZZ_CLANG} ${FUZZ_FLAGS} ${language} -MD -MF ${object}.d -c ${CMAKE_SOURCE_DIR}/${source} -o ${object}
        DEPENDS ${CMAKE_SOURCE_DIR}/${source} DEPFILE ${object}.d VERBATIM)
    endif()
    list(APPEND objects ${object})
  endforeach()
  set(program ${CMAKE_BINARY_DIR}/fuzz_${name})
  add_custom_command(OUTPUT ${program}
    COMMAND ${FUZZ_CLANG} -fsanitize=fuzzer,address,undefined ${objects} ${ARG_LIBRARIES} -o ${program}
    DEPENDS ${objects} VERBATIM)
  add_custom_target(fuzzer_${name} ALL DEPENDS ${program})
  # The seeds are only read; what it finds goes to the build folder.
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz/found_${name})
  add_test(NAME fuzz/${name}
           COMMAND ${program} -seed=1 -max_total_time=${ARG_SECONDS} -timeout=20 -rss_limit_mb=3000
                   -artifact_prefix=${CMAKE_BINARY_DIR}/fuzz/ -print_final_stats=0 -verbosity=0
                   ${CMAKE_BINARY_DIR}/fuzz/found_${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus_${name})
endfunction()
