# The daemon's outside: log, metrics, HTTP, start, stop and reload; and the embedded broker that others use too.
add_executable(mock_broker tests/lib/mock_broker.c)
target_link_libraries(mock_broker PRIVATE strict PkgConfig::RDKAFKA)
