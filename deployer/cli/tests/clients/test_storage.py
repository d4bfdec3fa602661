"""boto3: buckets and objects."""

import http.client
import io
import os
import unittest
import urllib.parse

from botocore.config import Config
from support import client, refusal

KEYS = [
    "a b",
    "a+b",
    "ü/é",
    "100%",
    "100%25",
    "x&y=z",
    "q?r#s",
    "it's \"q\"",
    "<xml>",
    "//two",
    "folder/",
    "a//b",
    "../up",
    ".",
    "~tilde*()!",
    "a;b,c:d@e$f",
    "tab\there",
    "line\nfeed",
    "emoji-😀",
    "k" * 1024,
]
MIB = 1 << 20


class Storage(unittest.TestCase):
    def setUp(self):
        self.s3 = client("s3")
        self.bucket = "boto3-" + self.id().rsplit("_", 1)[1]
        self.s3.create_bucket(Bucket=self.bucket)
        self.addCleanup(self.remove)

    def remove(self):
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket):
            for found in page.get("Contents", []):
                self.s3.delete_object(Bucket=self.bucket, Key=found["Key"])
        self.s3.delete_bucket(Bucket=self.bucket)

    def read(self, key):
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def test_keys_of_every_kind(self):
        s3, bucket = self.s3, self.bucket
        for key in KEYS:
            s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
            copy = {"Bucket": bucket, "Key": key}
            s3.copy_object(Bucket=bucket, Key=key[:1000] + "-copy", CopySource=copy)
        for key in KEYS:
            self.assertEqual(self.read(key), key.encode(), key)
            self.assertEqual(self.read(key[:1000] + "-copy"), key.encode(), key)
        copies = [key[:1000] + "-copy" for key in KEYS]
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": 7}
        )
        listed = [found["Key"] for page in pages for found in page["Contents"]]
        self.assertEqual(listed, sorted(KEYS + copies, key=str.encode))
        old = s3.list_objects(Bucket=bucket)["Contents"]
        self.assertEqual([found["Key"] for found in old], listed)
        versions = s3.list_object_versions(Bucket=bucket)["Versions"]
        self.assertEqual(sorted(v["Key"] for v in versions), sorted(listed))
        gone = s3.delete_objects(
            Bucket=bucket, Delete={"Objects": [{"Key": key} for key in copies]}
        )
        self.assertEqual([one["Key"] for one in gone["Deleted"]], copies)
        self.assertNotIn("Errors", gone)

    def test_parts(self):
        s3, bucket = self.s3, self.bucket
        content = os.urandom(9 * MIB)
        s3.upload_fileobj(io.BytesIO(content), bucket, "whole")
        self.assertEqual(self.read("whole"), content)
        s3.copy({"Bucket": bucket, "Key": "whole"}, bucket, "copy")
        self.assertEqual(self.read("copy"), content)
        upload = {"Bucket": bucket, "Key": "pieces"}
        upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
        first = s3.upload_part_copy(
            **upload,
            PartNumber=1,
            CopySource={"Bucket": bucket, "Key": "whole"},
            CopySourceRange=f"bytes={MIB}-{7 * MIB - 1}",
        )["CopyPartResult"]
        last = s3.upload_part(**upload, PartNumber=2, Body=b"the end")
        self.assertEqual([p["Size"] for p in s3.list_parts(**upload)["Parts"]], [6 * MIB, 7])
        [begun] = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
        self.assertEqual(begun["UploadId"], upload["UploadId"])
        parts = [
            {"PartNumber": 1, "ETag": first["ETag"]},
            {"PartNumber": 2, "ETag": last["ETag"]},
        ]
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        self.assertEqual(self.read("pieces"), content[MIB : 7 * MIB] + b"the end")
        asked = ["ETag", "ObjectSize", "ObjectParts", "StorageClass", "Checksum"]
        told = s3.get_object_attributes(Bucket=bucket, Key="pieces", ObjectAttributes=asked)
        self.assertEqual(told["ObjectSize"], 6 * MIB + 7)
        self.assertEqual(told["ObjectParts"]["TotalPartsCount"], 2)
        self.part_copies_are_refused(upload["Key"])

    def part_copies_are_refused(self, key):
        s3, upload = self.s3, {"Bucket": self.bucket, "Key": key}
        upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
        for source, extent, expected in [
            ("whole", "bytes=0-9437184", "InvalidArgument"),
            ("whole", "bytes=5-", "InvalidArgument"),
            ("nothing", "bytes=0-1", "NoSuchKey"),
        ]:
            code, _, _ = refusal(
                s3.upload_part_copy,
                **upload,
                PartNumber=1,
                CopySource={"Bucket": self.bucket, "Key": source},
                CopySourceRange=extent,
            )
            self.assertEqual(code, expected, (source, extent))
        s3.abort_multipart_upload(**upload)
        code, status, _ = refusal(
            s3.upload_part_copy,
            **upload,
            PartNumber=1,
            CopySource={"Bucket": self.bucket, "Key": "whole"},
        )
        self.assertEqual((code, status), ("NoSuchUpload", 404))

    def test_presigned(self):
        for version in ["s3", "s3v4"]:
            signer = client("s3", config=Config(signature_version=version))
            for key in KEYS:
                named = {"Bucket": self.bucket, "Key": key}
                put = signer.generate_presigned_url("put_object", Params=named)
                self.assertEqual(fetch("PUT", put, b"by URL")[0], 200, (version, key))
                get = signer.generate_presigned_url("get_object", Params=named)
                self.assertEqual(fetch("GET", get), (200, b"by URL"), (version, key))
            other = get.replace(self.bucket, "other")
            self.assertEqual(fetch("GET", other)[0], 403)
        older = client("s3", config=Config(signature_version="s3"))
        over = older.generate_presigned_url("get_object", Params=named, ExpiresIn=-60)
        self.assertEqual(fetch("GET", over)[0], 403)

    def test_settings(self):
        s3, bucket = self.s3, {"Bucket": self.bucket}
        self.assertIn(self.bucket, [one["Name"] for one in s3.list_buckets()["Buckets"]])
        s3.head_bucket(**bucket)
        self.assertIsNone(s3.get_bucket_location(**bucket)["LocationConstraint"])
        self.assertNotIn("Status", s3.get_bucket_versioning(**bucket))
        tags = [{"Key": "a", "Value": "1 & 2"}]
        s3.put_bucket_tagging(**bucket, Tagging={"TagSet": tags})
        self.assertEqual(s3.get_bucket_tagging(**bucket)["TagSet"], tags)
        s3.delete_bucket_tagging(**bucket)
        block = {"BlockPublicAcls": True, "IgnorePublicAcls": True}
        block |= {"BlockPublicPolicy": True, "RestrictPublicBuckets": True}
        s3.put_public_access_block(**bucket, PublicAccessBlockConfiguration=block)
        told = s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"]
        self.assertEqual(told, block)
        s3.delete_public_access_block(**bucket)
        rule = {
            "ID": "uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        }
        s3.put_bucket_lifecycle_configuration(
            **bucket, LifecycleConfiguration={"Rules": [rule]}
        )
        self.assertEqual(s3.get_bucket_lifecycle_configuration(**bucket)["Rules"], [rule])
        s3.delete_bucket_lifecycle(**bucket)

    def test_objects(self):
        s3, place = self.s3, {"Bucket": self.bucket, "Key": "k"}
        s3.put_object(**place, Body=b"0123456789", ContentType="image/png", Metadata={"a": "1"})
        head = s3.head_object(**place)
        self.assertEqual((head["ContentType"], head["Metadata"]), ("image/png", {"a": "1"}))
        part = s3.get_object(**place, Range="bytes=2-4")
        self.assertEqual((part["Body"].read(), part["ContentRange"]), (b"234", "bytes 2-4/10"))
        self.assertEqual(refusal(s3.get_object, **place, IfNoneMatch=head["ETag"])[1], 304)
        self.assertEqual(refusal(s3.head_object, Bucket=self.bucket, Key="x")[1], 404)
        tags = [{"Key": "a", "Value": "1"}]
        s3.put_object_tagging(**place, Tagging={"TagSet": tags})
        self.assertEqual(s3.get_object_tagging(**place)["TagSet"], tags)
        s3.delete_object_tagging(**place)


def fetch(method, url, body=None):
    """A plain HTTP call with no header that was not signed."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    connection.request(method, url[url.index(parts.netloc) + len(parts.netloc) :], body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


if __name__ == "__main__":
    unittest.main()
