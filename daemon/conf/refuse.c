/* Parts of the language that load and are checked, but are not built yet.  When they are, refuse_until_supported goes.
 */
#include "load.h"

void not_yet(struct loader *l, const struct node *n, const char *what)
{
	ARENA_PUSH_ROOM(&l->scratch, l->later, l->n_later, l->later_cap);
	l->later[l->n_later].at = node_place(n);
	l->later[l->n_later++].what = what;
}

void refuse_until_supported(struct loader *l)
{
	for (size_t i = 0; i < l->n_later; i++)
		faults_add(l->faults, l->later[i].at,
			   "%s is understood, but this version can't do it yet; expected to be left out",
			   l->later[i].what);
}
