"""Whether a value is as a shape of botocore's models says: what is required, what is not known, types,
lengths, ranges, patterns, enumerations. botocore itself checks only the first half of that, and only
what boto3 sends.
"""

import datetime
import decimal

# The models' patterns use classes of Unicode, which `re` does not know.
import regex

TYPES = {
    "string": str,
    "character": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (float, int, decimal.Decimal),
    "double": (float, int, decimal.Decimal),
    "timestamp": datetime.datetime,
    "blob": bytes,
}
COUNTED = ("string", "blob", "list", "map")
NUMBERS = ("integer", "long", "float", "double")


def problems(shape, value, path=""):
    """What is wrong with a value, a line each."""
    kind = shape.type_name
    if kind == "structure":
        yield from structure(shape, value, path)
    elif kind == "list":
        yield from bounds(shape, len(value), path)
        for number, member in enumerate(value, 1):
            yield from problems(shape.member, member, f"{path}[{number}]")
    elif kind == "map":
        yield from bounds(shape, len(value), path)
        for key, member in value.items():
            yield from problems(shape.key, key, f"{path} key")
            yield from problems(shape.value, member, f"{path}[{key}]")
    else:
        yield from scalar(shape, value, path)


def structure(shape, value, path):
    for name in shape.required_members:
        if name not in value:
            yield f"{path}.{name}: required, and not there"
    for name, member in value.items():
        if name not in shape.members:
            yield f"{path}.{name}: not in the model"
        else:
            yield from problems(shape.members[name], member, f"{path}.{name}")
    if shape.is_tagged_union and len(value) != 1:
        yield f"{path}: one member of {sorted(shape.members)}, not {sorted(value)}"


def scalar(shape, value, path):
    kind = shape.type_name
    is_number_for_flag = isinstance(value, bool) and kind != "boolean"
    if not isinstance(value, TYPES[kind]) or is_number_for_flag:
        yield f"{path}: {value!r} is no {kind}"
        return
    if kind in NUMBERS:
        yield from bounds(shape, value, path)
    elif kind in COUNTED:
        yield from bounds(shape, len(value), path)
    if kind == "string":
        pattern = shape.metadata.get("pattern")
        if pattern and not regex.fullmatch(pattern, value):
            yield f"{path}: {value!r} does not match {pattern}"
        if shape.enum and value not in shape.enum:
            yield f"{path}: {value!r} is none of {', '.join(shape.enum)}"


def bounds(shape, size, path):
    """`min` and `max` are of a number's value, and of the length of everything else."""
    what = "is" if shape.type_name in NUMBERS else "has the length"
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield f"{path}: {what} {size}, least is {least}"
    if most is not None and size > most:
        yield f"{path}: {what} {size}, most is {most}"
