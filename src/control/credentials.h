/* credentials.h - a new access key as an answer. */
#pragma once

#include "control/api.h"

enum credentials_form {
	CREDENTIALS_API,		/* accessKeyId, secretKey, ... */
	CREDENTIALS_CONTAINER		/* AccessKeyId, SecretAccessKey, Token, Expiration: what SDKs fetch by themselves */
};
/* Makes the key and puts it into rq->answer. */
err credentials_new(struct api_req *, const struct key_new *, enum credentials_form);
