# What the tests of faults do to a Kafka cluster.
add_executable(meddle tests/faults/meddle.c)
target_link_libraries(meddle PRIVATE strict PkgConfig::RDKAFKA)
