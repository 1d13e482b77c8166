/* test_config.c - flags over environment over YAML, and what is said of wrong values. */
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/config.h"
#include "test.h"

static char file[] = "/tmp/caisson-config-XXXXXX";

static void
write_file(const char *text)
{
	FILE *out;

	strcpy(file, "/tmp/caisson-config-XXXXXX");
	close(mkstemp(file));
	out = fopen(file, "w");
	fputs(text, out);
	fclose(out);
}

/* Loads the flags; returns the complaint, "" if there is none. */
static const char *
load(struct config *c, const char **flag)
{
	static char said[4096];
	struct buf why;
	int n = 0;

	while (flag[n] != NULL)
		n++;
	buf_init(&why, sizeof(said) - 1);
	said[0] = '\0';
	if (!config_load(n, (char **)flag, c, &why)) {
		memcpy(said, why.p, why.len);
		said[why.len] = '\0';
	}
	buf_done(&why);
	return said;
}
#define LOAD(c, ...) load((c), (const char *[]){ __VA_ARGS__, NULL })

TEST(config_defaults)
{
	struct config c;

	EXPECT_STR("no complaint", str_c(LOAD(&c, "--data-dir=/d")), STR(""));
	EXPECT_STR("data_dir", c.data_dir, STR("/d"));
	EXPECT_STR("listen", c.listen, STR("127.0.0.1:9000"));
	EXPECT_EQ("domains", c.domains.n, 2);
	EXPECT_EQ("inline_max", c.inline_max, 4096);
	EXPECT(c.verify_reads);
	config_free(&c);
}

TEST(config_precedence)
{
	struct config c;

	write_file("inline_max: 1K\nvolume_max: 128K\nqueue_max: 7\ndomains: [a.example, b.example, c.example]\n");
	setenv("CAISSON_INLINE_MAX", "2K", 1);
	setenv("CAISSON_VOLUME_MAX", "64K", 1);
	EXPECT_STR("no complaint", str_c(LOAD(&c, "--inline-max", "3K", "--config", file, "--require-virtual-host")), STR(""));
	EXPECT_EQ("flag wins", c.inline_max, 3 << 10);
	EXPECT_EQ("environment before file", c.volume_max, 64 << 10);
	EXPECT_EQ("file before default", c.queue_max, 7);
	EXPECT_EQ("list", c.domains.n, 3);
	EXPECT(c.require_virtual_host);
	config_free(&c);
	unsetenv("CAISSON_INLINE_MAX");
	unsetenv("CAISSON_VOLUME_MAX");
	unlink(file);
}

TEST(config_dump_reads_back)
{
	struct config c, again;
	struct buf out;

	EXPECT_STR("no complaint", str_c(LOAD(&c, "--data-dir=/a b", "--domains=x.example,y.example", "--s3-dialect=aws")), STR(""));
	buf_init(&out, 1 << 20);
	config_dump(&c, &out);
	buf_add_char(&out, '\0');
	write_file(out.p);
	EXPECT_STR("no complaint", str_c(LOAD(&again, "--config", file)), STR(""));
	EXPECT_STR("text", again.data_dir, STR("/a b"));
	EXPECT_EQ("choice", again.s3_dialect, 1);
	EXPECT_EQ("list", again.domains.n, 2);
	config_free(&c);
	config_free(&again);
	buf_done(&out);
	unlink(file);
}

TEST(config_complaints)
{
	static const struct { const char *yaml, *flag, *want; } cases[] = {
		{ NULL, "--inline-max=x", "--inline_max must be a number of bytes from 0 to 65536, not \"x\"" },
		{ NULL, "--inline-max=100K", "--inline_max must be a number of bytes from 0 to 65536, not \"100K\"" },
		{ NULL, "--workers=18446744073709551616",
		    "--workers must be a number of threads from 2 to 4096, not \"18446744073709551616\"" },
		{ NULL, "--workers=1K", "--workers must be a number of threads from 2 to 4096, not \"1K\"" },
		{ NULL, "--nosuch=1", "--nosuch: there is no such parameter; caisson serve --help-config lists them" },
		{ NULL, "--listen", "--listen: a value is missing" },
		{ NULL, "serve", "\"serve\" is not a flag; flags begin with --" },
		{ NULL, "--s3-dialect=minio", "--s3_dialect must be one of caios|aws, not \"minio\"" },
		{ NULL, "--tls-cert=a", "tls_cert and tls_key go together" },
		{ "\nnosuch: 1\n", NULL, ":2: there is no parameter \"nosuch\"; caisson serve --help-config lists them" },
		{ "listen: a\n", NULL,
		    ":1: listen is \"a\": want ADDRESS:PORT, such as 127.0.0.1:9000, 0.0.0.0:9000 (all of IPv4) or [::]:9000 (all)" },
		{ "listen: fd:3\nlisten: fd:4\n", NULL, ":2: listen is given twice" },
		{ "queue_max: 5\nworkers: many\n", NULL, ":2: workers must be a number of threads from 2 to 4096, not \"many\"" },
		{ "workers: [1, 2]\n", NULL, ":1: workers takes one value, not a list" },
		{ "domains: [[a]]\n", NULL, ":1: domains takes a list of words, not something nested" },
		{ "workers:\n  a: 1\n", NULL, ":1: workers takes one value, not something nested" },
		{ "- 1\n", NULL, ":1: a file of \"name: value\" lines is wanted" },
		{ "a: [\n", NULL, ":2: did not find expected node content" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct config c;
		char flag[64];
		const char *said;

		if (cases[i].yaml != NULL)
			write_file(cases[i].yaml);
		snprintf(flag, sizeof(flag), "--config=%s", file);
		said = LOAD(&c, cases[i].yaml ? flag : cases[i].flag);
		if (cases[i].yaml != NULL) {
			EXPECT(str_starts(str_c(said), str_c(file)));
			said += strlen(file);
			unlink(file);
		}
		EXPECT_STR(cases[i].want, str_c(said), str_c(cases[i].want));
	}
}
