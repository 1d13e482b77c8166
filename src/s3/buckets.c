/*
 * buckets.c - CreateBucket, HeadBucket, GetBucketLocation, DeleteBucket, and the rules of names.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
 * The two dialects differ in names, in the location constraint (required, or defaulting to the region), and in what
 * creating one's own bucket again means.
 */
#include "s3/buckets.h"

#include <arpa/inet.h>

#include "base/mem.h"
#include "base/panic.h"
#include "http/xml_out.h"
#include "s3/answer.h"
#include "s3/authorize.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/tagging.h"

#define NAME_MIN 3u
#define NAME_MAX_LEN 63u
#define LOCATION_MAX 63u
#define CREATE_XML_MAX 65536u
#define US_EAST_1 STR("us-east-1")

/* ---- names ---- */

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool
is_ip(str name)
{
	char text[NAME_MAX_LEN + 1];
	uint8_t bytes[4];

	memcpy(text, name.p, name.len);
	text[name.len] = '\0';
	return inet_pton(AF_INET, text, bytes) == 1;
}

/* Why a name of good length and characters is refused still; NULL: it is not. */
static const char *
name_reserved(enum dialect dialect, str name)
{
	static const str caios_prefix[] = { STR("xn--"), STR("cw-"), STR("vip-"), STR("log-stitcher-ch-") };
	static const str aws_prefix[] = { STR("xn--"), STR("sthree-"), STR("amzn-s3-demo-") };
	static const str aws_suffix[] = { STR("-s3alias"), STR("--ol-s3"), STR(".mrap"), STR("--x-s3"), STR("--table-s3") };
	const str *prefix = dialect == DIALECT_CAIOS ? caios_prefix : aws_prefix;
	size_t prefixes = dialect == DIALECT_CAIOS ? COUNT(caios_prefix) : COUNT(aws_prefix);

	for (size_t i = 0; i < prefixes; i++)
		if (str_starts(name, prefix[i]))
			return "It begins with a reserved prefix.";
	if (dialect == DIALECT_CAIOS)
		return str_eq(name, STR("int")) ? "It is a reserved name." : NULL;
	for (size_t i = 0; i < COUNT(aws_suffix); i++)
		if (str_ends(name, aws_suffix[i]))
			return "It ends with a reserved suffix.";
	if (str_find_str(name, STR("..")) >= 0)
		return "It has two periods next to each other.";
	return is_ip(name) ? "It looks like an IP address." : NULL;
}

static const char *
name_refused(enum dialect dialect, str name)
{
	if (name.len < NAME_MIN || name.len > NAME_MAX_LEN)
		return "It must have 3 to 63 characters.";
	for (size_t i = 0; i < name.len; i++)
		if (!is_alnum(name.p[i]) && name.p[i] != '-' && (name.p[i] != '.' || dialect == DIALECT_CAIOS))
			return dialect == DIALECT_CAIOS ? "It must consist of a-z, 0-9 and hyphens." :
			    "It must consist of a-z, 0-9, hyphens and periods.";
	if (!is_alnum(name.p[0]) || !is_alnum(name.p[name.len - 1]))
		return "It must begin and end with a letter or digit.";
	return name_reserved(dialect, name);
}

err_v
bucket_name_check(enum dialect dialect, str name)
{
	const char *why = name_refused(dialect, name);

	return why == NULL ? ERR_OK : err_s3f(S3_InvalidBucketName, "The bucket name is not valid. %s", why);
}

/* ---- places ---- */

