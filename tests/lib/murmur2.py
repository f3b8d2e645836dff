"""Kafka's own partitioner."""


def murmur2(key):
    m, mask = 0x5bd1e995, 0xffffffff
    h = 0x9747b28c ^ len(key)
    words = len(key) // 4 * 4
    for i in range(0, words, 4):
        k = int.from_bytes(key[i:i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    if len(key) > words:
        h = (h ^ int.from_bytes(key[words:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def partition_of(key, partitions):
    """Where a record with this key belongs, among so many."""
    return (murmur2(key) & 0x7fffffff) % partitions
