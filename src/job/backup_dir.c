/* backup_dir.c - the directory that backups are in: its form, its sets, their manifests. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/format.h"
#include "base/json.h"
#include "base/mem.h"
#include "job/backup.h"

#define SETS_MAX 10000u
#define PARTIAL ".partial"
#define NAME_FORM "%Y%m%dT%H%M%SZ"

static const char *const files[] = { "master.key", "admin-token", "credentials", "format" };

/* ---- names ---- */

static bool
name_parse(const char *name, time_t *ret)
{
	struct tm t = { 0 };
	const char *end = strptime(name, NAME_FORM, &t);

	if (end == NULL || *end != '\0' || strlen(name) != BACKUP_NAME_LEN)
		return false;
	*ret = timegm(&t);
	return true;
}

str
backup_dir_name(const str *sets, unsigned n, uint64_t now_ms, struct arena *a)
{
	char text[BACKUP_NAME_LEN + 1];
	time_t now = (time_t)(now_ms / 1000), last;
	struct tm t;

	/* Even if the clock was set back since. */
	if (n > 0 && name_parse(sets[n - 1].p, &last) && last >= now)
		now = last + 1;
	gmtime_r(&now, &t);
	strftime(text, sizeof(text), NAME_FORM, &t);
	return arena_str(a, str_c(text));
}

static int
by_name(const void *a, const void *b)
{
	return str_cmp(*(const str *)a, *(const str *)b);
}

/* Entries of dir that are sets, or those that were cut off. */
static err
list(str dir, bool partial, struct arena *a, str **ret, unsigned *ret_n)
{
	DIR *d = opendir(arena_str(a, dir).p);
	str *names = ARENA_ARRAY(a, str, SETS_MAX);
	struct dirent *entry;
	unsigned n = 0;
	time_t when;

	if (d == NULL)
		return err_errno(errno, "open %.*s", STR_FMT(dir));
	while (n < SETS_MAX && (entry = readdir(d)) != NULL) {
		str name = str_c(entry->d_name);

		if (str_ends(name, STR(PARTIAL)) ? partial : !partial && name_parse(entry->d_name, &when))
			names[n++] = arena_str(a, name);
	}
	closedir(d);
	qsort(names, n, sizeof(*names), by_name);
	*ret = names;
	*ret_n = n;
	return ERR_OK;
}

err_v
backup_dir_sets(str dir, struct arena *a, str **ret, unsigned *ret_n)
{
	return list(dir, false, a, ret, ret_n);
}

err_v
backup_dir_clean(str dir, struct arena *a, unsigned *ret_n)
{
	str *names;

	TRY(list(dir, true, a, &names, ret_n));
	for (unsigned i = 0; i < *ret_n; i++)
		TRY(file_remove_tree(arena_fmt(a, "%.*s/%.*s", STR_FMT(dir), STR_FMT(names[i])).p));
	return ERR_OK;
}

/* ---- the directory ---- */

static bool
is_empty(const char *dir)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	if (d == NULL)
		return false;
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && strcmp(e->d_name, "lost+found") != 0;
	closedir(d);
	return n == 0;
}

static str
format_path(str dir, struct arena *a)
{
	return arena_fmt(a, "%.*s/format", STR_FMT(dir));
}

static err
check(str dir, struct arena *a)
{
	return format_check(AT_FDCWD, format_path(dir, a).p, "backup", BACKUP_FORMAT);
}

static err
begin(str dir, struct arena *a)
{
	str format = format_path(dir, a), new = arena_fmt(a, "%.*s.new", STR_FMT(format));
	err_v e = check(dir, a);

	if (!err_is(e, -ENOENT))
		return e;
	if (!is_empty(arena_str(a, dir).p) && access(new.p, F_OK) != 0)
		return err_errno(ENOTEMPTY, "%.*s holds something that is not a backup", STR_FMT(dir));
	TRY(format_write(new.p, "backup", BACKUP_FORMAT));
	return file_rename(new.p, format.p);
}

