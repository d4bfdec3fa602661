"""S3."""

BUCKET = "bivouac-calls"


def run(ask):
    s3 = ask.of("s3")
    buckets(s3)
    objects(s3)
    parts(s3)
    settings(s3)
    ending(s3)


def buckets(s3):
    tags = {"Tags": [{"Key": "bivouac:deployment", "Value": "calls"}]}
    s3("a bucket", "create_bucket", Bucket=BUCKET, CreateBucketConfiguration=tags)
    s3("the tags of the bucket", "get_bucket_tagging", Bucket=BUCKET)
    s3("a bucket twice", "create_bucket", Bucket=BUCKET)
    s3("a bucket called UPPER", "create_bucket", Bucket="UPPER")
    s3("it goes", "delete_bucket", quiet=True, Bucket="UPPER")
    s3("a bucket of two letters", "create_bucket", Bucket="ab")
    s3("the bucket", "head_bucket", Bucket=BUCKET)
    s3("no bucket", "head_bucket", Bucket="bivouac-none")
    s3("where the bucket is", "get_bucket_location", Bucket=BUCKET)
    s3("buckets", "list_buckets", Prefix=BUCKET)
    s3("no objects", "list_objects_v2", Bucket=BUCKET)
    s3("objects of no bucket", "list_objects_v2", Bucket="bivouac-none")


