"""Holds what localcloud has written down against botocore's models: every request against what AWS takes,
every answer against what AWS gives. Prints what is wrong, once each, and how many calls there were; ends
with 1 if anything is wrong. Usage: check.py RECORD...
"""

import collections
import sys

import answers
import record
import shapes
from botocore.validate import ParamValidator


def problems_of(call):
    """What is wrong with a request, and with its answer."""
    operation, shape = call.operation, call.operation.input_shape
    version = (call.form or {}).get("Version", operation.service_model.api_version)
    if version != operation.service_model.api_version:
        yield "request", f"the version is {version}"
    try:
        asked = call.parameters()
    except record.Unknown as error:
        yield "request", str(error)
        return
    if shape is None:
        yield from (("request", f".{name}: not in the model") for name in asked)
    else:
        yield from (("request", text) for text in shapes.problems(shape, asked))
        report = ParamValidator().validate(asked, shape)
        if report.has_errors():
            yield "request", report.generate_report().replace("\n", "; ")
    yield from (("answer", text) for text in answers.problems(call))


def main(paths):
    counts, wrong = collections.Counter(), collections.Counter()
    for path in paths:
        for call, trouble in record.calls(path):
            if trouble:
                wrong[trouble] += 1
                continue
            name = f"{call.service} {call.operation.name}"
            counts[name] += 1
            # A request that is refused may be wrong; that is for the answer to say.
            wrong.update(f"{name} {what}: {text}" for what, text in problems_of(call))
    for name, count in sorted(counts.items()):
        print(f"{count:6} {name}")
    for text, count in sorted(wrong.items()):
        print(f"WRONG, {count} times: {text}", file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
