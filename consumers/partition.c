/* Which partition a key belongs to: the two partitioners that producers use. */
#include "decode.h"
#include <string.h>

/* org.apache.kafka.common.utils.Utils.murmur2 (MurmurHash2 of 32 bits with Kafka's seed, words little-endian). */
static uint32_t murmur2(struct str key)
{
	const uint32_t m = 0x5bd1e995;
	const unsigned char *p = (const unsigned char *)key.s;
	uint32_t n = key.len, h = 0x9747b28c ^ n;
	for (; n >= 4; n -= 4, p += 4) {
		uint32_t k = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
		k *= m;
		k ^= k >> 24;
		h = (h * m) ^ (k * m);
	}
	if (n) {
		for (uint32_t i = 0; i < n; i++)
			h ^= (uint32_t)p[i] << (8 * i);
		h *= m;
	}
	h ^= h >> 13;
	h *= m;
	return h ^ (h >> 15);
}

/* The CRC-32 of zlib and Ethernet, half a byte at a time. */
static uint32_t crc32(struct str key)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	uint32_t c = 0xffffffff;
	for (uint32_t i = 0; i < key.len; i++) {
		c ^= (unsigned char)key.s[i];
		c = (c >> 4) ^ table[c & 15];
		c = (c >> 4) ^ table[c & 15];
	}
	return ~c;
}

int32_t partition_murmur2(struct str key, int32_t partitions)
{
	return (int32_t)(murmur2(key) & 0x7fffffff) % partitions;
}

int32_t partition_crc32(struct str key, int32_t partitions)
{
	return (int32_t)(crc32(key) % (uint32_t)partitions);
}
