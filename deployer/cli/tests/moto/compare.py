"""The same calls by boto3, right and wrong, to localcloud and to moto's server, and what the two answer
differently: held against `differences.yaml`, which says for each who is right and where AWS says so. A
difference that is not there, and one that is there and not found, are told, and the exit code is 1.

Usage: compare.py LOCALCLOUD, its address; or compare.py --table, for the table in docs/localcloud.md.
"""

import fnmatch
import json
import re
import sys
import time
from pathlib import Path

import boto3
import botocore.session
import yaml
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError
from botocore.parsers import ResponseParserError
from calls import compute, databases, identity, metrics, storage
from moto.server import ThreadedMotoServer

LISTED = yaml.safe_load(Path(__file__).with_name("differences.yaml").read_text(encoding="utf-8"))
# What is another one each time, and is the same if it looks the same.
CHANGING = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.0-9]*(Z|\+00:00)", "TIME"),
    (r"\b(i|vol|eni|sg|sgr|ami|snap|subnet|vpc|r|eni-attach|rtb|dopt)-[0-9a-f]{8,17}\b", r"\1-ID"),
    (r"\b(AROA|AIPA|AIDA|AKIA)[A-Z0-9]+\b", r"\1-ID"),
    (r"\b\d{12}\b", "ACCOUNT"),
    (r"\b\d{1,3}(\.\d{1,3}){3}\b(?!/)", "ADDRESS"),
    (r"\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b", "MAC"),
]
# Where a text of no form is another one each time.
OPAQUE = {
    "Arn", "UserId", "UploadId", "NextContinuationToken", "ContinuationToken", "PrivateDnsName", "PublicDnsName",
    "RequesterId", "ReservationId", "LaunchTemplateId", "ClientToken", "DbiResourceId", "KmsKeyId",
    "CACertificateIdentifier", "PreferredBackupWindow", "PreferredMaintenanceWindow", "HostedZoneId", "RoleId", "InstanceProfileId", "AccountId",
}


