"""What is wrong with an answer: what boto3 would pass over, because the model does not know it, and what it
would read as something else.
"""

import json
import xml.etree.ElementTree

import shapes
import wire

# Every answer of these protocols has them beside what the operation answers.
FRAME = {"requestId", "ResponseMetadata"}
# EC2 answers it in the examples of its reference, whether the model has it or not.
DONE = "return"
# In the answers of S3, beside what the model has.
S3_HEADERS = {"x-amz-request-id", "x-amz-id-2", "x-amz-date"}


def problems(call):
    if call.answer["status"] >= 300:
        return
    shape = call.operation.output_shape
    body = call.answer_body()
    if call.protocol in ("rpc-v2-cbor", "json"):
        read = wire.cbor(body) if call.protocol == "rpc-v2-cbor" else json.loads(body or b"{}")
        yield from checked(shape, read)
    elif call.protocol == "rest-xml":
        yield from s3(call, shape, body)
    else:
        yield from query(call, shape, xml.etree.ElementTree.fromstring(body))


def checked(shape, read):
    if shape is None:
        yield from (f".{name}: not in the model" for name in read)
    else:
        yield from shapes.problems(shape, read)


def query(call, shape, root):
    name = f"{call.operation.name}Response"
    if wire.local(root.tag) != name:
        yield f"the root is {wire.local(root.tag)}, not {name}"
    wrapper = shape.serialization.get("resultWrapper") if shape else None
    if call.protocol == "query" and wrapper:
        inner = [child for child in root if wire.local(child.tag) == wrapper]
        others = {wire.local(child.tag) for child in root} - FRAME - {wrapper}
        yield from (f".{other}: beside the result" for other in others)
        yield from checked(shape, wire.xml(shape, inner[0]) if inner else {})
        return
    passed_over = FRAME if shape and DONE in names(shape) else FRAME | {DONE}
    for child in [child for child in root if wire.local(child.tag) in passed_over]:
        root.remove(child)
    if call.protocol == "query":
        # An empty result without members in the model.
        root[:] = [child for child in root if len(child) or (child.text or "").strip()]
    yield from checked(shape, wire.xml(shape, root) if shape else {wire.local(c.tag): c.text for c in root})


def names(shape):
    return {wire.xml_name(member, of) for member, of in shape.members.items()}


def s3(call, shape, body):
    read, payload = {}, shape.serialization.get("payload") if shape else None
    if body and payload and shape.members[payload].type_name == "structure":
        read[payload] = wire.xml(shape.members[payload], xml.etree.ElementTree.fromstring(body))
    elif body and shape and not payload:
        read = wire.xml(shape, xml.etree.ElementTree.fromstring(body))
    headers = {name: value for name, value in call.answer["headers"].items() if name.startswith("x-amz-")}
    for member, of in (shape.members if shape else {}).items():
        location, name = of.serialization.get("location"), of.serialization.get("name", member)
        if location == "header" and name.lower() in headers:
            read[member] = wire.scalar(of, headers.pop(name.lower()))
        elif location == "headers":
            found = [header for header in headers if header.startswith(name.lower())]
            for header in found:
                headers.pop(header)
        elif member == payload and member not in read and of.type_name == "blob":
            read[member] = b""
    read.update({name: value for name, value in headers.items() if name not in S3_HEADERS})
    yield from checked(shape, read)
