/*
 * test_access.c - organizations, keys, tokens and decisions, over the memory index.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/access_impl.h"
#include "access/admin.h"
#include "base/clock.h"
#include "base/mem.h"
#include "job/jobs.h"
#include "meta/catalog.h"
#include "test.h"

struct fixture {
	struct kv *kv;
	struct catalog *catalog;
	struct access *access;
	struct arena *mem;
	struct first_start first;
};
static const uint8_t master[32] = "0123456789abcdef0123456789abcdef";

static err
save_nothing(void *ctx, const struct first_start *f)
{
	return ERR_OK;
}

static void
open_access(struct fixture *f)
{
	EXPECT_OK(access_open(f->kv, f->catalog, master, &f->access));
}

static struct fixture
begin(void)
{
	struct fixture f = { .mem = arena_new(1 << 16, 64 << 20) };

	EXPECT_OK(kv_open(STR("memory:"), &(struct kv_options){ 0 }, &f.kv));
	EXPECT_OK(catalog_open(f.kv, &f.catalog));
	open_access(&f);
	EXPECT_OK(access_first_start(f.access, save_nothing, NULL, f.mem, &f.first));
	return f;
}

static void
end(struct fixture *f)
{
	access_close(&f->access);
	catalog_close(&f->catalog);
	kv_close(&f->kv);
	arena_free(&f->mem);
}

static void
reopen(struct fixture *f)
{
	access_close(&f->access);
	open_access(f);
}

static err
find(struct fixture *f, str id, str token)
{
	struct principal who;
	struct secret secret;

	return access_key_find(f->access, id, token, f->mem, &who, &secret);
}

static str
quotes(struct fixture *f, const char *text)
{
	str s = arena_str(f->mem, str_c(text));

	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == '\'')
			((char *)s.p)[i] = '"';
	return s;
}

static void
ensure(struct fixture *f, str org, const char *json)
{
	str name;

	EXPECT_OK(access_policy_ensure(f->access, org, quotes(f, json), f->mem, &name));
}

/* ---- the first start ---- */

TEST(first_start_once)
{
	struct fixture f = begin();
	struct first_start again;
	struct principal who;
	struct secret secret;
	struct caller caller;

	EXPECT_ERR("again", access_first_start(f.access, save_nothing, NULL, f.mem, &again), -EEXIST);
	EXPECT_EQ("org id", f.first.org.id.len, 6);
	EXPECT(str_starts(f.first.access_key, STR("CW")) && f.first.access_key.len == 18);
	EXPECT(f.first.secret.len == 43 && memcmp(f.first.secret.bytes, "cwo", 3) == 0);
	for (int round = 0; round < 2; round++) {
		EXPECT_OK(access_key_find(f.access, f.first.access_key, STR_NONE, f.mem, &who, &secret));
		EXPECT_STR("org", who.org, f.first.org.id);
		EXPECT_STR("name", who.name, f.first.user.principal);
		EXPECT_STR("secret", str_n(secret.bytes, secret.len), str_n(f.first.secret.bytes, f.first.secret.len));
		EXPECT_OK(access_token_find(f.access, str_n(f.first.token.bytes, f.first.token.len), f.mem, &caller));
		EXPECT_EQ("role", caller.role, ROLE_OPERATOR);
		EXPECT_STR("holder", caller.who.name, f.first.user.principal);
		reopen(&f);
	}
	EXPECT_OK(access_check(f.access, &(struct access_question){ .who = &who, .action = STR("s3:CreateBucket"),
	    .bucket = STR("b") }, NULL));
	end(&f);
}

static err
save_fails(void *ctx, const struct first_start *f)
{
	return err_errno(ENOSPC, "save");
}

TEST(first_start_that_cannot_be_saved_never_happened)
{
	struct fixture f = { .mem = arena_new(1 << 16, 1 << 22) };
	struct org *orgs;
	unsigned n;

	EXPECT_OK(kv_open(STR("memory:"), &(struct kv_options){ 0 }, &f.kv));
	EXPECT_OK(catalog_open(f.kv, &f.catalog));
	open_access(&f);
	EXPECT_ERR("save", access_first_start(f.access, save_fails, NULL, f.mem, &f.first), -ENOSPC);
	EXPECT_OK(access_org_list(f.access, f.mem, &orgs, &n));
	EXPECT_EQ("orgs", n, 0);
	end(&f);
}

/* ---- access keys ---- */

static struct key_info
make_key(struct fixture *f, struct key_new k, struct secret *session)
{
	struct key_info info = { .id = STR("none") };
	struct secret secret;

	if (str_empty(k.org))
		k.org = f->first.org.id;
	if (str_empty(k.principal))
		k.principal = STR("coreweave/bob");
	EXPECT_OK(access_key_create(f->access, &k, f->mem, &info, &secret, session));
	return info;
}

TEST(key_kinds)
{
	struct fixture f = begin();
	struct secret session, none;
	struct key_info permanent = make_key(&f, (struct key_new){ 0 }, &none);
	struct key_info temporary = make_key(&f, (struct key_new){ .duration_s = 1 }, &none);
	struct key_info with = make_key(&f, (struct key_new){ .duration_s = 900, .session = KEY_WITH_SESSION }, &session);
	str token;

	EXPECT_EQ("no session", none.len, 0);
	EXPECT_EQ("session", session.len > 0, true);
	token = str_n(session.bytes, session.len);
	EXPECT_EQ("permanent", permanent.expires_ms, 0);
	EXPECT_EQ("temporary", temporary.expires_ms - temporary.created_ms, 1000);
	EXPECT_ERR("permanent", find(&f, permanent.id, STR_NONE), 0);
	EXPECT_ERR("empty token", find(&f, permanent.id, STR("")), 0);
	EXPECT_ERR("stray token", find(&f, permanent.id, token), S3_InvalidToken);
	EXPECT_ERR("with its token", find(&f, with.id, token), 0);
	EXPECT_ERR("without", find(&f, with.id, STR("")), S3_InvalidToken);
	EXPECT_ERR("another's", find(&f, with.id, STR("x")), S3_InvalidToken);
	EXPECT_ERR("fresh", find(&f, temporary.id, STR_NONE), 0);
	usleep(1100000);
	EXPECT_ERR("over", find(&f, temporary.id, STR_NONE), S3_ExpiredToken);
	EXPECT_OK(access_key_get(f.access, f.first.org.id, temporary.id, f.mem, &temporary));
	EXPECT_EQ("status", temporary.status, KEY_EXPIRED);
	reopen(&f);
	EXPECT_ERR("reopened", find(&f, with.id, token), 0);
	EXPECT_ERR("reopened, over", find(&f, temporary.id, STR_NONE), S3_ExpiredToken);
	end(&f);
}

