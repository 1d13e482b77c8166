"""Copies whose bytes must be read take long: the answer begins meanwhile, and white space keeps the connection alive."""
import http.client
import re
import xml.etree.ElementTree as xml

import pytest
from botocore.exceptions import ClientError

from s3lib import Client
from uploads import MIB, NS, Upload, content, md5, sse

SIZE = 24 * MIB
KEY, OTHER = b"k" * 32, b"o" * 32
BODY = content(1, SIZE)


@pytest.fixture(scope="module")
def slow(build):
    """A store in which every copy is a long one, with a sealed object."""
    from store import Store
    running = Store(build, "--copy-alive-interval", "1")
    s3 = running.client()
    s3.create_bucket(Bucket="alive", CreateBucketConfiguration={"LocationConstraint": "x"})
    s3.put_object(Bucket="alive", Key="from", Body=BODY, SSECustomerAlgorithm="AES256", SSECustomerKey=KEY)
    yield running
    running.close()


@pytest.fixture
def raw(slow):
    client = Client(slow.host, slow.port, slow.key, slow.secret)
    yield client
    client.close()


def alive(answer, root):
    """The XML of a 200 that began before its end was known."""
    assert answer.status == 200 and answer.headers["transfer-encoding"] == "chunked" and "content-length" not in answer.headers
    assert answer.headers["content-type"] == "application/xml"
    assert re.match(rb'<\?xml version="1.0" encoding="UTF-8"\?>\n {2,}<' + root.encode(), answer.body), answer.body[:200]
    return xml.fromstring(answer.body)


COPY = {"x-amz-copy-source": "alive/from", **sse(KEY, "copy-source-")}


def test_copy(raw):
    result = alive(raw.call("PUT", "alive", "to", headers={**COPY, **sse(OTHER)}), "CopyObjectResult")
    got = raw.call("GET", "alive", "to", headers=sse(OTHER))
    assert got.body == BODY and result.findtext(NS + "ETag") == got.headers["etag"]


def test_part_copy(raw):
    upload = Upload(raw, "alive", "whole")
    result = alive(upload.copy(1, "alive/from", **{n.replace("-", "_"): v for n, v in sse(KEY, "copy-source-").items()}), "CopyPartResult")
    assert result.findtext(NS + "ETag") == f'"{md5(BODY)}"'
    assert upload.complete().status == 200 and raw.call("GET", "alive", "whole").body == BODY


def test_sdk(slow):
    s3 = slow.client()
    arguments = dict(Bucket="alive", CopySource="alive/from", CopySourceSSECustomerAlgorithm="AES256", CopySourceSSECustomerKey=KEY)
    assert s3.copy_object(Key="sdk", **arguments)["CopyObjectResult"]["ETag"] == f'"{md5(BODY)}"'


def test_failure_inside(slow, raw):
    """What goes wrong after the 200 is told in its body, and SDKs raise it."""
    raw.call("DELETE", "alive", "raced")
    headers = {**COPY, "if-none-match": "*"}
    first = Client(slow.host, slow.port, slow.key, slow.secret)
    signed = {n.lower(): v for n, v in headers.items()}
    first.sign("PUT", "/alive/raced", "", signed)
    connection = http.client.HTTPConnection(slow.host, slow.port, timeout=60)
    connection.request("PUT", "/alive/raced", headers=signed)
    answer = connection.getresponse()
    assert answer.status == 200				# the copy is on its way
    begun = answer.read(1)
    assert raw.call("PUT", "alive", "raced", body=b"faster").status == 200
    error = xml.fromstring(begun + answer.read())
    connection.close()
    assert (error.tag, error.findtext("Code")) in (("Error", "PreconditionFailed"), ("Error", "ConditionalRequestConflict"))
    assert raw.call("GET", "alive", "raced").body == b"faster"


def test_failure_before(slow):
    with pytest.raises(ClientError) as caught:
        slow.client().copy_object(Bucket="alive", Key="raced", CopySource="alive/from", CopySourceSSECustomerAlgorithm="AES256",
                                  CopySourceSSECustomerKey=OTHER)
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
