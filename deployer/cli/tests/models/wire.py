"""From bytes on the wire to values of a model's shapes. What cannot be read stays what it is, a text, and
so is no value of its shape; what the model does not know keeps the name it has on the wire.
"""

import base64
import binascii
import re
import urllib.parse

from botocore.parsers import RpcV2CBORParser
from botocore.utils import parse_timestamp

WHOLE = re.compile(r"-?\d+")


def scalar(shape, text):
    """A text as the value that it stands for."""
    kind = shape.type_name
    try:
        if kind == "boolean":
            return {"true": True, "false": False}.get(text, text)
        if kind in ("integer", "long"):
            return int(text) if WHOLE.fullmatch(text) else text
        if kind in ("float", "double"):
            return float(text)
        if kind == "timestamp":
            return parse_timestamp(text)
        if kind == "blob":
            return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return text
    return text


def cbor(body):
    parser = RpcV2CBORParser()
    return parser.parse_data_item(parser.get_peekable_stream_from_bytes(body)) if body else {}


# The Query protocols: `Filter.1.Value.2=x`.


def form(body):
    """A form as a tree: each part of a name is a level; a text where a name ends."""
    tree = {}
    for name, value in urllib.parse.parse_qsl(body.decode(), keep_blank_values=True):
        node = tree
        *above, last = name.split(".")
        for part in above:
            node = node.setdefault(part, {})
            if isinstance(node, str):
                raise ValueError(f"{name} is below a name that has a value")
        if last in node:
            raise ValueError(f"{name} is given twice")
        node[last] = value
    return tree


class Query:
    """https://smithy.io/2.0/aws/protocols/aws-query-protocol.html"""

    def name(self, member, shape):
        return shape.serialization.get("name", member)

    def items(self, shape, tree):
        if shape.serialization.get("flattened"):
            return tree
        return tree.pop(shape.member.serialization.get("name", "member"), {})

    def value(self, shape, tree):
        kind = shape.type_name
        if kind == "structure":
            return self.structure(shape, tree)
        if kind == "list":
            items = dict(tree) if isinstance(tree, dict) else {}
            read = self.items(shape, items)
            values = [self.value(shape.member, read[number]) for number in sorted(read, key=place)]
            # Beside the list there is nothing.
            return values if read is items or not items else tree
        if kind == "map":
            entries = tree if shape.serialization.get("flattened") else tree["entry"]
            key, value = (s.serialization.get("name", n) for s, n in ((shape.key, "key"), (shape.value, "value")))
            return {entry[key]: self.value(shape.value, entry[value]) for entry in entries.values()}
        return scalar(shape, tree) if isinstance(tree, str) else tree

    def structure(self, shape, tree):
        if not isinstance(tree, dict):
            return {"(text)": tree}
        names = {self.name(member, of): member for member, of in shape.members.items()}
        read = {}
        for name, below in tree.items():
            member = names.get(name)
            read[member or name] = self.value(shape.members[member], below) if member else below
        return read


class Ec2(Query):
    """https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html"""

    def name(self, member, shape):
        if "queryName" in shape.serialization:
            return shape.serialization["queryName"]
        name = shape.serialization.get("name", member)
        return name[0].upper() + name[1:]

    def items(self, shape, tree):
        return tree


def place(number):
    return int(number) if number.isdigit() else -1


# XML.


def local(tag):
    return tag.rpartition("}")[2]


def xml(shape, node):
    kind = shape.type_name
    if kind == "structure":
        return xml_structure(shape, node)
    if kind == "list":
        wrapped = shape.member.serialization.get("name", "member")
        return [xml(shape.member, child) if local(child.tag) == wrapped else local(child.tag) for child in node]
    if kind == "map":
        pairs = [{local(part.tag): part for part in entry} for entry in node]
        key, value = (s.serialization.get("name", n) for s, n in ((shape.key, "key"), (shape.value, "value")))
        return {pair[key].text: xml(shape.value, pair[value]) for pair in pairs}
    return scalar(shape, node.text or "")


def xml_structure(shape, node):
    names, read = {}, {}
    for member, of in shape.members.items():
        if of.serialization.get("xmlAttribute"):
            name = of.serialization["name"].rpartition(":")[2]
            read.update({member: value for key, value in node.attrib.items() if local(key) == name})
        elif "location" not in of.serialization:
            names[xml_name(member, of)] = member
    for child in node:
        name = local(child.tag)
        member = names.get(name)
        if not member:
            read[name] = child.text
        elif is_flat(shape.members[member]):
            read.setdefault(member, []).append(xml(shape.members[member].member, child))
        else:
            read[member] = xml(shape.members[member], child)
    return read


def xml_name(member, shape):
    if is_flat(shape) and "name" in shape.member.serialization:
        return shape.member.serialization["name"]
    return shape.serialization.get("name", member)


def is_flat(shape):
    return shape.type_name == "list" and shape.serialization.get("flattened")