TEST(key_suspend_and_revoke)
{
	struct fixture f = begin();
	str org = f.first.org.id;
	struct secret none;
	struct key_info a = make_key(&f, (struct key_new){ 0 }, &none), b = make_key(&f, (struct key_new){ 0 }, &none);
	struct key_info c = make_key(&f, (struct key_new){ .principal = STR("coreweave/carol") }, &none), c2;
	unsigned n;

	EXPECT_OK(access_key_set_status(f.access, org, STR("coreweave/bob"), KEY_SUSPENDED));
	EXPECT_ERR("suspended", find(&f, a.id, STR_NONE), S3_AccessDenied);
	EXPECT_ERR("suspended too", find(&f, b.id, STR_NONE), S3_AccessDenied);
	EXPECT_ERR("another's", find(&f, c.id, STR_NONE), 0);
	reopen(&f);
	EXPECT_ERR("no new ones", access_key_create(f.access, &(struct key_new){ .org = org, .principal = STR("coreweave/bob") }, f.mem,
	    &c2, &none, &none), S3_AccessDenied);
	EXPECT_ERR("still", find(&f, a.id, STR_NONE), S3_AccessDenied);
	EXPECT_OK(access_key_set_status(f.access, org, STR("coreweave/bob"), KEY_ACTIVE));
	EXPECT_ERR("active", find(&f, a.id, STR_NONE), 0);
	EXPECT_ERR("nobody", access_key_set_status(f.access, org, STR("coreweave/x"), KEY_ACTIVE), -ENOENT);

	EXPECT_OK(access_key_revoke(f.access, org, a.id));
	EXPECT_ERR("revoked", find(&f, a.id, STR_NONE), S3_InvalidAccessKeyId);
	EXPECT_ERR("twice", access_key_revoke(f.access, org, a.id), -ENOENT);
	EXPECT_ERR("not of that org", access_key_revoke(f.access, STR("000000"), b.id), -ENOENT);
	EXPECT_OK(access_key_revoke_principal(f.access, org, STR("coreweave/bob"), &n));
	EXPECT_EQ("revoked", n, 1);
	EXPECT_ERR("all of bob", find(&f, b.id, STR_NONE), S3_InvalidAccessKeyId);
	EXPECT_OK(access_key_revoke_principal(f.access, org, STR("coreweave/bob"), &n));
	EXPECT_EQ("none left", n, 0);
	reopen(&f);
	EXPECT_ERR("still", find(&f, b.id, STR_NONE), S3_InvalidAccessKeyId);
	EXPECT_ERR("carol", find(&f, c.id, STR_NONE), 0);
	end(&f);
}

TEST(key_attributes)
{
	static const struct { const char *name, *value; int want; } cases[] = {
		{ "team", "ml", 0 }, { "team", "", 0 }, { "a-b", "A.b_c-9", 0 },
		{ "Team", "x", S3_InvalidArgument }, { "-a", "x", S3_InvalidArgument }, { "a_b", "x", S3_InvalidArgument },
		{ "", "x", S3_InvalidArgument }, { "cw-x", "x", S3_InvalidArgument }, { "role", "x", S3_InvalidArgument },
		{ "groups", "x", S3_InvalidArgument }, { "a", "-x", S3_InvalidArgument }, { "a", "x y", S3_InvalidArgument },
		{ "a123456789012345678901234567890123456789012345678901234567890123", "x", S3_InvalidArgument },
		{ "a", "a123456789012345678901234567890123456789012345678901234567890123", S3_InvalidArgument },
	};
	struct fixture f = begin();
	struct pair many[16];
	struct secret secret, session;
	struct key_info info, got;

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pair p = { str_c(cases[i].name), str_c(cases[i].value) };
		struct key_new k = { .org = f.first.org.id, .principal = STR("coreweave/bob"), .attributes = { &p, 1 } };

		EXPECT_ERR(cases[i].name, access_key_create(f.access, &k, f.mem, &info, &secret, &session), cases[i].want);
		if (cases[i].want != 0)
			continue;
		EXPECT_OK(access_key_get(f.access, f.first.org.id, info.id, f.mem, &got));
		EXPECT_EQ("attributes", got.attributes.n, 1);
		EXPECT_STR("name", got.attributes.at[0].name, p.name);
		EXPECT_STR("value", got.attributes.at[0].value, p.value);
	}
	for (unsigned i = 0; i < 16; i++)
		many[i] = (struct pair){ arena_fmt(f.mem, "a%u", i), STR("x") };
	struct key_new k = { .org = f.first.org.id, .principal = STR("coreweave/bob"), .attributes = { many, 16 } };
	EXPECT_ERR("16", access_key_create(f.access, &k, f.mem, &info, &secret, &session), S3_InvalidArgument);
	k.attributes.n = 15;
	EXPECT_OK(access_key_create(f.access, &k, f.mem, &info, &secret, &session));
	many[3].name = many[4].name;
	EXPECT_ERR("twice", access_key_create(f.access, &k, f.mem, &info, &secret, &session), S3_InvalidArgument);
	k.attributes.n = 0;
	k.duration_s = ACCESS_DURATION_MAX + 1;
	EXPECT_ERR("long", access_key_create(f.access, &k, f.mem, &info, &secret, &session), S3_InvalidArgument);
	k.duration_s = 0;
	k.org = STR("000000");
	EXPECT_ERR("no org", access_key_create(f.access, &k, f.mem, &info, &secret, &session), -ENOENT);
	end(&f);
}

TEST(key_list_pages)
{
	struct fixture f = begin();
	struct key_info *page;
	struct secret none;
	unsigned n, seen = 0;
	str last = STR("");

	for (int i = 0; i < 10; i++)
		make_key(&f, (struct key_new){ 0 }, &none);
	for (unsigned offset = 0;; offset += 4) {
		EXPECT_OK(access_key_list(f.access, f.first.org.id, offset, 4, f.mem, &page, &n));
		if (n == 0)
			break;
		for (unsigned i = 0; i < n; i++) {
			EXPECT(str_cmp(last, page[i].id) < 0);
			last = page[i].id;
			seen++;
		}
	}
	EXPECT_EQ("keys", seen, 11);
	end(&f);
}

/* ---- secrets at rest ---- */

