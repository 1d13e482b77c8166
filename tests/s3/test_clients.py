"""Clients that are not Amazon's own SDK for Python: what each does every day, with its usual settings. Those not installed are skipped."""
import io
import random

import pytest

BIG = random.Random(5).randbytes(12 << 20)		# several parts for all of them


@pytest.fixture(scope="module")
def bucket(store):
    store.client().create_bucket(Bucket="clients", CreateBucketConfiguration={"LocationConstraint": "US-TEST-01A"})
    return "clients"


def test_minio(store, bucket):
    minio = pytest.importorskip("minio")
    from minio.commonconfig import ComposeSource, CopySource, Tags
    from minio.deleteobjects import DeleteObject
    client = minio.Minio(endpoint=f"{store.host}:{store.port}", access_key=store.key, secret_key=store.secret, secure=False)
    assert client.bucket_exists(bucket_name=bucket) and not client.bucket_exists(bucket_name="no-such-bucket")
    put = lambda name, body, length: client.put_object(bucket_name=bucket, object_name=name, data=io.BytesIO(body), length=length,
                                                       part_size=5 << 20, metadata={"x": "y"})
    put("m/a b+é", b"hello", 5)
    put("m/big", BIG, -1)				# length unknown
    assert client.get_object(bucket_name=bucket, object_name="m/big").read() == BIG
    stat = client.stat_object(bucket_name=bucket, object_name="m/a b+é")
    assert (stat.size, stat.etag, stat.metadata["x-amz-meta-x"]) == (5, "5d41402abc4b2a76b9719d911017c592", "y")
    client.copy_object(bucket_name=bucket, object_name="m/copy", source=CopySource(bucket_name=bucket, object_name="m/a b+é"))
    client.compose_object(bucket_name=bucket, object_name="m/both", sources=[ComposeSource(bucket_name=bucket, object_name="m/big"),
                                                                             ComposeSource(bucket_name=bucket, object_name="m/copy")])
    assert client.get_object(bucket_name=bucket, object_name="m/both").read() == BIG + b"hello"
    tags = Tags.new_object_tags()
    tags["k"] = "v"
    client.set_object_tags(bucket_name=bucket, object_name="m/copy", tags=tags)
    assert dict(client.get_object_tags(bucket_name=bucket, object_name="m/copy")) == {"k": "v"}
    names = [o.object_name for o in client.list_objects(bucket_name=bucket, prefix="m/", recursive=True)]
    assert names == ["m/a b+é", "m/big", "m/both", "m/copy"]
    for call in (client.get_bucket_encryption, client.get_bucket_notification, client.get_object_lock_config):
        with pytest.raises(minio.error.S3Error) as caught:
            call(bucket_name=bucket)
        assert caught.value.code == "NotImplemented"
    assert list(client.remove_objects(bucket_name=bucket, delete_object_list=[DeleteObject(name=n) for n in names])) == []


def test_pyarrow(store, bucket):
    """Amazon's SDK for C++ is below it."""
    fs = pytest.importorskip("pyarrow.fs")
    s3 = fs.S3FileSystem(access_key=store.key, secret_key=store.secret, endpoint_override=f"{store.host}:{store.port}", scheme="http",
                         region="us-east-1")
    with s3.open_output_stream(f"{bucket}/p/d/big") as file:
        file.write(BIG)
    with s3.open_input_file(f"{bucket}/p/d/big") as file:
        assert file.size() == len(BIG) and file.read_at(1000, 6 << 20) == BIG[6 << 20:(6 << 20) + 1000] and file.read() == BIG
    s3.create_dir(f"{bucket}/p/e")
    s3.copy_file(f"{bucket}/p/d/big", f"{bucket}/p/e/copy")
    s3.move(f"{bucket}/p/e/copy", f"{bucket}/p/e/moved")
    found = {i.path: i.type for i in s3.get_file_info(fs.FileSelector(f"{bucket}/p", recursive=True))}
    assert {p for p, t in found.items() if t == fs.FileType.File} == {f"{bucket}/p/d/big", f"{bucket}/p/e/moved"}
    assert s3.get_file_info(f"{bucket}/p/none").type == fs.FileType.NotFound
    s3.delete_dir(f"{bucket}/p")
    assert store.client().list_objects_v2(Bucket=bucket, Prefix="p/")["KeyCount"] == 0


def test_obstore(store, bucket):
    """The object_store of Rust: what many data tools read and write with."""
    obstore = pytest.importorskip("obstore")
    s3 = pytest.importorskip("obstore.store").S3Store(bucket, endpoint=store.url, access_key_id=store.key, secret_access_key=store.secret,
                                                     region="us-east-1", client_options={"allow_http": True}, virtual_hosted_style_request=False)
    obstore.put(s3, "o/a é", b"hello", mode="create")
    obstore.put(s3, "o/d/big", BIG)
    assert bytes(obstore.get(s3, "o/d/big").bytes()) == BIG
    with pytest.raises(obstore.exceptions.AlreadyExistsError):
        obstore.put(s3, "o/a é", b"other", mode="create")
    etag = obstore.head(s3, "o/a é")["e_tag"]
    obstore.put(s3, "o/a é", b"new", mode={"e_tag": etag})
    with pytest.raises(obstore.exceptions.PreconditionError):
        obstore.put(s3, "o/a é", b"lost", mode={"e_tag": etag})
    obstore.rename(s3, "o/a é", "o/b")
    folded = obstore.list_with_delimiter(s3, "o")
    assert (list(folded["common_prefixes"]), [o["path"] for o in folded["objects"]]) == (["o/d"], ["o/b"])
    names = [o["path"] for page in obstore.list(s3, "o") for o in page]
    obstore.delete(s3, names)
    assert sorted(names) == ["o/b", "o/d/big"] and [o for page in obstore.list(s3, "o") for o in page] == []
