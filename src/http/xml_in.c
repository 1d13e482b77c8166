/*
 * xml_in.c - a bounded tree from an XML body.
 *
 * expat parses; here is only the tree and its limits. A document type
 * declaration ends the parse at once, so there are no entities to expand. The
 * first failure is kept in the parse and everything after it is ignored.
 */
#include "http/xml_in.h"

#include <expat.h>

#include "base/buf.h"
#include "base/panic.h"

struct level {
	struct xml_node *node, *last;	/* last: its newest child */
};

struct parse {
	unsigned magic;
#define PARSE_MAGIC 0x6b2e95d1
	XML_Parser expat;
	struct arena *arena;
	struct level open[XML_DEPTH_MAX];
	unsigned depth, nodes;
	struct xml_node *root;
	struct buf text;		/* of the innermost element */
	const char *why;		/* the first failure */
};

static void
fail(struct parse *p, const char *why)
{
	if (p->why == NULL)
		p->why = why;
	XML_StopParser(p->expat, XML_FALSE);
}

static void *
tree_alloc(struct parse *p, size_t n)
{
	void *got = arena_try(p->arena, n);

	if (got == NULL)
		fail(p, "it is too large");
	return got;
}

static bool
tree_str(struct parse *p, str s, str *ret)
{
	char *to = tree_alloc(p, s.len + 1);

	if (to == NULL)
		return false;
	if (s.len > 0)
		memcpy(to, s.p, s.len);
	*ret = str_n(to, s.len);
	return true;
}

/* "ns:Name" is Name. */
static str
local_name(const char *name)
{
	str s = str_c(name);
	ptrdiff_t colon = str_find(s, ':');

	return colon < 0 ? s : str_skip(s, (size_t)colon + 1);
}

static void
node_link(struct parse *p, struct xml_node *n)
{
	struct level *up = p->depth > 0 ? &p->open[p->depth - 1] : NULL;

	if (up == NULL) {
		p->root = n;
	} else {
		if (up->last == NULL)
			up->node->child = n;
		else
			up->last->next = n;
		up->last = n;
		up->node->children++;
	}
	p->open[p->depth++] = (struct level){ n, NULL };
}

static void XMLCALL
on_start(void *ctx, const XML_Char *name, const XML_Char **attribute)
{
	struct parse *p = ctx;
	struct xml_node *n;

	CHECK_OBJ(p, PARSE_MAGIC);
	if (p->why != NULL)
		return;
	if (p->depth == XML_DEPTH_MAX) {
		fail(p, "its elements are nested too deeply");
		return;
	}
	if (p->nodes == XML_NODES_MAX) {
		fail(p, "it has too many elements");
		return;
	}
	if (str_empty(local_name(name))) {
		fail(p, "an element has nothing behind its prefix");
		return;
	}
	n = tree_alloc(p, sizeof(*n));
	if (n == NULL || !tree_str(p, local_name(name), &n->name))
		return;
	for (; attribute[0] != NULL; attribute += 2)
		if (str_find(str_c(attribute[0]), ':') >= 0 && str_eq(local_name(attribute[0]), STR("type")) &&
		    !tree_str(p, str_c(attribute[1]), &n->attr_type))
			return;
	p->nodes++;
	node_link(p, n);
	buf_clear(&p->text);
}

static void XMLCALL
on_end(void *ctx, const XML_Char *name)
{
	struct parse *p = ctx;
	struct xml_node *n;

	CHECK_OBJ(p, PARSE_MAGIC);
	if (p->why != NULL)
		return;
	assert(p->depth > 0);
	n = p->open[--p->depth].node;
	if (n->children == 0)
		(void)tree_str(p, buf_str(&p->text), &n->text);
	buf_clear(&p->text);
}

static void XMLCALL
on_text(void *ctx, const XML_Char *text, int len)
{
	struct parse *p = ctx;

	CHECK_OBJ(p, PARSE_MAGIC);
	buf_add(&p->text, str_n(text, (size_t)len));
}

static void XMLCALL
on_doctype(void *ctx, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int internal)
{
	struct parse *p = ctx;

	CHECK_OBJ(p, PARSE_MAGIC);
	fail(p, "it has a document type declaration");
}

static void
parser_free(XML_Parser *p)
{
	if (*p != NULL)
		XML_ParserFree(*p);
	*p = NULL;
}

err
xml_parse(str body, struct arena *arena, struct xml_node **ret_root)
{
	static const size_t body_max = 64u << 20;
	AUTO(parser_free) XML_Parser expat = XML_ParserCreate(NULL);
	struct parse p = { .magic = PARSE_MAGIC, .expat = expat, .arena = arena };
	enum XML_Status status;

	assert(expat != NULL);
	if (body.len == 0)
		return err_s3f(S3_MalformedXML, "The body is empty, where XML was expected.");
	if (body.len > body_max)
		return err_s3f(S3_MalformedXML, "The XML is too large.");
	buf_init(&p.text, body.len * 4 + 64);	/* other encodings may grow in UTF-8 */
	XML_SetUserData(expat, &p);
	XML_SetElementHandler(expat, on_start, on_end);
	XML_SetCharacterDataHandler(expat, on_text);
	XML_SetStartDoctypeDeclHandler(expat, on_doctype);
	status = XML_Parse(expat, body.p, (int)body.len, XML_TRUE);
	buf_done(&p.text);
	if (status != XML_STATUS_OK || p.why != NULL)
		return err_s3f(S3_MalformedXML, "The XML is not accepted: %s, at line %lu.",
		    p.why != NULL ? p.why : XML_ErrorString(XML_GetErrorCode(expat)),
		    (unsigned long)XML_GetCurrentLineNumber(expat));
	assert(p.root != NULL && p.depth == 0);
	*ret_root = p.root;
	return ERR_OK;
}

struct xml_node *
xml_child(const struct xml_node *node, const char *name)
{
	struct xml_node *n = node != NULL ? node->child : NULL;

	while (n != NULL && !str_eq(n->name, str_c(name)))
		n = n->next;
	return n;
}

struct xml_node *
xml_next(const struct xml_node *node)
{
	struct xml_node *n = node->next;

	while (n != NULL && !str_eq(n->name, node->name))
		n = n->next;
	return n;
}

str
xml_child_text(const struct xml_node *node, const char *name)
{
	const struct xml_node *n = xml_child(node, name);

	return n != NULL ? n->text : STR_NONE;
}
