/* control/jwt.c: any token against a fixed set of keys: none of them was used, so no token may pass. */
#include "fuzz.h"

#include "control/jwt.h"

static const char keys[] = "{\"keys\":["
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"},{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"},{},[],1,"
    "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%sA\"}]}";

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static json_t *set;
	char modulus[342] = "", text[sizeof(keys) + sizeof(modulus)];
	struct arena *arena = fuzz_arena();
	struct jwt t = { 0 };

	if (set == NULL) {
		memset(modulus, 'x', sizeof(modulus) - 1);	/* 2,048 bits with the A behind it */
		snprintf(text, sizeof(text), keys, modulus);
		set = json_loads(text, 0, NULL);
		CLAIM(set != NULL);
	}
	if (!err_ok(jwt_parse(fuzz_copy(arena, data, size), arena, &t)))
		return 0;
	CLAIM(t.iss.len > 0 && t.sub.len > 0);
	(void)jwt_has_audience(&t, STR("caisson"));
	CLAIM(!err_ok(jwt_verify(&t, set, arena)));
	jwt_done(&t);
	return 0;
}
