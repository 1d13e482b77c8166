/*
 * first_start.c - the credentials of a new store, written where its owner finds them.
 */
#include "first_start.h"

#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"

/* Written under another name, then renamed: whole or not there. */
static err
write_file(str dir, const char *name, str text, struct arena *a)
{
	str path = arena_fmt(a, "%.*s/%s", STR_FMT(dir), name), new = arena_fmt(a, "%.*s.new", STR_FMT(path));

	TRY(file_write(new.p, text));
	return file_rename(new.p, path.p);
}

struct save {
	str dir;
	struct arena *arena;
};

/* Before anything is in the index: a crash in between starts anew, with other credentials. */
static err
save(void *ctx, const struct first_start *f)
{
	struct save *s = ctx;

	TRY(write_file(s->dir, "admin-token", arena_fmt(s->arena, "%.*s\n", (int)f->token.len, f->token.bytes), s->arena));
	return write_file(s->dir, "credentials", arena_fmt(s->arena, "[caisson]\naws_access_key_id = %.*s\naws_secret_access_key = %.*s\n",
	    STR_FMT(f->access_key), (int)f->secret.len, f->secret.bytes), s->arena);
}

/* All addresses: one of them that reaches us from here. */
static str
url_here(str url, struct arena *a)
{
	static const char *const all[] = { "0.0.0.0:", "[::]:" };
	size_t at = (size_t)str_find(url, '/') + 2;
	str scheme = str_sub(url, 0, at), address = str_skip(url, at);

	for (unsigned i = 0; i < COUNT(all); i++)
		if (str_starts(address, str_c(all[i])))
			return arena_fmt(a, "%.*s127.0.0.1:%.*s", STR_FMT(scheme), STR_FMT(str_skip(address, strlen(all[i]))));
	return url;
}

static void
say(str dir, str url, const struct first_start *f)
{
	printf("A new store. Organization %.*s, principal %.*s.\n"
	    "Credentials for S3 clients: %.*s/credentials (profile caisson); token of the control API: %.*s/admin-token.\n\n"
	    "  export AWS_SHARED_CREDENTIALS_FILE=\"%s%.*s/credentials\" AWS_PROFILE=caisson\n"
	    "  export AWS_ENDPOINT_URL=%.*s AWS_REGION=local AWS_DEFAULT_REGION=local\n"
	    "  aws s3 mb s3://models\n"
	    "  aws s3 cp README.md s3://models/\n\n",
	    STR_FMT(f->org.id), STR_FMT(f->user.principal), STR_FMT(dir), STR_FMT(dir),
	    str_starts(dir, STR("/")) ? "" : "$PWD/", STR_FMT(dir), STR_FMT(url));
}

static void
wipe(struct first_start *f)
{
	secret_wipe(&f->token);
	secret_wipe(&f->secret);
}

err_v
first_start(struct access *access, str data_dir, str url, struct arena *a)
{
	AUTO(wipe) struct first_start f = { 0 };
	err_v e = access_first_start(access, save, &(struct save){ data_dir, a }, a, &f);

	if (err_is(e, -EEXIST))
		return ERR_OK;		/* a store that is known */
	TRY(e);
	say(data_dir, url_here(url, a), &f);
	return ERR_OK;
}
