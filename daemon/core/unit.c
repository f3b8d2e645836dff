/* Units: where a rule's alerts go.  A unit with `each: 9 digits` is one for each code of so many digits, the one of the
 * subject's region; where that is unknown or shorter, `otherwise` (language.md, "Units and calendars"). */
#include "step.h"

struct str unit_in(struct engine *e, uint32_t unit, struct str region, const struct unit **is)
{
	const struct unit *u = &e->ruleset->units[unit];
	if (u->each_digits && region.len < u->each_digits && u->otherwise >= 0)
		u = &e->ruleset->units[u->otherwise];
	*is = u;
	if (!u->each_digits || region.len < u->each_digits)
		return str_of(u->name);
	return str_of(arena_printf(&e->scratch, "%s/%.*s", u->name, (int)u->each_digits, region.s));
}

struct str unit_for(struct engine *e, uint32_t unit, const struct unit **is)
{
	return unit_in(e, unit, subject_region(e), is);
}
