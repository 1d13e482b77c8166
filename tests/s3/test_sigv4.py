"""Our canonical request against botocore's: random keys, queries and headers, signed by botocore, sent as they are.

CAISSON_SEED=n replays a run. A difference shows both canonical requests.
"""
import os
import random
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from signing import Request

SEED = int(os.environ.get("CAISSON_SEED", random.randrange(1 << 32)))
ROUNDS = int(os.environ.get("CAISSON_ROUNDS", 250))
LETTERS = "abzAZ019-._~ /+%&=?#!$'()*,:;@[]\"<>\\^`{|}\t\u00e9\u6f22\U0001f600"


def text(rng, most, letters=LETTERS):
    return "".join(rng.choice(letters) for _ in range(rng.randrange(most)))


def escape(rng, value, safe):
    """Percent-encoded, but for what a client may leave bare or escape needlessly."""
    out = []
    for byte in value.encode():
        letter = chr(byte)
        if letter.isascii() and (letter.isalnum() or letter in "-._~" or letter in safe):
            out.append(letter if rng.random() < 0.97 else f"%{byte:02x}" if rng.random() < 0.5 else f"%{byte:02X}")
        else:
            out.append(f"%{byte:02X}" if rng.random() < 0.9 else f"%{byte:02x}")
    return "".join(out)


def make(rng, store, bucket):
    path = f"/{bucket}/" + (escape(rng, text(rng, 30), rng.choice(["/", "/!$'()*,:;@", "/+"])) or "k")
    query = "&".join(escape(rng, text(rng, 8) or "q", "") + rng.choice(["", "=", "=" + escape(rng, text(rng, 12), rng.choice(["", "/:,"]))])
                     for _ in range(rng.choice([0, 0, 1, 2, 5])))
    headers = [("Host", f"{store.host}:{store.port}")]
    for i in range(rng.choice([0, 1, 3])):
        headers.append((rng.choice(["x-amz-meta-", "X-Amz-Meta-", "x-custom-"]) + str(i),
                        " ".join(text(rng, 8, "ab,; \t\"'=") for _ in range(3)).strip()))
    return path, query, headers


def signed(rng, store, path, query, headers, secret, presign):
    """The request as botocore signs it, ready to be sent, and botocore's canonical request."""
    url = f"http://{store.host}:{store.port}{path}" + (f"?{query}" if query else "")
    request = botocore.awsrequest.AWSRequest(method=rng.choice(["GET", "HEAD", "DELETE"]), url=url, headers=dict(headers))
    credentials = botocore.credentials.Credentials(store.key, secret)
    auth = (botocore.auth.S3SigV4QueryAuth if presign else botocore.auth.S3SigV4Auth)(credentials, "s3", "us-east-1")
    seen = []
    canonical = auth.canonical_request
    auth.canonical_request = lambda r: seen.append(canonical(r)) or seen[-1]
    auth.add_auth(request)
    parts = urllib.parse.urlsplit(request.url)
    ready = Request(store, request.method, path, query=parts.query)
    ready.headers = [(n, v) for n, v in request.headers.items()]
    return ready, seen[-1]


def test_signed_by_botocore(store, s3, bucket):
    rng = random.Random(SEED)
    for number in range(ROUNDS):
        path, query, headers = make(rng, store, bucket)
        presign = rng.random() < 0.4
        ready, canonical = signed(rng, store, path, query, headers, store.secret, presign)
        answer = ready.send()
        assert answer.code not in ("SignatureDoesNotMatch", "AccessDenied", "AuthorizationQueryParametersError"), \
            f"seed {SEED} round {number}\n{ready.head()}\n{canonical}\n---\n{answer.element('CanonicalRequest')}"
        assert answer.status != 500, f"seed {SEED} round {number}\n{ready.head()}\n{answer}"


def test_canonical_request_is_botocores(store, s3, bucket):
    """With keys encoded as they should be, the very same text."""
    rng = random.Random(SEED)
    for number in range(ROUNDS):
        key = urllib.parse.quote(text(rng, 30).replace("%", "") or "k", safe="/-._~")
        query = "&".join(f"{urllib.parse.quote(text(rng, 8) or 'q', safe='-._~')}={urllib.parse.quote(text(rng, 12), safe='-._~')}"
                         for _ in range(rng.choice([0, 1, 3])))
        _, _, headers = make(rng, store, bucket)
        ready, canonical = signed(rng, store, f"/{bucket}/{key}", query, headers, "x" * 40, rng.random() < 0.4)
        ready.method = "GET"
        answer = ready.send()
        want = canonical.split("\n")
        want[0] = "GET"
        if answer.code == "SignatureDoesNotMatch":
            assert answer.element("CanonicalRequest").split("\n") == want, f"seed {SEED} round {number}\n{ready.head()}"
        else:
            assert answer.code in ("InvalidURI", "KeyTooLongError", "InvalidArgument", "MethodNotAllowed"), answer
