/* SipHash-2-4-128, fed in pieces. */
#include "siphash.h"

static uint64_t turned(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void rounds(uint64_t v[4], int n)
{
	while (n--) {
		v[0] += v[1];
		v[1] = turned(v[1], 13) ^ v[0];
		v[0] = turned(v[0], 32);
		v[2] += v[3];
		v[3] = turned(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = turned(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = turned(v[1], 17) ^ v[2];
		v[2] = turned(v[2], 32);
	}
}

void siphash_init(struct siphash *h, uint64_t k0, uint64_t k1)
{
	*h = (struct siphash){{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d ^ 0xee, k0 ^ 0x6c7967656e657261,
			       k1 ^ 0x7465646279746573},
			      0,
			      0};
}

static void word(struct siphash *h, uint64_t m)
{
	h->v[3] ^= m;
	rounds(h->v, 2);
	h->v[0] ^= m;
}

void siphash_add(struct siphash *h, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	for (size_t i = 0; i < len; i++) {
		h->tail |= (uint64_t)p[i] << (8 * (h->len % 8));
		if (++h->len % 8 == 0) {
			word(h, h->tail);
			h->tail = 0;
		}
	}
}

void siphash_end(struct siphash *h, uint8_t out[16])
{
	word(h, h->tail | (uint64_t)h->len << 56);
	h->v[2] ^= 0xee;
	for (int half = 0; half < 2; half++) {
		if (half)
			h->v[1] ^= 0xdd;
		rounds(h->v, 4);
		uint64_t x = h->v[0] ^ h->v[1] ^ h->v[2] ^ h->v[3];
		for (int i = 0; i < 8; i++)
			out[8 * half + i] = (uint8_t)(x >> (8 * i));
	}
}
