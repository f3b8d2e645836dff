/* SipHash-2-4 with 128 bits of output (Aumasson, Bernstein: SipHash, a fast short-input PRF). */
#ifndef SIPHASH_H
#define SIPHASH_H
#include <stddef.h>
#include <stdint.h>

struct siphash {
	uint64_t v[4], tail;
	size_t len;
};
void siphash_init(struct siphash *h, uint64_t k0, uint64_t k1);
void siphash_add(struct siphash *h, const void *bytes, size_t len);
void siphash_end(struct siphash *h, uint8_t out[16]);
#endif
