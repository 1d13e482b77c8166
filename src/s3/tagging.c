/*
 * tagging.c - tags of objects and buckets.
 *
 * The tags of an object are part of its record; those of a bucket are kept as the XML that GetBucketTagging answers.
 * The limits are in headers.c, since uploads bring tags too.
 */
#include "s3/tagging.h"

#include "http/xml_out.h"
#include "s3/answer.h"
#include "s3/authorize.h"
#include "s3/find.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/store.h"

static err
tag_parse(const struct xml_node *tag, struct pair *ret)
{
	str key = xml_child_text(tag, "Key"), value = xml_child_text(tag, "Value");

	if (!str_eq(tag->name, STR("Tag")) || key.p == NULL || value.p == NULL || tag->children != 2)
		return err_s3f(S3_MalformedXML, "A TagSet holds Tags, and each of them a Key and a Value.");
	*ret = (struct pair){ key, value };
	return ERR_OK;
}

err_v
tag_set_parse(const struct xml_node *set, unsigned max, struct arena *a, struct pairs *ret)
{
	struct pairs tags = { 0 };

	tags.at = ARENA_ARRAY(a, struct pair, set->children + 1);
	for (const struct xml_node *tag = set->child; tag != NULL; tag = tag->next)
		TRY(tag_parse(tag, &tags.at[tags.n++]));
	TRY(tags_check(tags, max));
	*ret = tags;
	return ERR_OK;
}

err_v
tagging_parse(const struct xml_node *root, unsigned max, struct arena *a, struct pairs *ret)
{
	const struct xml_node *set = xml_child(root, "TagSet");

	if (!str_eq(root->name, STR("Tagging")) || set == NULL || root->children != 1)
		return err_s3f(S3_MalformedXML, "A Tagging with one TagSet is expected.");
	return tag_set_parse(set, max, a, ret);
}

static void
tags_write(struct buf *b, struct pairs tags)
{
	for (unsigned i = 0; i < tags.n; i++) {
		xml_open(b, "Tag");
		xml_text(b, "Key", tags.at[i].name);
		xml_text(b, "Value", tags.at[i].value);
		xml_close(b, "Tag");
	}
}

void
tagging_write(struct buf *b, struct pairs tags)
{
	xml_begin(b, "Tagging", true);
	xml_open(b, "TagSet");
	tags_write(b, tags);
	xml_close(b, "TagSet");
	xml_close(b, "Tagging");
}

/* ---- objects ---- */

/* GET /bucket/key?tagging - S3 API: GetObjectTagging */
err_v
s3_get_object_tagging(struct s3_req *rq)
{
	AUTO(buf_done) struct buf b = { 0 };
	struct object o;

	TRY(object_find(rq, &o));
	answer_version(rq, o.version);
	buf_init(&b, 8 * TAGGING_BODY_MAX);
	tagging_write(&b, o.tags);
	return answer_xml(rq, &b);
}

/* Replace the tags, of an object that is there and no delete marker. */
static err
object_tags_set(struct s3_req *rq, struct pairs tags)
{
	struct version_id version;
	struct object o;

	TRY(object_find(rq, &o));
	TRY(catalog_tags(rq->store->catalog, &rq->bucket, rq->key, &rq->which, tags, &version));
	answer_version(rq, version);
	return ERR_OK;
}

static err
object_tags_read(struct s3_req *rq, struct pairs *ret)
{
	struct xml_node *root;

	TRY(request_xml(rq, TAGGING_BODY_MAX, &root));
	return tagging_parse(root, TAGS_MAX, rq->arena, ret);
}

/*
 * PUT /bucket/key?tagging - S3 API: PutObjectTagging. A policy may speak of the new tags, so it is asked when they are known; whoever may
 * not set any is told that, not what is wrong with theirs.
 */
err_v
s3_put_object_tagging(struct s3_req *rq)
{
	struct pairs tags = { 0 };
	err_v e = object_tags_read(rq, &tags);
	const char *message = arena_str(rq->arena, str_c(err_context())).p;	/* the question overwrites it */

	TRY(authorize_action(rq, "s3:PutObjectTagging", &rq->bucket, rq->key, &rq->which, &tags));
	if (!err_ok(e))
		return err_again(e, message);
	TRY(object_tags_set(rq, tags));
	return answer_empty(rq, 200);
}

/* DELETE /bucket/key?tagging - S3 API: DeleteObjectTagging */
err_v
s3_delete_object_tagging(struct s3_req *rq)
{
	TRY(object_tags_set(rq, (struct pairs){ 0 }));
	return answer_empty(rq, 204);
}

/* ---- buckets ---- */

unsigned
bucket_tags_max(const struct s3_req *rq)
{
	return rq->store->dialect == DIALECT_AWS ? 50 : TAGS_MAX;
}

/*
 * GET /bucket?tagging - S3 API: GetBucketTagging. Without tags: an empty set, which is what the service's own tools wait
 * for after they have deleted them; in dialect aws 404, as Amazon answers.
 */