static unsigned
rows_that_hold(struct kv *kv, str needle, const char *what)
{
	struct kv_iter *it;
	unsigned n = 0;

	EXPECT_OK(kv_scan(kv, KV_SYSTEM_SPACE, STR("A"), STR_NONE, &it));
	for (; kv_iter_valid(it); kv_iter_next(it))
		if (str_find_str(kv_iter_value(it), needle) >= 0 || str_find_str(kv_iter_key(it), needle) >= 0)
			n++;
	kv_iter_close(&it);
	EXPECT_EQ(what, n, 0);
	return n;
}

TEST(no_secret_in_the_index)
{
	struct fixture f = begin();
	struct secret secret, session;
	struct key_info info;
	struct key_new k = { .org = f.first.org.id, .principal = STR("coreweave/bob"), .duration_s = 60, .session = KEY_WITH_SESSION };

	EXPECT_OK(access_key_create(f.access, &k, f.mem, &info, &secret, &session));
	rows_that_hold(f.kv, str_n(f.first.token.bytes, f.first.token.len), "token");
	rows_that_hold(f.kv, str_n(f.first.token.bytes + 20, 20), "half a token");
	rows_that_hold(f.kv, str_n(f.first.secret.bytes + 3, 20), "secret");
	rows_that_hold(f.kv, str_n(secret.bytes + 3, 20), "another secret");
	rows_that_hold(f.kv, str_n(session.bytes, 20), "session token");
	rows_that_hold(f.kv, str_n(master, 16), "master key");
	end(&f);
}

TEST(another_master_key)
{
	struct fixture f = begin();
	uint8_t other[32] = { 1 };
	struct access *a = NULL;

	EXPECT_ERR("other", access_open(f.kv, f.catalog, other, &a), -EKEYREJECTED);
	end(&f);
}

/* A sealed secret moved to another key's row does not open. */
TEST(secrets_cannot_be_moved)
{
	struct fixture f = begin();
	char out[VAULT_SLOT];
	str sealed;
	size_t n;

	EXPECT_OK(seal(master, STR("CWA"), STR("cwosecret"), f.mem, &sealed));
	EXPECT_ERR("own", unseal(master, STR("CWA"), sealed, out, sizeof(out), &n), 0);
	EXPECT_STR("text", str_n(out, n), STR("cwosecret"));
	EXPECT_ERR("other row", unseal(master, STR("CWB"), sealed, out, sizeof(out), &n), ERR_DAMAGED.code);
	((char *)sealed.p)[20] ^= 1;
	EXPECT_ERR("changed", unseal(master, STR("CWA"), sealed, out, sizeof(out), &n), ERR_DAMAGED.code);
	EXPECT_ERR("short", unseal(master, STR("CWA"), STR("AAAA"), out, sizeof(out), &n), ERR_DAMAGED.code);
	end(&f);
}

/* ---- the master key ---- */

static void
write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	EXPECT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

