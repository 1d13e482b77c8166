/*
 * tagging.h - sets of tags as XML.
 */
#pragma once

#include "base/buf.h"
#include "http/xml_in.h"
#include "meta/object.h"

#define TAGGING_BODY_MAX (64u << 10)

/* <Tagging><TagSet><Tag><Key/><Value/></Tag>...: checked with tags_check(). S3_MalformedXML, S3_InvalidTag. */
err tagging_parse(const struct xml_node *root, struct arena *, struct pairs *ret);
/* The same of the element that holds the Tags. */
err tag_set_parse(const struct xml_node *set, struct arena *, struct pairs *ret);
/* A whole document of the first kind: what a bucket's tags are kept as. */
void tagging_write(struct buf *, struct pairs);
