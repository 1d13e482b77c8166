/* The JavaScript SDK v3 at its default settings: flexible checksums, trailers, multipart, presigned URLs. */
import assert from "node:assert";
import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import { Readable } from "node:stream";
import {
	S3Client, CreateBucketCommand, PutObjectCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command,
	CopyObjectCommand, DeleteObjectsCommand, DeleteBucketCommand, GetObjectAttributesCommand, PutObjectTaggingCommand,
	GetObjectTaggingCommand, RenameObjectCommand,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const Bucket = process.env.BUCKET;
const fetched = (url) => new Promise((resolve, reject) => http.get(url, { agent: httpAgent }, async (answer) =>
	resolve(Buffer.concat(await answer.toArray()).toString())).on("error", reject));
const bytes = async (answer) => Buffer.from(await answer.Body.transformToByteArray());

/* Buckets in the host name are the SDK's default. Names below localhost are this machine, whether or not the resolver knows. */
const httpAgent = new http.Agent({ keepAlive: true, lookup: (host, options, done) =>
	options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4) });
const port = new URL(process.env.AWS_ENDPOINT_URL).port;

for (const options of [{ forcePathStyle: true }, { endpoint: `http://s3.localhost:${port}`, requestHandler: { httpAgent } }]) {
	const s3 = new S3Client(options);
	await s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: "local" } }));

	const put = await s3.send(new PutObjectCommand({ Bucket, Key: "small", Body: "hello", ContentType: "text/plain", Metadata: { a: "b" } }));
	assert.equal(put.ETag, '"5d41402abc4b2a76b9719d911017c592"');
	const got = await s3.send(new GetObjectCommand({ Bucket, Key: "small" }));
	assert.equal((await bytes(got)).toString(), "hello");
	assert.deepEqual(got.Metadata, { a: "b" });

	/* A stream of known length goes out as aws-chunked with a trailer. */
	const large = randomBytes(6 << 20);
	await s3.send(new PutObjectCommand({ Bucket, Key: "stream", Body: Readable.from([large]), ContentLength: large.length }));
	assert.ok((await bytes(await s3.send(new GetObjectCommand({ Bucket, Key: "stream" })))).equals(large));

	const many = Buffer.concat([large, large, large]);
	await new Upload({ client: s3, params: { Bucket, Key: "multi", Body: many }, partSize: 5 << 20, queueSize: 4 }).done();
	const back = await bytes(await s3.send(new GetObjectCommand({ Bucket, Key: "multi" })));
	assert.equal(createHash("sha256").update(back).digest("hex"), createHash("sha256").update(many).digest("hex"));
	const attributes = await s3.send(new GetObjectAttributesCommand({ Bucket, Key: "multi", ObjectAttributes: ["ETag", "ObjectSize", "ObjectParts", "Checksum"] }));
	assert.equal(attributes.ObjectSize, many.length);
	assert.equal(attributes.ObjectParts.TotalPartsCount, 4);

	await s3.send(new CopyObjectCommand({ Bucket, Key: "copy", CopySource: `${Bucket}/small` }));
	await s3.send(new RenameObjectCommand({ Bucket, Key: "renamed", RenameSource: "copy" }));
	await s3.send(new PutObjectTaggingCommand({ Bucket, Key: "renamed", Tagging: { TagSet: [{ Key: "x", Value: "y" }] } }));
	assert.deepEqual((await s3.send(new GetObjectTaggingCommand({ Bucket, Key: "renamed" }))).TagSet, [{ Key: "x", Value: "y" }]);
	assert.equal((await s3.send(new HeadObjectCommand({ Bucket, Key: "renamed" }))).ContentLength, 5);

	const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: "small" }), { expiresIn: 60 });
	assert.equal(await fetched(url), "hello");

	await assert.rejects(s3.send(new GetObjectCommand({ Bucket, Key: "nothing" })), { name: "NoSuchKey" });
	await assert.rejects(s3.send(new PutObjectCommand({ Bucket, Key: "small", Body: "x", IfNoneMatch: "*" })), { name: "PreconditionFailed" });

	const list = await s3.send(new ListObjectsV2Command({ Bucket }));
	assert.deepEqual(list.Contents.map((o) => o.Key), ["multi", "renamed", "small", "stream"]);
	await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: list.Contents.map(({ Key }) => ({ Key })) } }));
	await s3.send(new DeleteBucketCommand({ Bucket }));
}
console.log("done");
