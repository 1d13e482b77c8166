/* api_buckets.c - what operators may know and set of buckets. */
#include <inttypes.h>

#include "control/api.h"

/* "1.5 GiB" */
static json_t *
human(struct arena *a, uint64_t bytes)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	unsigned u = 0;

	for (; value >= 1024 && u < 6; u++)
		value /= 1024;
	return api_json(arena_fmt(a, u == 0 ? "%.0f %s" : "%.1f %s", value, unit[u]));
}

static void
usage_row(struct arena *a, json_t *list, const char *type, int64_t value, bool bytes)
{
	json_t *text = api_json(arena_fmt(a, "%" PRId64, value));

	json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "measurementType", type, "value", text, "valueHumanReadable",
	    bytes ? human(a, (uint64_t)value) : json_incref(text)));
}

/* Of the class STANDARD, by last access. */
static void
add_ages(struct arena *a, json_t *list, const struct bucket_usage *u, const struct bucket_ages *ages)
{
	static const char *const objects[AGE_COUNT] = { "STANDARD_HOT_OBJECTS", "STANDARD_WARM_OBJECTS", "STANDARD_COLD_OBJECTS" };
	static const char *const bytes[AGE_COUNT] = { "STANDARD_HOT_BYTES", "STANDARD_WARM_BYTES", "STANDARD_COLD_BYTES" };
	struct bucket_split s = bucket_split(u, ages);

	for (int i = 0; i < AGE_COUNT; i++) {
		usage_row(a, list, objects[i], s.objects[i], false);
		usage_row(a, list, bytes[i], s.bytes[i], true);
	}
}

static err
usage(struct api_req *rq, const struct bucket *b, json_t **ret)
{
	static const char *const objects[CLASS_COUNT] = { "STANDARD_OBJECTS", "STANDARD_IA_OBJECTS" };
	static const char *const bytes[CLASS_COUNT] = { "STANDARD_BYTES", "STANDARD_IA_BYTES" };
	struct bucket_ages ages;
	struct bucket_usage u;
	json_t *list;

	TRY(catalog_usage(rq->control->catalog, b->space, rq->arena, &u));
	TRY(catalog_ages(rq->control->catalog, b->space, rq->arena, &ages));
	list = json_array();
	for (int c = 0; c < CLASS_COUNT; c++) {
		usage_row(rq->arena, list, objects[c], u.objects[c], false);
		usage_row(rq->arena, list, bytes[c], u.bytes[c], true);
	}
	usage_row(rq->arena, list, "UPLOADS_BYTES", u.uploads_bytes, true);
	add_ages(rq->arena, list, &u, &ages);
	*ret = list;
	return ERR_OK;
}

static json_t *
settings(struct api_req *rq, const struct bucket *b)
{
	return json_pack("{s:b, s:o}", "auditLoggingEnabled", b->audit, "capacityCapBytes",
	    api_json(arena_fmt(rq->arena, "%" PRIu64, b->capacity_cap)));
}

static err
bucket_info(struct api_req *rq, const struct bucket *b, json_t **ret)
{
	json_t *used;

	TRY(usage(rq, b, &used));
	*ret = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "orgId", api_json(b->org), "name", api_json(b->name), "creationTime",
	    api_time(rq->arena, b->created_ms), "settings", settings(rq, b), "location", api_json(b->location), "usage", used);
	return ERR_OK;
}

/* A bucket of another organization is as if it were not there. */
static err
own_bucket(struct api_req *rq, str name, struct bucket *ret)
{
	err_v e = catalog_bucket(rq->control->catalog, name, KV_MAY_BLOCK, rq->arena, ret);

	if (err_is(e, S3_NoSuchBucket) || (err_ok(e) && !str_eq(ret->org, rq->org)))
		return ERR_NOT_FOUND;
	return e;
}

err_v
api_bucket_list(struct api_req *rq)
{
	unsigned offset, limit, n = 0, skipped = 0;
	str after = STR_NONE;
	bool more = true;
	struct bucket *b;
	json_t *info;

	TRY(api_page(rq, &offset, &limit));
	rq->answer = json_pack("{s:[]}", "info");
	while (more && json_array_size(json_object_get(rq->answer, "info")) < limit) {
		TRY(catalog_bucket_list(rq->control->catalog, rq->org, STR_NONE, after, API_PAGE_MAX, rq->arena, &b, &n, &more));
		for (unsigned i = 0; i < n; i++) {
			if (skipped++ < offset || json_array_size(json_object_get(rq->answer, "info")) >= limit)
				continue;
			TRY(bucket_info(rq, &b[i], &info));
			json_array_append_new(json_object_get(rq->answer, "info"), info);
		}
		if (n == 0)
			break;
		after = b[n - 1].name;
	}
	return ERR_OK;
}

err_v
api_bucket_get(struct api_req *rq)
{
	struct bucket b;
	json_t *info;

	TRY(own_bucket(rq, rq->param, &b));
	TRY(bucket_info(rq, &b, &info));
	rq->answer = json_pack("{s:o}", "info", info);
	return ERR_OK;
}

/* Members that are absent leave what is. */
err_v
api_bucket_settings(struct api_req *rq)
{
	const json_t *want = json_object_get(rq->body, "settings");
	struct bucket b, changed;
	bool set, on;
	uint64_t cap;
	str name;

	TRY(api_text_needed(rq->body, "bucketName", &name));
	rq->resource = name;
	if (!json_is_object(want))
		return err_s3f(S3_InvalidArgument, "settings is missing.");
	if (json_object_get(want, "archiveEnabled") != NULL || json_object_get(want, "archiveAfterLastAccessDays") != NULL)
		return err_s3f(S3_NotImplemented, "archiveEnabled and archiveAfterLastAccessDays are not implemented; upload with "
		    "x-amz-storage-class: STANDARD_IA instead.");
	TRY(own_bucket(rq, name, &b));
	changed = b;
	TRY(api_bool(want, "auditLoggingEnabled", &set, &on));
	if (set)
		changed.audit = on;
	TRY(api_number(want, "capacityCapBytes", &set, &cap));
	if (set)
		changed.capacity_cap = cap;
	TRY(catalog_bucket_settings(rq->control->catalog, &b, &changed));
	rq->answer = json_pack("{s:o}", "settings", settings(rq, &changed));
	return ERR_OK;
}
