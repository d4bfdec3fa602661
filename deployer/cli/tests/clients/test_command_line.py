"""The AWS command line."""

import json
import os
import pathlib
import tempfile
import unittest
import urllib.request

from documents import POLICY, TRUST
from support import aws

BIG = os.urandom(20 << 20)
FILES = {"a b.txt": b"1", "ü/100%.txt": b"2", "x+y=z&q.bin": os.urandom(100_000)}


class CommandLine(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_what_there_is_is_told(self):
        self.assertIn(":root", aws("sts", "get-caller-identity"))
        self.assertEqual(json.loads(aws("ec2", "describe-instances")), {"Reservations": []})
        self.assertIn("ami-", aws("ec2", "describe-images", "--owners", "amazon"))
        self.assertIn("default", aws("ec2", "describe-security-groups"))
        # Version 1 sends these to AWS whatever AWS_ENDPOINT_URL says, in us-east-1.
        here = ["--endpoint-url", os.environ["AWS_ENDPOINT_URL"]]
        databases = json.loads(aws("rds", "describe-db-instances", *here))
        self.assertEqual(databases, {"DBInstances": []})

    def test_roles(self):
        policy = self.folder / "policy.json"
        policy.write_text(json.dumps(POLICY))
        role = ["--role-name", "cli"]
        named = [*role, "--policy-name", "p"]
        aws("iam", "create-role", *role, "--assume-role-policy-document", json.dumps(TRUST))
        aws("iam", "put-role-policy", *named, "--policy-document", f"file://{policy}")
        told = json.loads(aws("iam", "get-role-policy", *named))
        self.assertEqual(told["PolicyDocument"], POLICY)
        self.assertIn('"p"', aws("iam", "list-role-policies", *role))
        self.assertIn("role/cli", aws("iam", "get-role", *role))

    def test_files_go_there_and_back(self):
        source, copy = self.folder / "source", self.folder / "copy"
        for name, content in FILES.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(content)
        aws("s3", "mb", "s3://cli-files")
        aws("s3", "sync", str(source), "s3://cli-files/in")
        listed = aws("s3", "ls", "--recursive", "s3://cli-files")
        for name in FILES:
            self.assertIn(f"in/{name}\n", listed)
        aws("s3", "sync", "s3://cli-files/in", str(copy))
        for name, content in FILES.items():
            self.assertEqual((copy / name).read_bytes(), content, name)
        (source / "a b.txt").unlink()
        aws("s3", "sync", "--delete", str(source), "s3://cli-files/in")
        self.assertNotIn("a b.txt", aws("s3", "ls", "s3://cli-files/in/"))
        url = aws("s3", "presign", "s3://cli-files/in/ü/100%.txt").strip()
        with urllib.request.urlopen(url) as answer:
            self.assertEqual(answer.read(), b"2")
        aws("s3", "rb", "--force", "s3://cli-files")
        self.assertNotIn("cli-files", aws("s3", "ls"))

    def test_a_big_file_goes_in_parts(self):
        big, back = self.folder / "big", self.folder / "back"
        big.write_bytes(BIG)
        aws("s3", "mb", "s3://cli-big")
        aws("s3", "cp", str(big), "s3://cli-big/one")
        aws("s3", "cp", "s3://cli-big/one", "s3://cli-big/two")
        aws("s3", "mv", "s3://cli-big/two", "s3://cli-big/three")
        aws("s3", "cp", "s3://cli-big/three", str(back))
        self.assertEqual(back.read_bytes(), BIG)
        aws("s3", "rm", "s3://cli-big/one")
        aws("s3", "rm", "--recursive", "s3://cli-big")
        aws("s3", "rb", "s3://cli-big")

    def test_metrics(self):
        metric = ["--namespace", "Bivouac/cli", "--metric-name", "Hits"]
        put = ["--value", "2", "--unit", "Count", "--dimensions", "InstanceId=i-1"]
        aws("cloudwatch", "put-metric-data", *metric, *put)
        listed = json.loads(aws("cloudwatch", "list-metrics", *metric))["Metrics"]
        self.assertEqual(listed[0]["Dimensions"], [{"Name": "InstanceId", "Value": "i-1"}])
        window = ["--start-time", "2020-01-01T00:00:00Z", "--end-time", "2040-01-01T00:00:00Z"]
        of_node = ["--dimensions", "Name=InstanceId,Value=i-1"]
        points = aws(
            "cloudwatch",
            "get-metric-statistics",
            *[*metric, *window, *of_node, "--period", "864000", "--statistics", "Sum"],
        )
        self.assertEqual(json.loads(points)["Datapoints"][0]["Sum"], 2.0)
        stat = {"Metric": {"Namespace": "Bivouac/cli", "MetricName": "Hits"}}
        stat["Metric"]["Dimensions"] = [{"Name": "InstanceId", "Value": "i-1"}]
        query = [{"Id": "a", "MetricStat": {**stat, "Period": 86400, "Stat": "Maximum"}}]
        asked = ["--metric-data-queries", json.dumps(query), *window]
        told = json.loads(aws("cloudwatch", "get-metric-data", *asked))
        self.assertEqual(told["MetricDataResults"][0]["Values"], [2.0])

    def test_a_refusal_ends_it_with_an_error(self):
        aws("iam", "get-role", "--role-name", "nobody", code=255)
        aws("ec2", "create-vpc", "--cidr-block", "10.0.0.0/16", code=255)


if __name__ == "__main__":
    unittest.main()
