"""The check finds what is wrong: each of these calls is right, and wrong after one change."""

import base64
import copy
import struct
import unittest
import urllib.parse

import check
import record

EC2 = {
    "Action": "CreateSecurityGroup",
    "Version": "2016-11-15",
    "GroupName": "door",
    "Description": "x",
    "TagSpecification.1.ResourceType": "security-group",
    "TagSpecification.1.Tag.1.Key": "a",
}
GROUP = "<CreateSecurityGroupResponse><requestId>r</requestId><groupId>sg-1</groupId></CreateSecurityGroupResponse>"
IAM = {
    "Action": "PutRolePolicy",
    "Version": "2010-05-08",
    "RoleName": "node",
    "PolicyName": "p",
    "PolicyDocument": "{}",
}
DONE = "<PutRolePolicyResponse><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PutRolePolicyResponse>"
RDS = {
    "Action": "CreateDBInstance",
    "Version": "2014-10-31",
    "DBInstanceIdentifier": "d",
    "DBInstanceClass": "db.t4g.micro",
    "Engine": "postgres",
    "AllocatedStorage": "20",
    "MultiAZ": "false",
    "VpcSecurityGroupIds.VpcSecurityGroupId.1": "sg-1",
    "Tags.Tag.1.Key": "a",
}
DATABASE = """<CreateDBInstanceResponse><CreateDBInstanceResult><DBInstance>
<AllocatedStorage>20</AllocatedStorage><MultiAZ>false</MultiAZ><InstanceCreateTime>2026-11-26T13:00:00Z</InstanceCreateTime>
</DBInstance></CreateDBInstanceResult><ResponseMetadata/></CreateDBInstanceResponse>"""
DELETE = "<Delete><Object><Key>a</Key></Object><Quiet>true</Quiet></Delete>"
PUT = "/service/GraniteServiceVersion20100801/operation/PutMetricData"


def encoded(body):
    return base64.b64encode(body if isinstance(body, bytes) else body.encode()).decode()


