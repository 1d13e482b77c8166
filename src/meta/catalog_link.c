/*
 * catalog_link.c - who needs a body: its L rows.
 */
#include "base/panic.h"
#include "meta/catalog_impl.h"

void
write_first_link(struct write *w, const struct object *o)
{
	struct link l = { .generation = 1, .has_owner = true, .owner = o->oid, .has_blob = o->data == DATA_SINGLE,
	    .blob = o->extent.blob };

	assert(id_space(o->body) == w->bucket.space);
	record_link(&w->buf, &l);
	write_put(w, row_link(o->body));
}
