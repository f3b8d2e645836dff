/* Money in whole fen, half up (away from zero) by the decimal digits (language.md, "Money"). */
#include "event.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const int64_t MOST_FEN = 9000000000000000; /* exact in a double, and a sum of many fits an int64 */

/* A decimal number taken apart: digits without the point, and the power of ten of the last one. */
struct decimal {
	bool negative;
	char digits[64];
	size_t n;
	int64_t exponent;
};

static bool read_digit(struct decimal *d, char c, bool fraction)
{
	if (d->n == 0 && c == '0') { /* a leading zero only moves the point */
		d->exponent -= fraction;
		return true;
	}
	if (d->n == sizeof d->digits) {
		d->exponent +=
			!fraction; /* beyond 64 digits the rest can't matter for the fen of a number that we take */
		return true;
	}
	d->digits[d->n++] = c;
	d->exponent -= fraction;
	return true;
}

static bool decimal_read(struct str text, struct decimal *d)
{
	const char *p = text.s, *end = p + text.len;
	bool any = false;
	*d = (struct decimal){0};
	if (p < end && (*p == '-' || *p == '+'))
		d->negative = *p++ == '-';
	for (; p < end && *p >= '0' && *p <= '9'; p++)
		any = read_digit(d, *p, false);
	if (p < end && *p == '.')
		for (p++; p < end && *p >= '0' && *p <= '9'; p++)
			any = read_digit(d, *p, true);
	if (any && p < end && (*p == 'e' || *p == 'E')) {
		bool minus = false, digit = false;
		int64_t e = 0;
		if (++p < end && (*p == '-' || *p == '+'))
			minus = *p++ == '-';
		for (; p < end && *p >= '0' && *p <= '9'; p++, digit = true)
			e = e < 100000 ? e * 10 + (*p - '0') : e;
		any = digit;
		d->exponent += minus ? -e : e;
	}
	return any && p == end;
}

/* The value times 100, rounded. */
static bool decimal_fen(const struct decimal *d, int64_t *fen)
{
	int64_t shift = d->exponent + 2, keep = (int64_t)d->n + shift, value = 0;
	for (int64_t i = 0; i < keep; i++) {
		int digit = i < (int64_t)d->n ? d->digits[i] - '0' : 0;
		value = value * 10 + digit;
		if (value > MOST_FEN)
			return false;
		if (value == 0 && i >= (int64_t)d->n)
			break; /* nothing but zeros */
	}
	if (keep >= 0 && keep < (int64_t)d->n && d->digits[keep] >= '5')
		value++;
	*fen = d->negative ? -value : value;
	return true;
}

bool money_parse(struct str written, int64_t *fen)
{
	struct decimal d;
	return decimal_read(written, &d) && decimal_fen(&d, fen);
}

bool money_round(double yuan, int64_t *fen)
{
	if (!isfinite(yuan) || fabs(yuan) >= 1e14)
		return false;
	double hundred = yuan * 100, whole = nearbyint(hundred);
	if (fabs(hundred - whole) < 1e-6 && fabs(whole) < 1e9) { /* already whole fen but for the binary fraction */
		*fen = (int64_t)whole;
		return true;
	}
	char text[40];
	int n = snprintf(text, sizeof text, "%.15g", yuan);
	return money_parse((struct str){text, (uint32_t)n}, fen);
}
