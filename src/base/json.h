/* json.h - what jansson lacks for us: a destructor for AUTO(). */
#pragma once

#include <jansson.h>
#include <stddef.h>

static inline void
json_free(json_t **v)
{
	json_decref(*v);
	*v = NULL;
}
