"""Clients that write down which calls were answered, for the table in docs/localcloud.md."""

import os
import re
import subprocess

import boto3
from botocore.exceptions import ClientError

CALLS = os.environ["BIVOUAC_TEST_CALLS"]


def client(service, **settings):
    made = boto3.client(service, **settings)
    made.meta.events.register("after-call", _answered)
    return made


def refusal(call, **arguments):
    """The code and the HTTP status of the error that a call is answered with, and its message."""
    try:
        call(**arguments)
    except ClientError as error:
        said = error.response["Error"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return said["Code"], status, said.get("Message", "")
    raise AssertionError("the call was not refused")


def aws(*arguments, service=None, code=0):
    """What the AWS command line prints. It says with --debug which calls it makes."""
    run = subprocess.run(
        [os.environ["BIVOUAC_TEST_AWS"], *arguments, "--debug"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == code, (arguments, run.returncode, run.stdout, run.stderr[-3000:])
    if code == 0:
        for operation in re.findall(r"Making request for OperationModel\(name=(\w+)\)", run.stderr):
            _note(service or arguments[0], operation)
    return run.stdout


def _answered(http_response, model, **_):
    if http_response.status_code < 300:
        _note(model.service_model.endpoint_prefix, model.name)


def _note(service, operation):
    with open(CALLS, "a", encoding="ascii") as calls:
        calls.write(f"{service} {operation}\n")
