"""What localcloud has written down, and which operation of which of botocore's models each line is."""

import base64
import functools
import gzip
import json
import re
import urllib.parse
import xml.etree.ElementTree

import botocore.session
import wire

# Where signatures call a service otherwise than the models do.
MODELS = {"monitoring": "cloudwatch"}
SMITHY = re.compile(r"/service/[^/]+/operation/([A-Za-z0-9]+)")

SESSION = botocore.session.get_session()


class Unknown(Exception):
    """What is asked for is not in the models, or cannot be read."""


@functools.cache
def model(service):
    try:
        return SESSION.get_service_model(MODELS.get(service, service))
    except botocore.exceptions.UnknownServiceError as error:
        raise Unknown(f"no service {service}") from error


def operation_named(service, name):
    if name not in model(service).operation_names:
        raise Unknown(f"{service} has no operation {name}")
    return model(service).operation_model(name)


class Call:
    """A request and its answer."""

    def __init__(self, line):
        self.line = line
        self.service = line["service"]
        self.headers = line["headers"]
        self.answer = line["answer"]
        self.body = unpacked(line["body"], self.headers)
        self.form = None
        self.operation = self.find_operation()
        self.protocol = self.find_protocol()

    def find_operation(self):
        if self.service == "s3":
            return s3_operation(self)
        smithy = SMITHY.fullmatch(self.line["path"])
        if smithy:
            return operation_named(self.service, smithy[1])
        if "x-amz-target" in self.headers:
            return operation_named(self.service, self.headers["x-amz-target"].rpartition(".")[2])
        self.form = read_form(self.body)
        return operation_named(self.service, self.form.get("Action", "(none)"))

    def find_protocol(self):
        if self.service == "s3":
            return "rest-xml"
        if "smithy-protocol" in self.headers:
            return self.headers["smithy-protocol"]
        if self.form is None:
            return "json"
        return "ec2" if self.service == "ec2" else "query"

    def parameters(self):
        """What is asked, as values of the operation's input."""
        shape = self.operation.input_shape
        if self.protocol == "rest-xml":
            return s3_parameters(self)
        if self.protocol == "rpc-v2-cbor":
            return wire.cbor(self.body)
        if self.protocol == "json":
            return json.loads(self.body or b"{}")
        tree = {name: below for name, below in self.form.items() if name not in ("Action", "Version")}
        if shape is None:
            return tree
        reader = wire.Ec2() if self.protocol == "ec2" else wire.Query()
        return reader.structure(shape, tree)

    def answer_body(self):
        return unpacked(self.answer["body"], self.answer["headers"])


def unpacked(body, headers):
    body = base64.b64decode(body or "")
    return gzip.decompress(body) if headers.get("content-encoding") == "gzip" and body else body


def read_form(body):
    try:
        return wire.form(body)
    except ValueError as error:
        raise Unknown(str(error)) from error


def calls(path):
    """The calls of a record, and what is wrong with lines that are none."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            line = json.loads(line)
            try:
                yield Call(line), None
            except Unknown as error:
                yield None, f"{line['method']} {line['path']}: {error}"


# S3 says in method, path, query and headers what is asked for.

# What signing and sending adds.
TRANSPORT = re.compile(
    "x-amz-(date|content-sha256|security-token|decoded-content-length|trailer|user-agent|request-id|id-2)"
)
PRESIGNED = re.compile("X-Amz-(Algorithm|Credential|Date|Expires|SignedHeaders|Signature|Security-Token)")


def query_of(call):
    return dict(urllib.parse.parse_qsl(call.line["query"], keep_blank_values=True))


def path_of(call):
    """Bucket and key."""
    bucket, _, key = call.line["path"].lstrip("/").partition("/")
    return urllib.parse.unquote(bucket), urllib.parse.unquote(key)


def literals(operation):
    return dict(urllib.parse.parse_qsl(operation.http["requestUri"].partition("?")[2], keep_blank_values=True))


def s3_operation(call):
    """The operation that fits, and says most of the request."""
    query, (bucket, key) = query_of(call), path_of(call)
    best, best_rank = None, -1
    for name in model("s3").operation_names:
        operation = model("s3").operation_model(name)
        path = operation.http["requestUri"].partition("?")[0]
        if operation.http["method"] != call.line["method"]:
            continue
        if ("{Bucket}" in path) != bool(bucket) or ("{Key+}" in path) != bool(key):
            continue
        if query.get("x-id", name) != name:
            continue
        needed = literals(operation)
        if any(query.get(key) != value for key, value in needed.items() if key != "x-id"):
            continue
        required = required_outside_the_body(operation)
        if not all(kind in query or kind in call.headers for kind in required):
            continue
        rank = len(needed) + len(required)
        if rank > best_rank:
            best, best_rank = operation, rank
    if best is None:
        raise Unknown(f"no operation of S3 with {sorted(query)}")
    return best


def required_outside_the_body(operation):
    shape = operation.input_shape
    if shape is None:
        return []
    places = (shape.members[name].serialization for name in shape.required_members)
    return [place["name"].lower() if place["location"] == "header" else place["name"]
            for place in places if place.get("location") in ("header", "querystring")]


def s3_parameters(call):
    shape = call.operation.input_shape
    query, (bucket, key) = query_of(call), path_of(call)
    headers = {name: value for name, value in call.headers.items() if name.startswith("x-amz-")}
    headers = {name: value for name, value in headers.items() if not TRANSPORT.fullmatch(name)}
    query = {name: value for name, value in query.items() if not PRESIGNED.fullmatch(name)}
    query.pop("x-id", None)
    for name in literals(call.operation):
        query.pop(name, None)
    read = {}
    for member, of in (shape.members if shape else {}).items():
        location, name = of.serialization.get("location"), of.serialization.get("name", member)
        if location == "uri":
            read[member] = key if name == "Key" else bucket
        elif location == "querystring" and name in query:
            read[member] = wire.scalar(of, query.pop(name))
        elif location == "header" and name.lower() in headers:
            read[member] = wire.scalar(of, headers.pop(name.lower()))
        elif location == "headers":
            found = [header for header in headers if header.startswith(name.lower())]
            read.update({member: {header[len(name):]: headers.pop(header) for header in found}} if found else {})
    if call.operation.http_checksum:
        # Sent with any body of such an operation, whether its input has it or not.
        headers = {name: value for name, value in headers.items() if not name.startswith("x-amz-checksum-")}
    read.update(payload(call, shape))
    # What is left over is not in the model.
    return read | query | headers


def payload(call, shape):
    member = shape.serialization.get("payload") if shape else None
    if not member or not call.body or shape.members[member].type_name != "structure":
        return {}
    try:
        root = xml.etree.ElementTree.fromstring(call.body)
    except xml.etree.ElementTree.ParseError as error:
        raise Unknown(f"the body is no XML: {error}") from error
    return {member: wire.xml(shape.members[member], root)}
