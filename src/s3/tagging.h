/*
 * tagging.h - sets of tags as XML.
 */
#pragma once

#include "http/xml_in.h"
#include "meta/object.h"

#define TAGGING_BODY_MAX (64u << 10)

/* <Tagging><TagSet><Tag><Key/><Value/></Tag>...: checked with tags_check(). S3_MalformedXML, S3_InvalidTag. */
err tagging_parse(const struct xml_node *root, struct arena *, struct pairs *ret);
