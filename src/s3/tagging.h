/*
 * tagging.h - sets of tags as XML.
 */
#pragma once

#include "base/buf.h"
#include "http/xml_in.h"
#include "s3/s3.h"

#define TAGGING_BODY_MAX (64u << 10)

/* <Tagging><TagSet><Tag><Key/><Value/></Tag>...: checked with tags_check(). S3_MalformedXML too. */
err tagging_parse(const struct xml_node *root, unsigned max, struct arena *, struct pairs *ret);
/* The same of the element that holds the Tags. */
err tag_set_parse(const struct xml_node *set, unsigned max, struct arena *, struct pairs *ret);
/* How many tags a bucket may have: the dialects differ. */
unsigned bucket_tags_max(const struct s3_req *);
/* A whole document of the first kind: what a bucket's tags are kept as. */
void tagging_write(struct buf *, struct pairs);
