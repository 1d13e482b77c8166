/*
 * xml_in.h - a small, bounded tree from an XML body (expat underneath).
 *
 * No DTDs, no entities but the five, at most XML_DEPTH_MAX deep and XML_NODES_MAX
 * elements. Namespaces are cut off the names. Nodes live in the arena.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

#define XML_DEPTH_MAX 16
#define XML_NODES_MAX 60000

struct xml_node {
	str name;		/* without prefix */
	str text;		/* of a leaf: its characters, as sent (not trimmed) */
	str attr_type;		/* xsi:type, if any */
	struct xml_node *child;	/* first */
	struct xml_node *next;	/* sibling */
	unsigned children;
};

/* S3_MalformedXML with what was wrong and the line. */
err xml_parse(str body, struct arena *, struct xml_node **ret_root);
/* First child of this name, or NULL. node may be NULL. */
struct xml_node *xml_child(const struct xml_node *, const char *name);
/* Next sibling of the same name, or NULL. */
struct xml_node *xml_next(const struct xml_node *);
/* Text of the first child of this name; STR_NONE if absent. */
str xml_child_text(const struct xml_node *, const char *name);