def cbor(value):
    """The little of RFC 8949 that a datum needs."""

    def head(major, size):
        return bytes([major << 5 | 25]) + size.to_bytes(2, "big")

    if isinstance(value, dict):
        return head(5, len(value)) + b"".join(cbor(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    return head(3, len(value.encode())) + value.encode()


def call(service, body, answer="", status=200, method="POST", path="/", query="", headers=(), answered=()):
    return {
        "service": service,
        "method": method,
        "path": path,
        "query": query,
        "headers": dict(headers),
        "body": encoded(body),
        "answer": {"status": status, "headers": dict(answered), "body": encoded(answer)},
    }


def form(service, parameters, answer):
    return call(service, urllib.parse.urlencode(parameters), answer)


def put(datum):
    body = cbor({"Namespace": "Bivouac/x", "MetricData": [datum]})
    return call("monitoring", body, path=PUT, headers={"smithy-protocol": "rpc-v2-cbor"})


def problems(line):
    try:
        return [text for _, text in check.problems_of(record.Call(line))]
    except record.Unknown as error:
        return [str(error)]


class Check(unittest.TestCase):
    def finds(self, line, text):
        found = problems(line)
        self.assertTrue(any(text in problem for problem in found), (text, found))

    def test_calls_that_are_right(self):
        for line in [
            form("ec2", EC2, GROUP),
            form("iam", IAM, DONE),
            form("rds", RDS, DATABASE),
            put({"MetricName": "Hits", "Value": 1.0, "Unit": "Count"}),
            call("s3", DELETE, path="/bucket", query="delete", answer="<DeleteResult/>"),
            call("s3", "", method="GET", path="/bucket/a%20b", query="x-id=GetObject"),
            call("s3", "", method="GET", path="/bucket/a", query="X-Amz-Signature=s&X-Amz-Expires=60"),
            call("s3", "", method="PUT", path="/b/k", query="partNumber=1&uploadId=u"),
            call("s3", DELETE, path="/b", query="delete", headers={"x-amz-checksum-crc32": "AAAAAA=="}),
        ]:
            self.assertEqual(problems(line), [], line)

    def test_what_is_required_is_missed(self):
        self.finds(form("ec2", without(EC2, "GroupName"), GROUP), ".GroupName: required")
        self.finds(form("iam", without(IAM, "PolicyDocument"), DONE), ".PolicyDocument: required")
        self.finds(put({"Value": 1.0}), ".MetricData[1].MetricName: required")

    def test_what_the_model_does_not_know_is_told(self):
        self.finds(form("ec2", EC2 | {"Colour": "red"}, GROUP), ".Colour: not in the model")
        self.finds(form("iam", IAM | {"Path": "/"}, DONE), ".Path: not in the model")
        self.finds(form("rds", RDS | {"Tags.Tag.1.Colour": "red"}, DATABASE), "Colour: not in the model")
        self.finds(put({"MetricName": "m", "Colour": "red"}), "Colour: not in the model")
        self.finds(call("s3", "", method="GET", path="/b/k", query="colour=red"), ".colour: not in the model")
        headers = {"x-amz-colour": "red"}
        self.finds(call("s3", "", method="GET", path="/b/k", headers=headers), "x-amz-colour: not in the model")

    def test_actions_and_versions_that_are_not_there(self):
        self.finds(form("ec2", EC2 | {"Action": "CreateCamp"}, GROUP), "ec2 has no operation CreateCamp")
        self.finds(form("ec2", EC2 | {"Version": "2011-01-01"}, GROUP), "the version is 2011-01-01")
        self.finds(call("camp", "Action=x"), "no service camp")
        self.finds(call("s3", "", method="PATCH", path="/b/k"), "no operation of S3")

    def test_types_lengths_patterns_and_enumerations(self):
        self.finds(form("rds", RDS | {"AllocatedStorage": "20 GiB"}, DATABASE), "'20 GiB' is no integer")
        self.finds(form("rds", RDS | {"MultiAZ": "no"}, DATABASE), "'no' is no boolean")
        self.finds(form("iam", IAM | {"RoleName": "n" * 65}, DONE), "has the length 65, most is 64")
        self.finds(form("iam", IAM | {"RoleName": "a b"}, DONE), "does not match")
        self.finds(form("iam", IAM | {"PolicyDocument": ""}, DONE), "has the length 0, least is 1")
        wrong = {"TagSpecification.1.ResourceType": "camp"}
        self.finds(form("ec2", EC2 | wrong, GROUP), "'camp' is none of")
        self.finds(put({"MetricName": "m", "Unit": "Photos"}), "'Photos' is none of")
        self.finds(put({"MetricName": "m" * 256}), "has the length 256, most is 255")
        self.finds(put({"MetricName": "m", "Value": "one"}), "'one' is no double")

    def test_bodies_that_cannot_be_read(self):
        self.finds(form("ec2", EC2 | {"GroupName.1": "x"}, GROUP), "below a name that has a value")
        self.finds(call("s3", "<Delete>", path="/b", query="delete"), "the body is no XML")
        self.finds(call("s3", DELETE.replace("Quiet", "Silent"), path="/b", query="delete"), "Silent: not in the model")

    def test_answers(self):
        self.finds(form("ec2", EC2, GROUP.replace("groupId", "groupName")), ".groupName: not in the model")
        self.finds(form("ec2", EC2, GROUP.replace("CreateSecurityGroupResponse", "Response")), "the root is Response")
        self.finds(form("iam", IAM, DONE.replace("<ResponseMetadata>", "<Extra>x</Extra><ResponseMetadata>")), ".Extra")
        self.finds(form("rds", RDS, DATABASE.replace(">20<", ">much<")), "'much' is no integer")
        self.finds(form("rds", RDS, DATABASE.replace(">false<", ">no<")), "'no' is no boolean")
        self.finds(form("rds", RDS, DATABASE.replace("2026-11-26T13:00:00Z", "noon")), "'noon' is no timestamp")
        role = "<GetRoleResponse><GetRoleResult><Role><RoleName>r</RoleName></Role></GetRoleResult></GetRoleResponse>"
        asked = {"Action": "GetRole", "Version": "2010-05-08", "RoleName": "r"}
        self.finds(form("iam", asked, role), ".Role.Arn: required")
        answered = {"x-amz-colour": "red"}
        line = call("s3", "", method="GET", path="/b/k", answered=answered)
        self.finds(line, "x-amz-colour: not in the model")


def without(parameters, name):
    rest = copy.copy(parameters)
    del rest[name]
    return rest


if __name__ == "__main__":
    unittest.main()