class Ask:
    """Clients of one server, and what was answered to each call by its name."""

    def __init__(self, endpoint):
        # moto's CloudWatch has only the oldest of its protocols.
        session = botocore.session.Session()
        loader = session.get_component("data_loader")
        model = loader.load_service_model("cloudwatch", "service-2")
        model["metadata"]["protocols"] = ["query"]
        self.session = boto3.Session(botocore_session=session)
        self.endpoint = endpoint
        self.answers = {}

    def of(self, service):
        # What boto3 would refuse by itself is to be refused by the server.
        config = Config(parameter_validation=False, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        return Service(self, self.session.client(service, endpoint_url=self.endpoint, config=config), service)


class Service:
    def __init__(self, ask, client, name):
        self.ask, self.client, self.name = ask, client, name

    def __call__(self, what, operation, quiet=False, **arguments):
        """Calls, and keeps what was answered unless it is about something that only helps others."""
        what = f"{self.name}: {what}"
        try:
            answer = getattr(self.client, operation)(**arguments)
        except ClientError as error:
            answer = {"Refused": error.response["Error"]["Code"],
                      "Status": error.response["ResponseMetadata"]["HTTPStatusCode"]}
        except ParamValidationError as error:
            raise AssertionError(f"{what}: {error}") from error
        except ResponseParserError:
            # moto's page for what it does not have, or what broke it.
            answer = {"Refused": "(unreadable)", "Status": 500}
        answer.pop("ResponseMetadata", None)
        if "Body" in answer:
            answer["Body"] = answer["Body"].read().decode()
        if not quiet:
            assert what not in self.ask.answers, f"{what} is there twice"
            self.ask.answers[what] = (operation, comparable(answer))
        return answer

    def wait(self, waiter, **arguments):
        self.client.get_waiter(waiter).wait(WaiterConfig={"Delay": 0.2, "MaxAttempts": 150}, **arguments)


def comparable(answer):
    """An answer without what is another one each time."""
    return json.loads(json.dumps(answer, default=lambda value: value.isoformat()), object_hook=settled)


def settled(structure):
    return {name: steady(name, value) for name, value in structure.items()}


def steady(name, value):
    if isinstance(value, list):
        return [steady(name, member) for member in value]
    if not isinstance(value, str):
        return value
    if name in OPAQUE:
        return "OPAQUE"
    for pattern, stands_for in CHANGING:
        value = re.sub(pattern, stands_for, value)
    return value


def differences(ours, theirs, path=""):
    """Where two answers differ: path, ours, theirs. Lists that hold the same in another order do not."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if ("Refused" in ours) != ("Refused" in theirs):
            yield path or ".", outcome(ours), outcome(theirs)
            return
        for name in sorted(ours.keys() | theirs.keys()):
            at = f"{path}.{name}"
            if name not in theirs:
                yield at, shown(ours[name]), "(nothing)"
            elif name not in ours:
                yield at, "(nothing)", shown(theirs[name])
            else:
                yield from differences(ours[name], theirs[name], at)
    elif isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            yield f"{path}[]", f"{len(ours)} of them", f"{len(theirs)} of them"
            return
        found = {}
        for mine, other in zip(in_order(ours), in_order(theirs)):
            found.update({at: (at, a, b) for at, a, b in differences(mine, other, f"{path}[]")})
        yield from found.values()
    elif ours != theirs:
        yield path, shown(ours), shown(theirs)


def outcome(answer):
    return f"refused: {answer['Refused']}" if "Refused" in answer else "answered"


def shown(value):
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) < 100 else text[:97] + "..."


def in_order(members):
    return sorted(members, key=lambda member: json.dumps(member, sort_keys=True))


def answers_of(endpoint):
    assert endpoint.startswith("http://127."), endpoint
    ask = Ask(endpoint)
    for part in (identity, compute, databases, storage, metrics):
        part.run(ask)
    return ask.answers


def found_between(localcloud, moto):
    ours, theirs = answers_of(localcloud), answers_of(moto)
    assert ours.keys() == theirs.keys(), ours.keys() ^ theirs.keys()
    for what, (operation, answer) in ours.items():
        for path, mine, other in differences(answer, theirs[what][1]):
            yield {"call": what, "operation": operation, "path": path, "localcloud": mine, "moto": other}
    print(f"{len(ours)} calls")


def covers(entry, found):
    called = any(fnmatch.fnmatchcase(found["call"], call) for call in entry["calls"])
    # Brackets stand for the members of a list, and for nothing else.
    paths = [path.replace("[]", "[[]]") for path in entry["paths"]]
    return called and any(fnmatch.fnmatchcase(found["path"], path) for path in paths)


def compare(localcloud):
    begun = time.monotonic()
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    found = list(found_between(localcloud, f"http://{host}:{port}"))
    unlisted = [one for one in found if not any(covers(entry, one) for entry in LISTED)]
    gone = [entry["what"] for entry in LISTED if not any(covers(entry, one) for one in found)]
    for one in unlisted:
        print("not listed: {call} {path}: localcloud {localcloud}, moto {moto}".format(**one))
    for what in gone:
        print(f"listed, and not found: {what}")
    print(f"{len(found)} differences, {time.monotonic() - begun:.1f} s")
    sys.exit(1 if unlisted or gone else 0)


# The parts of the table, and who is right in them.
PARTS = {
    "localcloud": "localcloud answers as AWS:",
    "moto": "moto answers as AWS, localcloud does not:",
    "either": "AWS may answer either way, or its pages do not say:",
}


def table():
    for right, heading in PARTS.items():
        print(f"{heading}\n\n| call | localcloud | moto | AWS says |\n|---|---|---|---|")
        for entry in LISTED:
            if entry["right"] == right:
                print("| {what} | {localcloud} | {moto} | {page} |".format(**entry))
        print()


if __name__ == "__main__":
    table() if sys.argv[1] == "--table" else compare(sys.argv[1])
