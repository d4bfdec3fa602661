"""boto3: who may not call, and what is not there, each service in its own words."""

import os
import unittest

from botocore import UNSIGNED
from botocore.config import Config
from support import client, refusal

CALLS = {
    "ec2": "describe_instances",
    "s3": "list_buckets",
    "iam": "list_roles",
    "sts": "get_caller_identity",
    "rds": "describe_db_instances",
    "cloudwatch": "list_metrics",
}

class Refusals(unittest.TestCase):
    def all_refuse(self, expected, services=CALLS, **settings):
        for service in services:
            call = CALLS[service]
            code, status, _ = refusal(getattr(client(service, **settings), call))
            wanted = expected.get(service, expected["query"])
            self.assertEqual((code, status), wanted, service)

    def test_a_wrong_secret(self):
        wrong = {
            "ec2": ("AuthFailure", 401),
            "query": ("SignatureDoesNotMatch", 403),
        }
        self.all_refuse(wrong, aws_secret_access_key="x", **mine())

    def test_an_unknown_key(self):
        unknown = {
            "ec2": ("AuthFailure", 401),
            "s3": ("InvalidAccessKeyId", 403),
            "query": ("InvalidClientTokenId", 403),
        }
        key = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "x"}
        self.all_refuse(unknown, **key)

    def test_a_session_that_is_over(self):
        over = {
            "ec2": ("RequestExpired", 400),
            "s3": ("ExpiredToken", 400),
            "query": ("ExpiredToken", 403),
        }
        self.all_refuse(over, **session("EXPIRED"))

    def test_a_session_with_the_token_of_another(self):
        foreign = {
            "ec2": ("AuthFailure", 401),
            "s3": ("InvalidToken", 400),
            "query": ("InvalidClientTokenId", 403),
        }
        self.all_refuse(foreign, **session("EXPIRED") | {"aws_session_token": "another"})

    def test_a_session_without_rights(self):
        denied = {"ec2": ("UnauthorizedOperation", 403), "query": ("AccessDenied", 403)}
        # Who one is may be asked by everybody.
        services = [service for service in CALLS if service != "sts"]
        self.all_refuse(denied, services, **session("POWERLESS"))
        ec2 = client("ec2", **session("POWERLESS"))
        _, _, said = refusal(ec2.describe_instances)
        encoded = said.rsplit(" ", 1)[1]
        told = client("sts").decode_authorization_message(EncodedMessage=encoded)
        self.assertIn("ec2:DescribeInstances", told["DecodedMessage"])

    def test_no_signature(self):
        unsigned = Config(signature_version=UNSIGNED)
        expected = {
            "ec2": ("MissingParameter", 400),
            "s3": ("AccessDenied", 403),
            "query": ("MissingAuthenticationToken", 403),
        }
        self.all_refuse(expected, config=unsigned)

    def test_actions_that_are_not_there_are_named(self):
        metrics = client("cloudwatch")
        typed = metrics.meta.service_model.metadata["protocol"] != "query"
        for call, arguments, name, expected in [
            (client("ec2").create_vpc, {"CidrBlock": "10.0.0.0/16"}, "CreateVpc", "InvalidAction"),
            (client("iam").create_user, {"UserName": "x"}, "CreateUser", "InvalidAction"),
            (client("sts").get_session_token, {}, "GetSessionToken", "InvalidAction"),
            (client("rds").describe_db_clusters, {}, "DescribeDBClusters", "InvalidAction"),
            (
                metrics.describe_insight_rules,
                {},
                "DescribeInsightRules",
                "UnknownOperationException" if typed else "InvalidAction",
            ),
            (client("s3").get_bucket_acl, {"Bucket": "none"}, "GetBucketAcl", "NotImplemented"),
            (client("s3").put_bucket_policy, BUCKET_POLICY, "PutBucketPolicy", "NotImplemented"),
        ]:
            code, _, said = refusal(call, **arguments)
            self.assertEqual(code, expected, name)
            self.assertIn(name, said)

    def test_services_that_are_not_there_are_named(self):
        for service, call in {"sqs": "list_queues", "lambda": "list_functions"}.items():
            _, status, said = refusal(getattr(client(service), call))
            self.assertEqual(status, 400)
            self.assertIn(f"localcloud has no service &quot;{service}&quot;", said)


BUCKET_POLICY = {"Bucket": "none", "Policy": "{}"}


def mine():
    return {"aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"]}


def session(name):
    """Keys of a session that the test has made."""
    return {
        "aws_access_key_id": os.environ[f"BIVOUAC_TEST_{name}_KEY"],
        "aws_secret_access_key": os.environ[f"BIVOUAC_TEST_{name}_SECRET"],
        "aws_session_token": os.environ[f"BIVOUAC_TEST_{name}_TOKEN"],
    }


if __name__ == "__main__":
    unittest.main()
