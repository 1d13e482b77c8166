/*
 * form_policy.h - what the policy document of a browser form allows.
 *
 * Pure. Amazon S3 API Reference, "POST policy": an expiration, and conditions that each field of the form must be
 * covered by.
 */
#pragma once

#include "meta/object.h"

struct form_limits { uint64_t size_min, size_max; };

/*
 * json: the decoded document. fields: of the form, names in lower case, without file, policy and signature; ${filename} in
 * the key is replaced already. S3_InvalidPolicyDocument; S3_AccessDenied with the condition that failed.
 */
err form_policy_check(str json, str bucket, struct pairs fields, uint64_t now_ms, struct form_limits *ret);