err_v
s3_get_bucket_tagging(struct s3_req *rq)
{
	AUTO(buf_done) struct buf b = { 0 };
	str text;
	err_v e = catalog_config_get(rq->store->catalog, &rq->bucket, CONFIG_TAGS, rq->arena, &text);

	buf_init(&b, 8 * TAGGING_BODY_MAX);
	if (err_ok(e)) {
		buf_add(&b, text);
		return answer_xml(rq, &b);
	}
	if (!err_is(e, ERR_NOT_FOUND.code))
		return e;
	if (rq->store->dialect == DIALECT_AWS)
		return err_s3(S3_NoSuchTagSet);
	tagging_write(&b, (struct pairs){ 0 });
	return answer_xml(rq, &b);
}

/* PUT /bucket?tagging - S3 API: PutBucketTagging */
err_v
s3_put_bucket_tagging(struct s3_req *rq)
{
	AUTO(buf_done) struct buf b = { 0 };
	struct xml_node *root;
	struct pairs tags;

	TRY(request_xml(rq, TAGGING_BODY_MAX, &root));
	TRY(tagging_parse(root, bucket_tags_max(rq), rq->arena, &tags));
	buf_init(&b, 8 * TAGGING_BODY_MAX);
	tagging_write(&b, tags);
	TRY(catalog_config_set(rq->store->catalog, &rq->bucket, CONFIG_TAGS, buf_str(&b)));
	return answer_empty(rq, 204);
}

/* DELETE /bucket?tagging - S3 API: DeleteBucketTagging */
err_v
s3_delete_bucket_tagging(struct s3_req *rq)
{
	TRY(catalog_config_set(rq->store->catalog, &rq->bucket, CONFIG_TAGS, STR_NONE));
	return answer_empty(rq, 204);
}

/* ---- the same through S3 Control ---- */

/*
 * Amazon S3 API Reference, "Amazon S3 Control": ListTagsForResource, TagResource, UntagResource. Terraform asks there first. A change is
 * made from the tags there are; whoever changes the bucket meanwhile makes it fail, to be tried again.
 */
static err
bucket_tags(struct s3_req *rq, struct pairs *ret)
{
	struct xml_node *root;
	str text;
	err_v e = catalog_config_get(rq->store->catalog, &rq->bucket, CONFIG_TAGS, rq->arena, &text);

	*ret = (struct pairs){ 0 };
	if (err_is(e, ERR_NOT_FOUND.code))
		return ERR_OK;
	TRY(e);
	TRY(xml_parse(text, rq->arena, &root));
	return tagging_parse(root, bucket_tags_max(rq), rq->arena, ret);
}

static err
bucket_tags_replace(struct s3_req *rq, struct pairs tags)
{
	AUTO(buf_done) struct buf b = { 0 };
	str value = STR_NONE;

	TRY(tags_check(tags, bucket_tags_max(rq)));
	buf_init(&b, 8 * TAGGING_BODY_MAX);
	if (tags.n > 0) {
		tagging_write(&b, tags);
		value = buf_str(&b);
	}
	TRY(catalog_config_replace(rq->store->catalog, &rq->bucket, CONFIG_TAGS, value));
	return answer_empty(rq, 204);
}

/* GET /v20180820/tags/ARN - S3 Control: ListTagsForResource */
err_v
s3_list_tags(struct s3_req *rq)
{
	AUTO(buf_done) struct buf b = { 0 };
	struct pairs tags;

	TRY(bucket_tags(rq, &tags));
	buf_init(&b, 8 * TAGGING_BODY_MAX);
	xml_begin(&b, "ListTagsForResourceResult", false);
	xml_open(&b, "Tags");
	tags_write(&b, tags);
	xml_close(&b, "Tags");
	xml_close(&b, "ListTagsForResourceResult");
	return answer_xml(rq, &b);
}

/* POST /v20180820/tags/ARN - S3 Control: TagResource */
err_v
s3_tag_resource(struct s3_req *rq)
{
	const struct xml_node *set;
	struct pairs more, have, all;
	struct xml_node *root;

	TRY(request_xml(rq, TAGGING_BODY_MAX, &root));
	set = xml_child(root, "Tags");
	if (!str_eq(root->name, STR("TagResourceRequest")) || set == NULL)
		return err_s3f(S3_MalformedXML, "A TagResourceRequest with Tags is expected.");
	TRY(tag_set_parse(set, bucket_tags_max(rq), rq->arena, &more));
	TRY(bucket_tags(rq, &have));
	all = (struct pairs){ .at = ARENA_ARRAY(rq->arena, struct pair, have.n + more.n + 1) };
	for (unsigned i = 0; i < have.n; i++)
		if (pairs_get(more, have.at[i].name).p == NULL)
			all.at[all.n++] = have.at[i];
	for (unsigned i = 0; i < more.n; i++)
		all.at[all.n++] = more.at[i];
	return bucket_tags_replace(rq, all);
}

/* DELETE /v20180820/tags/ARN?tagKeys=..&tagKeys=.. - S3 Control: UntagResource */
err_v
s3_untag_resource(struct s3_req *rq)
{
	struct pairs have, left;

	TRY(bucket_tags(rq, &have));
	left = (struct pairs){ .at = ARENA_ARRAY(rq->arena, struct pair, have.n + 1) };
	for (unsigned i = 0; i < have.n; i++) {
		bool goes = false;

		for (unsigned q = 0; q < rq->head->queries; q++)
			goes = goes || (str_eq(rq->head->query[q].name, STR("tagKeys")) &&
			    str_eq(rq->head->query[q].value, have.at[i].name));
		if (!goes)
			left.at[left.n++] = have.at[i];
	}
	return bucket_tags_replace(rq, left);
}