err_v
bucket_location_check(const struct store *store, str location)
{
	bool good = location.len > 0 && location.len <= LOCATION_MAX;

	for (size_t i = 0; good && i < location.len; i++) {
		char c = location.p[i];

		good = is_alnum(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
	}
	if (good && store->nzones > 0) {
		good = false;
		for (unsigned i = 0; i < store->nzones; i++)
			good = good || str_eq(store->zones[i], location);
	}
	if (!good && store->nzones > 0)
		return err_s3(S3_InvalidLocationConstraint);
	if (!good)
		return err_s3f(S3_InvalidLocationConstraint,
		    "A location constraint has 1 to %u letters, digits, hyphens and underscores.", LOCATION_MAX);
	return ERR_OK;
}

/* What the body says; the empty body of dialect aws means its region. */
static err
location_read(struct s3_req *rq, const struct xml_node *root, str *ret)
{
	const struct store *store = rq->store;
	str location = str_trim(xml_child_text(root, "LocationConstraint"));

	if (root != NULL && !str_eq(root->name, STR("CreateBucketConfiguration")))
		return err_s3f(S3_MalformedXML, "The body must be a CreateBucketConfiguration element.");
	if (xml_child(root, "Location") != NULL || xml_child(root, "Bucket") != NULL)
		return err_s3f(S3_NotImplemented, "Directory buckets are not implemented.");
	if (str_empty(location) && store->dialect == DIALECT_CAIOS)
		return err_s3f(S3_IllegalLocationConstraintException,
		    "A new bucket must say where it lies. Send a LocationConstraint; tools do so whose region is not us-east-1 but, "
		    "for instance, local.");
	if (str_empty(location))
		location = store->region;
	TRY(bucket_location_check(store, location));
	*ret = location;
	return ERR_OK;
}

/* ---- calls ---- */

static err
create_refuse(const struct s3_req *rq)
{
	str ownership = s3_header(rq, STR("x-amz-object-ownership"));
	str lock = s3_header(rq, STR("x-amz-bucket-object-lock-enabled"));

	TRY(headers_refuse(rq->head));
	if (ownership.p != NULL && !str_eq(ownership, STR("BucketOwnerEnforced")))
		return err_s3f(S3_NotImplemented, "Only the object ownership BucketOwnerEnforced is implemented.");
	if (lock.p != NULL && !str_eq_nocase(lock, STR("false")))
		return err_s3f(S3_NotImplemented, "Object lock is not implemented.");
	return ERR_OK;
}

/* Tags of the new bucket, as they are kept; who sends some must be allowed to. */
static err
tags_read(struct s3_req *rq, const struct xml_node *root, struct buf *b, str *ret)
{
	const struct xml_node *set = xml_child(root, "Tags");
	struct pairs tags;

	if (set == NULL || set->children == 0)
		return ERR_OK;
	TRY(tag_set_parse(set, bucket_tags_max(rq), rq->arena, &tags));
	TRY(authorize_action(rq, "s3:TagResource", NULL, STR(""), NULL, &tags));
	tagging_write(b, tags);
	*ret = buf_str(b);
	return ERR_OK;
}

/* PUT /bucket - S3 API: CreateBucket */
err_v
s3_create_bucket(struct s3_req *rq)
{
	struct bucket_new new = {
		.name = rq->bucket_name, .org = rq->who.org, .creator = rq->who.name, .limit = rq->store->buckets_max,
		.same_ok = rq->store->dialect == DIALECT_CAIOS,
	};
	AUTO(buf_done) struct buf tags = { 0 };
	struct xml_node *root;

	buf_init(&tags, 8 * TAGGING_BODY_MAX);
	TRY(bucket_name_check(rq->store->dialect, rq->bucket_name));
	TRY(create_refuse(rq));
	TRY(request_xml_optional(rq, CREATE_XML_MAX, &root));
	TRY(location_read(rq, root, &new.location));
	TRY(tags_read(rq, root, &tags, &new.tags));
	TRY(catalog_bucket_create(rq->store->catalog, &new));
	resp_headerf(rq->resp, "Location", "/%.*s", STR_FMT(rq->bucket_name));
	return answer_empty(rq, 200);
}

/* HEAD /bucket - S3 API: HeadBucket */
err_v
s3_head_bucket(struct s3_req *rq)
{
	resp_status(rq->resp, 200);
	resp_header(rq->resp, STR("x-amz-bucket-region"), rq->bucket.location);
	resp_header(rq->resp, STR("x-amz-access-point-alias"), STR("false"));
	resp_header(rq->resp, STR("Content-Type"), STR("application/xml"));
	return resp_send(rq->resp, STR(""));
}

/* GET /bucket?location - S3 API: GetBucketLocation */
err_v
s3_get_bucket_location(struct s3_req *rq)
{
	AUTO(buf_done) struct buf b = { 0 };

	buf_init(&b, 4096);
	xml_begin(&b, "LocationConstraint", true);
	/* Amazon's oldest region has no name here. */
	if (rq->store->dialect == DIALECT_CAIOS || !str_eq(rq->bucket.location, US_EAST_1))
		xml_escape(&b, rq->bucket.location);
	xml_close(&b, "LocationConstraint");
	return answer_xml(rq, &b);
}

/* DELETE /bucket - S3 API: DeleteBucket */
err_v
s3_delete_bucket(struct s3_req *rq)
{
	TRY(catalog_bucket_delete(rq->store->catalog, &rq->bucket));
	return answer_empty(rq, 204);
}