static err
lock_dir(str dir, int flags, int how, struct arena *a, int *ret)
{
	int fd = open(arena_fmt(a, "%.*s/lock", STR_FMT(dir)).p, flags | O_CLOEXEC, 0600);
	err_v e;

	if (fd < 0)
		return err_errno(errno, "open %.*s/lock", STR_FMT(dir));
	if (flock(fd, how | LOCK_NB) != 0) {
		e = err_errno(errno == EWOULDBLOCK ? EBUSY : errno, "another process is at work in %.*s", STR_FMT(dir));
		close(fd);
		return e;
	}
	*ret = fd;
	return ERR_OK;
}

err_v
backup_dir_share(str dir, struct arena *a, int *ret_lock)
{
	TRY(check(dir, a));
	return lock_dir(dir, O_RDONLY, LOCK_SH, a, ret_lock);
}

err_v
backup_dir_take(str dir, struct arena *a, int *ret_lock)
{
	const char *path = arena_str(a, dir).p;

	if (mkdir(path, 0700) == 0)
		TRY(file_flush_parent(path));
	else if (errno != EEXIST)
		return err_errno(errno, "make the directory %s", path);
	TRY(begin(dir, a));
	return lock_dir(dir, O_RDWR | O_CREAT, LOCK_EX, a, ret_lock);
}

err_v
backup_files_copy(str from, str to, struct arena *a)
{
	for (size_t i = 0; i < COUNT(files); i++) {
		str path = arena_fmt(a, "%.*s/%s", STR_FMT(from), files[i]);

		if (access(path.p, F_OK) == 0)
			TRY(file_copy(path.p, arena_fmt(a, "%.*s/%s", STR_FMT(to), files[i]).p));
	}
	return ERR_OK;
}

err_v
backup_key_copy(str from, str to, struct arena *a)
{
	str key = arena_fmt(a, "%.*s/%s", STR_FMT(from), files[0]), new = arena_fmt(a, "%.*s.new", STR_FMT(key));
	str copy = arena_fmt(a, "%.*s/%s.new", STR_FMT(to), files[0]);

	if (access(new.p, F_OK) == 0)
		return file_copy(new.p, copy.p);
	return access(key.p, F_OK) == 0 ? file_copy(key.p, copy.p) : ERR_OK;
}

/* ---- manifests ---- */

err_v
backup_manifest_write(str set_dir, const struct backup_set *s, struct arena *a)
{
	AUTO(json_free) json_t *m = json_pack("{s:i, s:s, s:s%, s:I, s:I, s:I}", "format", (int)BACKUP_FORMAT, "caisson", CAISSON_VERSION,
	    "name", s->name.p, s->name.len, "madeMs", (json_int_t)s->made_ms, "blobs", (json_int_t)s->blobs,
	    "missing", (json_int_t)s->missing);
	AUTO(mem_free_p) char *text = json_dumps(m, JSON_INDENT(1));

	return file_write(arena_fmt(a, "%.*s/manifest", STR_FMT(set_dir)).p, arena_fmt(a, "%s\n", text));
}

err_v
backup_manifest_read(str set_dir, struct backup_set *ret, struct arena *a)
{
	const char *path = arena_fmt(a, "%.*s/manifest", STR_FMT(set_dir)).p, *name;
	AUTO(json_free) json_t *m = json_load_file(path, 0, NULL);
	json_int_t made, blobs, missing;
	int format;

	if (json_unpack(m, "{s:i, s:s, s:I, s:I, s:I}", "format", &format, "name", &name, "madeMs", &made, "blobs", &blobs,
	    "missing", &missing) != 0 || made < 0 || blobs < 0 || missing < 0)
		return err_errno(EBADMSG, "%s is not a manifest", path);
	if (format > (int)BACKUP_FORMAT)
		return err_errno(ENOTSUP, "%s is of format %d, written by a newer caisson; this one knows up to %u", path, format,
		    BACKUP_FORMAT);
	*ret = (struct backup_set){ .name = arena_str(a, str_c(name)), .made_ms = (uint64_t)made, .blobs = (uint64_t)blobs,
		.missing = (uint64_t)missing };
	return ERR_OK;
}