TEST(master_key_file_and_rotation)
{
	char dir[] = "/tmp/test_access.XXXXXX", path[64], path_new[64];
	struct fixture f = { .mem = arena_new(1 << 16, 1 << 24) };
	uint8_t key[32], again[32];
	struct stat st;

	REQUIRE(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/master-key", dir);
	snprintf(path_new, sizeof(path_new), "%s/master-key.new", dir);
	unsetenv("CAISSON_MASTER_KEY");
	EXPECT_OK(kv_open(STR("memory:"), &(struct kv_options){ 0 }, &f.kv));
	EXPECT_OK(catalog_open(f.kv, &f.catalog));
	EXPECT_OK(access_master_key(f.kv, path, key));
	EXPECT(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	EXPECT_OK(access_open(f.kv, f.catalog, key, &f.access));
	EXPECT_OK(access_first_start(f.access, save_nothing, NULL, f.mem, &f.first));

	EXPECT_OK(access_master_rotate(f.access, path));
	EXPECT_ERR("live", find(&f, f.first.access_key, STR_NONE), 0);
	EXPECT_OK(access_master_key(f.kv, path, again));
	EXPECT(memcmp(key, again, 32) != 0);
	access_close(&f.access);
	EXPECT_ERR("the old one", access_open(f.kv, f.catalog, key, &f.access), -EKEYREJECTED);
	EXPECT_OK(access_open(f.kv, f.catalog, again, &f.access));
	EXPECT_ERR("reopened", find(&f, f.first.access_key, STR_NONE), 0);

	/* Power went after the batch, before the rename: the next start does it. */
	EXPECT(rename(path, path_new) == 0);
	write_text(path, "00000000000000000000000000000000000000000000000000000000000000ff\n");
	EXPECT_OK(access_master_key(f.kv, path, key));
	EXPECT(memcmp(key, again, 32) == 0);
	EXPECT(access(path_new, F_OK) != 0 && access(path, F_OK) == 0);
	/* Before the batch: the new file means nothing. */
	write_text(path_new, "00000000000000000000000000000000000000000000000000000000000000ff\n");
	EXPECT_OK(access_master_key(f.kv, path, key));
	EXPECT(memcmp(key, again, 32) == 0 && access(path_new, F_OK) != 0);

	chmod(path, 0640);
	EXPECT_ERR("readable by others", access_master_key(f.kv, path, key), -EACCES);
	chmod(path, 0600);
	write_text(path, "short\n");
	EXPECT_ERR("no key", access_master_key(f.kv, path, key), -EINVAL);
	unlink(path);
	EXPECT_ERR("lost", access_master_key(f.kv, path, key), -EKEYREJECTED);
	EXPECT(access(path, F_OK) != 0);
	rmdir(dir);
	end(&f);
}

TEST(master_key_from_environment)
{
	static const char *one = "1111111111111111111111111111111111111111111111111111111111111111";
	static const char *two = "2222222222222222222222222222222222222222222222222222222222222222";
	struct fixture f = { .mem = arena_new(1 << 16, 1 << 24) };
	uint8_t key[32];

	EXPECT_OK(kv_open(STR("memory:"), &(struct kv_options){ 0 }, &f.kv));
	EXPECT_OK(catalog_open(f.kv, &f.catalog));
	setenv("CAISSON_MASTER_KEY", one, 1);
	EXPECT_OK(access_master_key(f.kv, "/nowhere/x", key));
	EXPECT_OK(access_open(f.kv, f.catalog, key, &f.access));
	EXPECT_OK(access_first_start(f.access, save_nothing, NULL, f.mem, &f.first));
	EXPECT_ERR("rotate", access_master_rotate(f.access, "/nowhere/x"), -ENOTSUP);
	access_close(&f.access);
	setenv("CAISSON_MASTER_KEY", two, 1);
	EXPECT_ERR("other", access_master_key(f.kv, "/nowhere/x", key), -EKEYREJECTED);
	setenv("CAISSON_MASTER_KEY_OLD", one, 1);
	EXPECT_OK(access_master_key(f.kv, "/nowhere/x", key));
	EXPECT_OK(access_open(f.kv, f.catalog, key, &f.access));
	EXPECT_ERR("after", find(&f, f.first.access_key, STR_NONE), 0);
	setenv("CAISSON_MASTER_KEY", "zz", 1);
	EXPECT_ERR("no key", access_master_key(f.kv, "/nowhere/x", key), -EINVAL);
	unsetenv("CAISSON_MASTER_KEY");
	unsetenv("CAISSON_MASTER_KEY_OLD");
	end(&f);
}

/* ---- tokens and users ---- */

TEST(tokens)
{
	struct fixture f = begin();
	str org = f.first.org.id;
	struct user u = { .org = org, .principal = STR("coreweave/dora"), .name = STR("Dora"), .role = ROLE_ADMIN };
	struct token t = { .org = org, .principal = u.principal, .name = STR("ci") }, made, *list;
	struct secret text, brief;
	struct caller caller;
	unsigned n;

	EXPECT_ERR("no user", access_token_create(f.access, &t, 0, f.mem, &made, &text), -ENOENT);
	EXPECT_OK(access_user_create(f.access, &u, f.mem, &u));
	EXPECT_ERR("twice", access_user_create(f.access, &u, f.mem, &u), -EEXIST);
	EXPECT_OK(access_token_create(f.access, &t, 1, f.mem, &made, &brief));
	EXPECT_OK(access_token_create(f.access, &t, 0, f.mem, &made, &text));
	EXPECT_OK(access_token_find(f.access, str_n(text.bytes, text.len), f.mem, &caller));
	EXPECT_EQ("role", caller.role, ROLE_ADMIN);
	EXPECT_STR("org", caller.who.org, org);
	EXPECT_STR("id", caller.token_id, made.id);
	EXPECT_OK(access_token_list(f.access, org, f.mem, &list, &n));
	EXPECT_EQ("tokens", n, 3);
	text.bytes[30] = text.bytes[30] == 'a' ? 'b' : 'a';
	EXPECT_ERR("wrong", access_token_find(f.access, str_n(text.bytes, text.len), f.mem, &caller), S3_InvalidToken);
	EXPECT_ERR("empty", access_token_find(f.access, STR(""), f.mem, &caller), S3_InvalidToken);
	EXPECT_OK(access_token_revoke(f.access, org, made.id));
	EXPECT_ERR("twice", access_token_revoke(f.access, org, made.id), -ENOENT);
	usleep(1100000);
	EXPECT_ERR("over", access_token_find(f.access, str_n(brief.bytes, brief.len), f.mem, &caller), S3_ExpiredToken);
	end(&f);
}

TEST(user_delete_takes_all)
{
	struct fixture f = begin();
	str org = f.first.org.id;
	struct user u = { .org = org, .name = STR("Dora") }, got;
	struct secret none, text;
	struct key_info key;
	struct token t;
	struct caller caller;

	EXPECT_OK(access_user_create(f.access, &u, f.mem, &u));
	EXPECT(str_starts(u.principal, STR("coreweave/")));
	key = make_key(&f, (struct key_new){ .principal = u.principal }, &none);
	EXPECT_OK(access_token_create(f.access, &(struct token){ .org = org, .principal = u.principal }, 0, f.mem, &t, &text));
	u.role = ROLE_ADMIN;
	EXPECT_OK(access_user_set(f.access, &u));
	EXPECT_OK(access_token_find(f.access, str_n(text.bytes, text.len), f.mem, &caller));
	EXPECT_EQ("role", caller.role, ROLE_ADMIN);
	EXPECT_OK(access_user_delete(f.access, org, u.principal));
	EXPECT_ERR("key", find(&f, key.id, STR_NONE), S3_InvalidAccessKeyId);
	EXPECT_ERR("token", access_token_find(f.access, str_n(text.bytes, text.len), f.mem, &caller), S3_InvalidToken);
	EXPECT_ERR("user", access_user_get(f.access, org, u.principal, f.mem, &got), -ENOENT);
	EXPECT_ERR("others", find(&f, f.first.access_key, STR_NONE), 0);
	u.principal = STR("bob");
	EXPECT_ERR("form", access_user_create(f.access, &u, f.mem, &got), S3_InvalidArgument);
	end(&f);
}

/* ---- organizations, policies, issuers ---- */

TEST(organizations)
{
	struct fixture f = begin();
	struct org o, got, *list;
	struct key_info key;
	struct secret none;
	unsigned n;

	EXPECT_OK(access_org_create(f.access, STR("Second"), f.mem, &o));
	EXPECT_ERR("no name", access_org_create(f.access, STR(""), f.mem, &got), S3_InvalidArgument);
	EXPECT_ERR("not UTF-8", access_org_create(f.access, STR("\xff"), f.mem, &got), S3_InvalidArgument);
	EXPECT_OK(access_org_list(f.access, f.mem, &list, &n));
	EXPECT_EQ("orgs", n, 2);
	EXPECT(!access_org_audited(f.access, o.id));
	o.control_audit = true;
	EXPECT_OK(access_org_set(f.access, &o));
	EXPECT(access_org_audited(f.access, o.id));
	key = make_key(&f, (struct key_new){ .org = o.id }, &none);
	EXPECT_OK(catalog_bucket_create(f.catalog, &(struct bucket_new){ .name = STR("bucket-of-it"), .org = o.id, .location = STR("x"),
	    .creator = STR("c"), .limit = 10 }));
	EXPECT_ERR("buckets", access_org_delete(f.access, o.id), -ENOTEMPTY);
	struct bucket b;
	EXPECT_OK(catalog_bucket(f.catalog, STR("bucket-of-it"), KV_MAY_BLOCK, f.mem, &b));
	EXPECT_OK(catalog_bucket_delete(f.catalog, &b));
	EXPECT_OK(access_org_delete(f.access, o.id));
	EXPECT_ERR("its key", find(&f, key.id, STR_NONE), S3_InvalidAccessKeyId);
	EXPECT_ERR("gone", access_org_get(f.access, o.id, f.mem, &got), -ENOENT);
	EXPECT_ERR("gone", access_org_delete(f.access, o.id), -ENOENT);
	reopen(&f);
	EXPECT_ERR("still", access_org_get(f.access, o.id, f.mem, &got), -ENOENT);
	EXPECT_ERR("the first", find(&f, f.first.access_key, STR_NONE), 0);
	EXPECT_OK(access_org_get(f.access, f.first.org.id, f.mem, &got));
	end(&f);
}

#define P(name, effect, actions, resources, principals)                                                  \
	"{'version':'v1alpha1','name':'" name "','statements':[{'name':'" name "-st','effect':'" effect "','actions':[" actions "]," \
	"'resources':[" resources "],'principals':[" principals "]}]}"

TEST(policies_kept_as_given)
{
	struct fixture f = begin();
	str org = f.first.org.id, *list, name;
	unsigned n;

	ensure(&f, org, P("b", "Allow", "'s3:*'", "'*'", "'*'"));
	ensure(&f, org, "{'policy':" P("a", "Deny", "'s3:*'", "'x'", "'*'") "}");
	ensure(&f, org, P("b", "Allow", "'s3:GetObject'", "'*'", "'*'"));	/* replaced whole */
	EXPECT_OK(access_policy_list(f.access, org, f.mem, &list, &n));
	REQUIRE(n == 3);
	EXPECT_STR("a", list[0], quotes(&f, P("a", "Deny", "'s3:*'", "'x'", "'*'")));
	EXPECT(str_find_str(list[1], STR("allow-all")) >= 0);
	EXPECT_STR("b", list[2], quotes(&f, P("b", "Allow", "'s3:GetObject'", "'*'", "'*'")));
	EXPECT_ERR("bad", access_policy_ensure(f.access, org, STR("{}"), f.mem, &name), S3_MalformedPolicy);
	EXPECT_ERR("no org", access_policy_ensure(f.access, STR("000000"), list[0], f.mem, &name), -ENOENT);
	EXPECT_OK(access_policy_delete(f.access, org, STR("a")));
	EXPECT_ERR("twice", access_policy_delete(f.access, org, STR("a")), -ENOENT);
	for (int i = 0; i < 98; i++)
		ensure(&f, org, arena_fmt(f.mem, "{'version':'v1alpha1','name':'p%d','statements':[{'name':'s','effect':'Deny',"
		    "'actions':['s3:*'],'resources':['x'],'principals':['*']}]}", i).p);
	EXPECT_ERR("too many", access_policy_ensure(f.access, org, quotes(&f, P("one-more", "Deny", "'*'", "'*'", "'*'")),
	    f.mem, &name), -EDQUOT);
	ensure(&f, org, P("b", "Deny", "'s3:*'", "'x'", "'*'"));		/* but those that are there can change */
	end(&f);
}

TEST(where_issuers_are)
{
	static const struct { const char *url; enum issuer_where where; } cases[] = {
		{ "https://token.example", ISSUER_HTTPS }, { "https://token.example:8443/a/b", ISSUER_HTTPS },
		{ "http://127.0.0.1", ISSUER_LOOPBACK }, { "http://localhost:80/a", ISSUER_LOOPBACK },
		{ "http://127.0.0.1.token.example/", ISSUER_NOWHERE }, { "http://localhost.token.example", ISSUER_NOWHERE },
		{ "http://127.0.0.1:80@token.example/", ISSUER_NOWHERE }, { "https://a@token.example", ISSUER_NOWHERE },
		{ "http://token.example/127.0.0.1", ISSUER_NOWHERE }, { "https:///a", ISSUER_NOWHERE },
		{ "https:token.example", ISSUER_NOWHERE }, { "file:///etc/passwd", ISSUER_NOWHERE },
		{ "HTTP://127.0.0.1", ISSUER_NOWHERE }, { "", ISSUER_NOWHERE },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		EXPECT_EQ(cases[i].url, access_issuer_where(str_c(cases[i].url)), cases[i].where);
}

TEST(what_issuers_may_name)
{
	static const struct { const char *issuer, *url; bool may; } cases[] = {
		{ "https://token.example", "https://token.example/keys", true }, { "https://token.example", "https://keys.example", true },
		{ "https://token.example", "http://127.0.0.1:9000/admin", false }, { "https://localhost", "http://localhost/", false },
		{ "http://127.0.0.1:1", "http://localhost:2/keys", true }, { "http://127.0.0.1:1", "https://keys.example", true },
		{ "http://127.0.0.1:1", "http://token.example", false }, { "https://token.example", "file:///etc/passwd", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		EXPECT_EQ(cases[i].url, access_issuer_may_name(str_c(cases[i].issuer), str_c(cases[i].url)), cases[i].may);
}

TEST(issuers)
{
	struct fixture f = begin();
	str org = f.first.org.id;
	struct issuer i = { .name = STR("gh"), .issuer = STR("https://token.example"), .audience = STR("caisson") }, got, *list;
	str id;
	unsigned n;

	EXPECT_OK(access_issuer_ensure(f.access, org, &i, f.mem, &got));
	id = got.id;
	i.audience = STR("other");
	EXPECT_OK(access_issuer_ensure(f.access, org, &i, f.mem, &got));
	EXPECT_STR("same id", got.id, id);
	EXPECT_OK(access_issuer_find(f.access, org, STR("https://token.example"), f.mem, &got));
	EXPECT_STR("audience", got.audience, STR("other"));
	EXPECT_ERR("slash", access_issuer_find(f.access, org, STR("https://token.example/"), f.mem, &got), -ENOENT);
	i.issuer = STR("http://token.example");
	EXPECT_ERR("plain", access_issuer_ensure(f.access, org, &i, f.mem, &got), S3_InvalidArgument);
	i.issuer = STR("http://127.0.0.1:8080/x");
	EXPECT_OK(access_issuer_ensure(f.access, org, &i, f.mem, &got));
	EXPECT_OK(access_issuer_list(f.access, org, f.mem, &list, &n));
	EXPECT_EQ("issuers", n, 2);
	EXPECT_OK(access_issuer_delete(f.access, org, id));
	EXPECT_ERR("twice", access_issuer_delete(f.access, org, id), -ENOENT);
	end(&f);
}

/* ---- decisions ---- */

/* Two organizations, one bucket "b" of the first; a policy on it or none; one question each. */
enum caller_kind { OWNER, OUTSIDER, NOBODY };
struct decision {
	const char *org_policy, *outside_policy, *bucket_policy;
	enum caller_kind who;
	const char *action, *key;
	int want;
	const char *why;	/* part of it */
};

#define ALLOW_ALL P("o", "Allow", "'s3:*'", "'*'", "'*'")
#define BP(effect, principal, action) "{'Statement':[{'Sid':'one','Effect':'" effect "','Principal':" principal ",'Action':'" action \
	"','Resource':['arn:aws:s3:::bbb','arn:aws:s3:::bbb/*']}]}"
#define DENIED S3_AccessDenied

static const struct decision decisions[] = {
	/* The owner's organization. */
	{ NULL, NULL, NULL, OWNER, "s3:GetObject", "k", DENIED, "no organization policy" },
	{ ALLOW_ALL, NULL, NULL, OWNER, "s3:GetObject", "k", 0, "organization policy \"o\": Allow \"o-st\"" },
	{ P("o", "Allow", "'s3:*'", "'bbb'", "'*'"), NULL, NULL, OWNER, "s3:GetObject", "k", DENIED, "no organization policy" },
	{ P("o", "Allow", "'s3:*'", "'bbb/*'", "'*'"), NULL, NULL, OWNER, "s3:GetObject", "k", 0, "" },
	{ P("o", "Allow", "'s3:*'", "'*'", "'coreweave/own*'"), NULL, NULL, OWNER, "s3:GetObject", "k", 0, "" },
	{ P("o", "Allow", "'s3:*'", "'*'", "'coreweave/other'"), NULL, NULL, OWNER, "s3:GetObject", "k", DENIED, "" },
	{ ALLOW_ALL, NULL, BP("Allow", "'*'", "s3:GetObject"), OWNER, "s3:GetObject", "k", 0, "bucket policy: Allow \"one\"" },
	{ ALLOW_ALL, NULL, BP("Allow", "'*'", "s3:GetObject"), OWNER, "s3:PutObject", "k", DENIED, "the bucket policy does not allow it" },
	{ ALLOW_ALL, NULL, BP("Deny", "'*'", "s3:GetObject"), OWNER, "s3:GetObject", "k", DENIED, "bucket policy: Deny" },
	{ ALLOW_ALL, NULL, BP("Deny", "'*'", "s3:GetObject"), OWNER, "s3:PutObject", "k", DENIED, "does not allow" },
	{ NULL, NULL, BP("Allow", "'*'", "s3:*"), OWNER, "s3:GetObject", "k", DENIED, "no organization policy" },
	/* s3:PutBucketPolicy never asks the bucket policy. */
	{ ALLOW_ALL, NULL, BP("Deny", "'*'", "s3:*"), OWNER, "s3:PutBucketPolicy", "", 0, "organization policy" },
	{ ALLOW_ALL, NULL, BP("Deny", "'*'", "s3:*"), OWNER, "s3:DeleteBucketPolicy", "", DENIED, "bucket policy: Deny" },
	{ P("o", "Allow", "'s3:PutBucketPolicy'", "'bbb'", "'*'"), NULL, NULL, OWNER, "s3:PutBucketPolicy", "", 0, "" },
	{ P("o", "Allow", "'s3:Get*'", "'*'", "'*'"), NULL, NULL, OWNER, "s3:PutBucketPolicy", "", DENIED, "" },
	/* s3:ListAllMyBuckets has no bucket. */
	{ ALLOW_ALL, NULL, BP("Deny", "'*'", "s3:*"), OWNER, "s3:ListAllMyBuckets", "", 0, "" },
	{ P("o", "Allow", "'s3:*'", "'bbb'", "'*'"), NULL, NULL, OWNER, "s3:ListAllMyBuckets", "", DENIED, "" },
	/* Another organization: an Allow on both sides. */
	{ ALLOW_ALL, ALLOW_ALL, NULL, OUTSIDER, "s3:GetObject", "k", DENIED, "the bucket has no policy" },
	{ ALLOW_ALL, ALLOW_ALL, BP("Allow", "'*'", "s3:GetObject"), OUTSIDER, "s3:GetObject", "k", 0, "bucket policy: Allow" },
	{ NULL, ALLOW_ALL, BP("Allow", "'*'", "s3:GetObject"), OUTSIDER, "s3:GetObject", "k", 0, "" },
	{ ALLOW_ALL, NULL, BP("Allow", "'*'", "s3:GetObject"), OUTSIDER, "s3:GetObject", "k", DENIED, "no organization policy" },
	{ ALLOW_ALL, P("o", "Deny", "'s3:Get*'", "'*'", "'*'"), BP("Allow", "'*'", "s3:GetObject"), OUTSIDER, "s3:GetObject", "k", DENIED,
	    "organization policy \"o\": Deny" },
	{ P("o", "Deny", "'s3:Get*'", "'*'", "'*'"), ALLOW_ALL, BP("Allow", "'*'", "s3:GetObject"), OUTSIDER, "s3:GetObject", "k", DENIED,
	    "policy of the bucket's organization" },
	{ P("o", "Deny", "'s3:Get*'", "'*'", "'coreweave/own*'"), ALLOW_ALL, BP("Allow", "'*'", "s3:GetObject"), OUTSIDER,
	    "s3:GetObject", "k", 0, "" },			/* names in a policy mean its own organization */
	{ ALLOW_ALL, ALLOW_ALL, BP("Allow", "'*'", "s3:*"), OUTSIDER, "s3:PutBucketPolicy", "", DENIED, "another organization" },
	{ ALLOW_ALL, ALLOW_ALL, BP("Allow", "'*'", "s3:*"), OUTSIDER, "s3:DeleteBucketPolicy", "", DENIED, "another organization" },
	{ ALLOW_ALL, ALLOW_ALL, BP("Allow", "'*'", "s3:*"), OUTSIDER, "s3:GetBucketPolicy", "", 0, "" },
	/* Nobody. */
	{ ALLOW_ALL, NULL, NULL, NOBODY, "s3:GetObject", "k", DENIED, "the bucket has no policy" },
	{ NULL, NULL, BP("Allow", "'*'", "s3:GetObject"), NOBODY, "s3:GetObject", "k", 0, "bucket policy: Allow" },
	{ NULL, NULL, BP("Allow", "{'CW':'*'}", "s3:GetObject"), NOBODY, "s3:GetObject", "k", 0, "" },
	{ NULL, NULL, BP("Allow", "'*'", "s3:GetObject"), NOBODY, "s3:PutObject", "k", DENIED, "does not allow" },
	{ ALLOW_ALL, NULL, BP("Allow", "{'CW':'arn:aws:iam::aaaaaa:root'}", "s3:GetObject"), NOBODY, "s3:GetObject", "k", DENIED, "" },
	{ P("o", "Deny", "'s3:Get*'", "'*'", "'*'"), NULL, BP("Allow", "'*'", "s3:GetObject"), NOBODY, "s3:GetObject", "k", DENIED,
	    "policy of the bucket's organization" },
	{ ALLOW_ALL, NULL, BP("Allow", "'*'", "s3:*"), NOBODY, "s3:PutBucketPolicy", "", DENIED, "" },
	{ ALLOW_ALL, NULL, NULL, NOBODY, "s3:ListAllMyBuckets", "", DENIED, "" },
	{ ALLOW_ALL, NULL, NULL, OWNER, "s3:NoSuchAction", "", DENIED, "no such action" },
};

static void
set_bucket_policy(struct fixture *f, const char *json)
{
	struct bucket b;

	EXPECT_OK(catalog_bucket(f->catalog, STR("bbb"), KV_MAY_BLOCK, f->mem, &b));
	EXPECT_OK(catalog_config_set(f->catalog, &b, CONFIG_POLICY, json != NULL ? quotes(f, json) : STR_NONE));
}

static void
set_org_policy(struct fixture *f, str org, const char *json)
{
	err_v e;

	if (json != NULL)
		ensure(f, org, json);
	else
		e = access_policy_delete(f->access, org, STR("o")), (void)e;
}

TEST(decision_table)
{
	struct fixture f = begin();
	struct org out;
	struct principal who[] = {
		[OWNER] = { .org = f.first.org.id, .name = STR("coreweave/owner") },
		[OUTSIDER] = { .name = STR("coreweave/owner") },
		[NOBODY] = { .anonymous = true },
	};
	struct bucket b;

	EXPECT_OK(access_org_create(f.access, STR("outside"), f.mem, &out));
	who[OUTSIDER].org = out.id;
	EXPECT_OK(catalog_bucket_create(f.catalog, &(struct bucket_new){ .name = STR("bbb"), .org = f.first.org.id, .location = STR("x"),
	    .creator = STR("c"), .limit = 10 }));
	for (size_t i = 0; i < COUNT(decisions); i++) {
		const struct decision *d = &decisions[i];
		struct access_question q = { .who = &who[d->who], .action = str_c(d->action), .key = str_c(d->key) };
		const char *label = arena_fmt(f.mem, "case %zu: %s", i, d->action).p;
		str why = STR("");

		set_org_policy(&f, f.first.org.id, d->org_policy);
		set_org_policy(&f, out.id, d->outside_policy);
		set_bucket_policy(&f, d->bucket_policy);
		EXPECT_OK(catalog_bucket(f.catalog, STR("bbb"), KV_MAY_BLOCK, f.mem, &b));
		if (strcmp(d->action, "s3:ListAllMyBuckets") != 0) {
			q.target = &b;
			q.bucket = b.name;
		}
		if (b.has_policy && q.target != NULL && d->who != NOBODY && strcmp(d->action, "s3:GetObject") == 0) {
			q.wait = KV_NO_WAIT;		/* not compiled yet: says so, unless it is decided earlier */
			err_v e = access_check(f.access, &q, NULL);
			EXPECT_EQ(label, e.code == ERR_WOULD_BLOCK.code || e.code == DENIED, true);
		}
		q.wait = KV_MAY_BLOCK;
		EXPECT_ERR(label, access_check(f.access, &q, &why), d->want);
		EXPECT_ERR(label, access_check(f.access, &q, NULL), d->want);
		if (d->why != NULL && str_find_str(why, str_c(d->why)) < 0)
			TEST_FAIL("%s: why is \"%.*s\"", label, STR_FMT(why));
		q.wait = KV_NO_WAIT;			/* now it is, if it was asked at all */
		EXPECT_ERR(label, access_check(f.access, &q, NULL), d->want);
	}
	end(&f);
}

TEST(needs_tags)
{
	struct fixture f = begin();
	struct bucket b;
	bool needs;

	EXPECT_OK(catalog_bucket_create(f.catalog, &(struct bucket_new){ .name = STR("bbb"), .org = f.first.org.id, .location = STR("x"),
	    .creator = STR("c"), .limit = 10 }));
	EXPECT_OK(catalog_bucket(f.catalog, STR("bbb"), KV_MAY_BLOCK, f.mem, &b));
	EXPECT_OK(access_needs_tags(f.access, &b, KV_NO_WAIT, &needs));
	EXPECT(!needs);
	set_bucket_policy(&f, BP("Allow", "'*'", "s3:*"));
	EXPECT_OK(catalog_bucket(f.catalog, STR("bbb"), KV_MAY_BLOCK, f.mem, &b));
	EXPECT_ERR("not compiled", access_needs_tags(f.access, &b, KV_NO_WAIT, &needs), ERR_WOULD_BLOCK.code);
	EXPECT_OK(access_needs_tags(f.access, &b, KV_MAY_BLOCK, &needs));
	EXPECT(!needs);
	set_bucket_policy(&f, "{'Statement':{'Effect':'Deny','Action':'s3:*','Resource':'*','Condition':"
	    "{'StringEquals':{'s3:ExistingObjectTag/x':'y'}}}}");
	EXPECT_OK(catalog_bucket(f.catalog, STR("bbb"), KV_MAY_BLOCK, f.mem, &b));
	EXPECT_OK(access_needs_tags(f.access, &b, KV_MAY_BLOCK, &needs));
	EXPECT(needs);
	end(&f);
}

TEST(control_and_can_i)
{
	struct fixture f = begin();
	str org = f.first.org.id;
	struct caller admin = { .who = { .org = org, .name = STR("coreweave/a") }, .role = ROLE_ADMIN };
	struct caller user = { .who = { .org = org, .name = STR("coreweave/u") } };
	bool may;

	EXPECT_OK(access_control(f.access, &admin, STR("cwobject:EnsureAccessPolicy"), NULL));
	EXPECT_ERR("admin, s3", access_control(f.access, &admin, STR("s3:GetObject"), NULL), DENIED);
	EXPECT_ERR("user", access_control(f.access, &user, STR("cwobject:CreateAccessKey"), NULL), DENIED);
	ensure(&f, org, P("x", "Allow", "'cwobject:CreateAccessKey'", "'*'", "'coreweave/u'"));
	EXPECT_OK(access_control(f.access, &user, STR("cwobject:CreateAccessKey"), NULL));
	EXPECT_ERR("only that", access_control(f.access, &user, STR("cwobject:ListAccessKeyInfo"), NULL), DENIED);
	ensure(&f, org, P("y", "Deny", "'cwobject:*'", "'*'", "'*'"));
	EXPECT_ERR("denied", access_control(f.access, &user, STR("cwobject:CreateAccessKey"), NULL), DENIED);
	EXPECT_OK(access_control(f.access, &admin, STR("cwobject:CreateAccessKey"), NULL));

	ensure(&f, org, P("z", "Allow", "'s3:*'", "'bbb','bbb/*'", "'coreweave/u'"));
	EXPECT_OK(access_can_i(f.access, &user, STR("s3:GetObject"), STR("bbb/k"), f.mem, &may, NULL));
	EXPECT(may);
	EXPECT_OK(access_can_i(f.access, &user, STR("s3:GetObject"), STR("ccc/k"), f.mem, &may, NULL));
	EXPECT(!may);
	EXPECT_OK(access_can_i(f.access, &user, STR("s3:ListAllMyBuckets"), STR("*"), f.mem, &may, NULL));
	EXPECT(!may);
	EXPECT_OK(access_can_i(f.access, &admin, STR("cwobject:CreateAccessKey"), STR("*"), f.mem, &may, NULL));
	EXPECT(may);
	EXPECT_ERR("no action", access_can_i(f.access, &user, STR("s3:Fly"), STR("*"), f.mem, &may, NULL), S3_InvalidArgument);
	/* With the bucket there, its policy counts too. */
	EXPECT_OK(catalog_bucket_create(f.catalog, &(struct bucket_new){ .name = STR("bbb"), .org = org, .location = STR("x"),
	    .creator = STR("c"), .limit = 10 }));
	set_bucket_policy(&f, BP("Deny", "'*'", "s3:GetObject"));
	EXPECT_OK(access_can_i(f.access, &user, STR("s3:GetObject"), STR("bbb/k"), f.mem, &may, NULL));
	EXPECT(!may);
	end(&f);
}

/* ---- readers while everything changes (for TSan) ---- */

struct racing { struct fixture *f; struct bucket bucket; _Atomic bool stop; atomic_ulong reads; atomic_uint wrong; };

static void *
reader(void *arg)
{
	struct racing *r = arg;
	struct arena *mem = arena_new(1 << 14, 1 << 20);

	while (!r->stop) {
		struct principal who;
		struct secret secret;
		struct access_question q = { .action = STR("s3:GetObject"), .bucket = STR("bbb"), .key = STR("k"), .target = &r->bucket };
		err_v e = access_key_find(r->f->access, r->f->first.access_key, STR_NONE, mem, &who, &secret);

		if (!err_ok(e) || secret.len != 43 || memcmp(secret.bytes, r->f->first.secret.bytes, 43) != 0)
			r->wrong++;
		q.who = &who;
		e = err_ok(e) ? access_check(r->f->access, &q, NULL) : e;
		if (!err_ok(e))
			r->wrong++;
		r->reads++;
		arena_reset(mem);
	}
	arena_free(&mem);
	return NULL;
}

TEST(readers_while_all_changes)
{
	struct fixture f = begin();
	struct racing r = { .f = &f };
	pthread_t thread[3];
	struct secret none;
	unsigned n;

	EXPECT_OK(catalog_bucket_create(f.catalog, &(struct bucket_new){ .name = STR("bbb"), .org = f.first.org.id, .location = STR("x"),
	    .creator = STR("c"), .limit = 10 }));
	set_bucket_policy(&f, BP("Allow", "'*'", "s3:*"));
	EXPECT_OK(catalog_bucket(f.catalog, STR("bbb"), KV_MAY_BLOCK, f.mem, &r.bucket));
	for (size_t i = 0; i < COUNT(thread); i++)
		pthread_create(&thread[i], NULL, reader, &r);
	for (int i = 0; i < 100; i++) {
		struct key_info key = make_key(&f, (struct key_new){ 0 }, &none);

		ensure(&f, f.first.org.id, i % 2 ? P("o", "Deny", "'s3:PutObject'", "'*'", "'*'") : ALLOW_ALL);
		EXPECT_OK(access_key_set_status(f.access, f.first.org.id, STR("coreweave/bob"), i % 2 ? KEY_SUSPENDED : KEY_ACTIVE));
		EXPECT_ERR("visible at once", find(&f, key.id, STR_NONE), i % 2 ? S3_AccessDenied : 0);
		if (i % 3 == 0)
			EXPECT_OK(access_key_revoke_principal(f.access, f.first.org.id, STR("coreweave/bob"), &n));
		else if (i % 2)
			EXPECT_OK(access_key_set_status(f.access, f.first.org.id, STR("coreweave/bob"), KEY_ACTIVE));
		EXPECT_OK(cache_fill(f.access, &r.bucket, KV_MAY_BLOCK));
	}
	r.stop = true;
	for (size_t i = 0; i < COUNT(thread); i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ("wrong answers", r.wrong, 0);
	EXPECT(r.reads > 100);
	end(&f);
}

/* One pass of the job that forgets. */
static bool
keys_job(struct fixture *f)
{
	struct jobs_options o = { .catalog = f->catalog, .access = f->access, .threads = 1 };
	struct jobs *jobs;
	bool served;

	jobs_start(&o, &jobs);
	served = jobs_wait(jobs, JOB_keys, jobs_run(jobs, JOB_keys), clock_mono_ms() + 10000);
	jobs_stop(&jobs);
	return served;
}

TEST(sweep_forgets_only_the_old)
{
	struct fixture f = begin();
	struct secret none;
	struct key_info key = make_key(&f, (struct key_new){ .duration_s = 1 }, &none);
	AUTO(arena_free) struct arena *mem = arena_new(4096, 1 << 20);
	struct kv_batch *b = kv_batch_new(KV_SYSTEM_SPACE);
	str row = row_key(mem, "AK", f.first.org.id, key.id), value;
	json_t *r;

	EXPECT(keys_job(&f));
	EXPECT_ERR("young", find(&f, key.id, STR_NONE), 0);
	EXPECT_OK(row_get(f.access, row, mem, &value));
	REQUIRE(err_ok(record_parse(value, &r)));
	record_set_u64(r, "expires_ms", clock_wall_ms() - 2 * 86400000ull);
	record_put(b, row, &r);
	EXPECT_OK(kv_commit(f.kv, b));
	kv_batch_free(&b);
	reopen(&f);
	EXPECT_ERR("over", find(&f, key.id, STR_NONE), S3_ExpiredToken);
	EXPECT(keys_job(&f));
	EXPECT_ERR("forgotten", find(&f, key.id, STR_NONE), S3_InvalidAccessKeyId);
	EXPECT_ERR("others", find(&f, f.first.access_key, STR_NONE), 0);
	end(&f);
}