def objects(s3):
    at = {"Bucket": BUCKET, "Key": "photos/1"}
    none = {"Bucket": BUCKET, "Key": "none"}
    s3("an object", "put_object", **at, Body=b"0123456789", ContentType="text/plain", Metadata={"who": "me"})
    s3("an object in no bucket", "put_object", Bucket="bivouac-none", Key="x", Body=b"")
    s3("an object if there is none", "put_object", **at, Body=b"x", IfNoneMatch="*")

    def refused(what, key="wrong", **changes):
        s3(what, "put_object", Bucket=BUCKET, Key=key, Body=b"0", **changes)
        s3(what, "delete_object", quiet=True, Bucket=BUCKET, Key=key)

    refused("an object with a wrong checksum", ChecksumSHA256="A" * 43 + "=")
    refused("an object with a wrong MD5", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")
    refused("a key of 1,025 bytes", key="k" * 1025)
    s3("what it is like", "head_object", **at)
    s3("what it holds", "get_object", **at)
    s3("a part of it", "get_object", **at, Range="bytes=2-4")
    s3("a part behind its end", "get_object", **at, Range="bytes=20-30")
    s3("it, if it is another", "get_object", **at, IfMatch='"another"')
    s3("no object", "get_object", **none)
    s3("what none is like", "head_object", **none)
    s3("an object of no bucket", "get_object", Bucket="bivouac-none", Key="x")
    s3("a copy", "copy_object", Bucket=BUCKET, Key="photos/2", CopySource=f"{BUCKET}/photos/1")
    s3("a copy of none", "copy_object", Bucket=BUCKET, Key="x", CopySource=f"{BUCKET}/none")
    s3("its tags", "put_object_tagging", **at, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    s3("tags of it", "get_object_tagging", **at)
    s3("tags of none", "get_object_tagging", **none)
    s3("tags go", "delete_object_tagging", **at)
    s3("its attributes", "get_object_attributes", **at, ObjectAttributes=["ETag", "ObjectSize"])
    s3("a key of signs", "put_object", Bucket=BUCKET, Key="a b+ü/&<", Body=b"x")
    s3("objects", "list_objects_v2", Bucket=BUCKET)
    s3("one object", "list_objects_v2", Bucket=BUCKET, MaxKeys=1)
    s3("folders", "list_objects_v2", Bucket=BUCKET, Delimiter="/", Prefix="p")
    s3("objects after one", "list_objects_v2", Bucket=BUCKET, StartAfter="photos/1")
    s3("objects, the old way", "list_objects", Bucket=BUCKET, Prefix="photos/", MaxKeys=1)
    s3("versions", "list_object_versions", Bucket=BUCKET, Prefix="photos/1")
    s3("whether there are versions", "get_bucket_versioning", Bucket=BUCKET)


def parts(s3):
    at = {"Bucket": BUCKET, "Key": "large"}
    five = b"5" * (5 << 20)
    upload = {**at, "UploadId": s3("an upload", "create_multipart_upload", **at)["UploadId"]}
    s3("uploads", "list_multipart_uploads", Bucket=BUCKET)
    first = s3("a part", "upload_part", **upload, PartNumber=1, Body=five)["ETag"]
    second = s3("another part", "upload_part", **upload, PartNumber=2, Body=b"end")["ETag"]
    s3("part 0", "upload_part", **upload, PartNumber=0, Body=b"x")
    s3("part 10,001", "upload_part", **upload, PartNumber=10001, Body=b"x")
    s3("a part of no upload", "upload_part", **at, UploadId="none", PartNumber=1, Body=b"x")
    s3("parts", "list_parts", **upload)
    both = [{"PartNumber": 1, "ETag": first}, {"PartNumber": 2, "ETag": second}]
    s3("an upload in the wrong order", "complete_multipart_upload", **upload, MultipartUpload={"Parts": both[::-1]})
    wrong = [{"PartNumber": 1, "ETag": '"0123"'}]
    s3("an upload of a part that is not there", "complete_multipart_upload", **upload,
       MultipartUpload={"Parts": wrong})
    s3("the upload", "complete_multipart_upload", **upload, MultipartUpload={"Parts": both})
    s3("what came of it", "head_object", **at)
    given_up = {**at, "UploadId": s3("an upload to give up", "create_multipart_upload", **at)["UploadId"]}
    s3("it is given up", "abort_multipart_upload", **given_up)
    s3("parts of what was given up", "list_parts", **given_up)


def settings(s3):
    s3("no block of the public", "delete_public_access_block", Bucket=BUCKET)
    s3("whether the public is blocked", "get_public_access_block", Bucket=BUCKET)
    every = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    blocked = dict.fromkeys(every, True)
    s3("the public is blocked", "put_public_access_block", Bucket=BUCKET, PublicAccessBlockConfiguration=blocked)
    s3("the block", "get_public_access_block", Bucket=BUCKET)
    s3("no rules for old objects", "get_bucket_lifecycle_configuration", Bucket=BUCKET)
    rule = {"ID": "uploads", "Status": "Enabled", "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}
    s3("a rule for old uploads", "put_bucket_lifecycle_configuration", Bucket=BUCKET,
       LifecycleConfiguration={"Rules": [rule]})
    s3("the rule", "get_bucket_lifecycle_configuration", Bucket=BUCKET)
    s3("the rule goes", "delete_bucket_lifecycle", Bucket=BUCKET)
    tags = {"TagSet": [{"Key": "a", "Value": "1"}]}
    s3("other tags", "put_bucket_tagging", Bucket=BUCKET, Tagging=tags)
    s3("the other tags", "get_bucket_tagging", Bucket=BUCKET)
    s3("a tag twice", "put_bucket_tagging", Bucket=BUCKET, Tagging={"TagSet": tags["TagSet"] * 2})
    s3("no tags", "delete_bucket_tagging", Bucket=BUCKET)
    s3("the tags that went", "get_bucket_tagging", Bucket=BUCKET)


def ending(s3):
    s3("a full bucket goes", "delete_bucket", Bucket=BUCKET)
    s3("an object goes", "delete_object", Bucket=BUCKET, Key="photos/1")
    s3("it goes again", "delete_object", Bucket=BUCKET, Key="photos/1")
    keys = ["photos/2", "large", "a b+ü/&<", "none"]
    s3("many go", "delete_objects", Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys]})
    s3("the bucket goes", "delete_bucket", Bucket=BUCKET)
    s3("the bucket goes again", "delete_bucket", Bucket=BUCKET)
