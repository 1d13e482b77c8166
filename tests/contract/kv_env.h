/*
 * kv_env.h - an index engine under test, and short forms of what tests do with it.
 */
#pragma once

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "meta/kv.h"

static const struct kv_options kv_env_options = { .cache_bytes = 8u << 20, .background_threads = 2 };

struct kv_env {
	const char *engine;
	char dir[64];
	char url[80];
	struct kv *kv;
	struct arena *arena;
};

static inline void
env_open(struct kv_env *e)
{
	EXPECT_OK(kv_open(str_c(e->url), &kv_env_options, &e->kv));
	if (e->kv == NULL)
		abort();
}

/* top: where its files are; each commit waits for that disk. */
static inline void
env_start(struct kv_env *e, const char *engine, const char *top)
{
	*e = (struct kv_env){ .engine = engine };
	snprintf(e->dir, sizeof(e->dir), "%s/test_kv.XXXXXX", access(top, W_OK) == 0 ? top : "/tmp");
	if (mkdtemp(e->dir) == NULL)
		abort();
	if (strcmp(engine, "memory") == 0)
		snprintf(e->url, sizeof(e->url), "memory:");
	else
		snprintf(e->url, sizeof(e->url), "%s:%s/index", engine, e->dir);
	e->arena = arena_new(1 << 20, 64 << 20);
	env_open(e);
}

/* What is in memory does not survive, so nothing to reopen there. */
static inline bool
env_reopen(struct kv_env *e)
{
	if (strcmp(e->engine, "memory") == 0)
		return false;
	kv_close(&e->kv);
	env_open(e);
	return true;
}

static inline void
env_end(struct kv_env *e)
{
	kv_close(&e->kv);
	arena_free(&e->arena);
	EXPECT_OK(file_remove_tree(e->dir));
}

static inline uint64_t
env_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* One change in a batch of its own. */
static inline err_v
put1(struct kv *kv, uint32_t space, str key, str value)
{
	AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(space);

	kv_put(b, key, value);
	return kv_commit(kv, b);
}

static inline err_v
delete1(struct kv *kv, uint32_t space, str key)
{
	AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(space);

	kv_delete(b, key);
	return kv_commit(kv, b);
}

static inline err_v
add1(struct kv *kv, uint32_t space, str key, int64_t delta)
{
	AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(space);

	kv_add(b, key, &delta, 1);
	return kv_commit(kv, b);
}

/* The value, or "(none)". */
static inline str
get1(struct kv_env *e, uint32_t space, str key)
{
	str v = STR("(none)");
	err_v x = kv_get(e->kv, space, key, KV_MAY_BLOCK, e->arena, &v);

	if (!err_is(x, ERR_NOT_FOUND.code))
		EXPECT_OK(x);
	return v;
}

/* "key=value " of each row in [from, to). */
static inline str
scan1(struct kv_env *e, uint32_t space, str from, str to)
{
	AUTO(kv_iter_close) struct kv_iter *it = NULL;
	str all = STR("");

	EXPECT_OK(kv_scan(e->kv, space, from, to, &it));
	for (; kv_iter_valid(it); kv_iter_next(it))
		all = arena_fmt(e->arena, "%.*s%.*s=%.*s ", STR_FMT(all), STR_FMT(kv_iter_key(it)), STR_FMT(kv_iter_value(it)));
	EXPECT_OK(kv_iter_error(it));
	return all;
}
