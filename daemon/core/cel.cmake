# The expression language: what the target `core` compiles and links for it.
file(GLOB CEL_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/cel_*.c)
set(CEL_LIBRARIES "") # its regular expressions are its own
