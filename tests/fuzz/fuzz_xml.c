/* http/xml_in.c and xml_out.c: any bytes as XML; what was read is read again when it is written. */
#include "fuzz.h"

#include "http/xml_in.h"
#include "http/xml_out.h"

static void
check_text(struct arena *arena, str text)
{
	AUTO(buf_done) struct buf b;
	struct xml_node *root;

	buf_init(&b, 1u << 24);
	xml_begin(&b, "R", true);
	xml_text(&b, "T", text);
	xml_close(&b, "R");
	CLAIM(!buf_overflow(&b));
	CLAIM(err_ok(xml_parse(buf_str(&b), arena, &root)));
	CLAIM(str_eq(xml_child_text(root, "T"), text));
}

static unsigned
walk(struct arena *arena, const struct xml_node *node, unsigned depth, unsigned *checks)
{
	unsigned nodes = 1, children = 0;

	CLAIM(depth <= XML_DEPTH_MAX);
	CLAIM(node->name.len > 0);
	if (node->child == NULL && (*checks)++ < 4)
		check_text(arena, node->text);
	for (const struct xml_node *c = node->child; c != NULL; c = c->next, children++)
		nodes += walk(arena, c, depth + 1, checks);
	CLAIM(children == node->children);
	return nodes;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = fuzz_arena();
	struct xml_node *root;
	unsigned checks = 0;
	err_v e = xml_parse(fuzz_copy(arena, data, size), arena, &root);

	CLAIM(err_ok(e) || e.code == S3_MalformedXML);
	if (err_ok(e))
		CLAIM(walk(arena, root, 1, &checks) <= XML_NODES_MAX);
	return 0;
}
