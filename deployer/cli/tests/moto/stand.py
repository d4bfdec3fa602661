"""moto's server, and the little beside it that `deploy` needs of an account and moto does not have:

- machines: nothing runs on moto's instances, so a builder is stopped and its ok object written for
  it, and a manager's first nodes are launched and its status written for it. The addresses that moto
  makes up lead nowhere; instances get one of this machine, where somebody answers "ready".
- tags: those of CreateBucket, which moto drops, and those of CreateImage's snapshots, which it does
  not know, are set afterwards.
- volumes: a launch that names no size gets that of the image's snapshot, which moto wants told.
- CloudWatch speaks CBOR with the SDK for Rust, as moto does not: its calls go to localcloud.
- `deploy` looks for a cloud on this machine at /_localcloud and asks /checkip for its own address.

Everything else is moto's answer as it is. Usage: stand.py CLOUDWATCH, the address of a localcloud. Once
it serves, it prints its own.
"""

import base64
import hashlib
import http.client
import io
import json
import os
import re
import socket
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

# Of a range for documentation (RFC 5737): where `my-ip` lets people in from.
MY_ADDRESS = b"203.0.113.7\n"
TEXT = [("content-type", "text/plain")]


class Stand:
    """A WSGI application around moto's."""

    def __init__(self, cloudwatch):
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.manager = Manager()
        self.cloudwatch = urllib.parse.urlsplit(cloudwatch)

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        status, headers, answer = self.answer(environ, body)
        start_response(status, headers)
        return [answer]

    def answer(self, environ, body):
        path = environ["PATH_INFO"]
        if path == "/checkip":
            return "200 OK", TEXT, MY_ADDRESS
        if path == "/_localcloud/health":
            return "200 OK", TEXT, json.dumps({"pid": os.getpid()}).encode()
        if path == "/_localcloud/shutdown":
            # The account is still to be looked at.
            return "409 Conflict", TEXT, b""
        service = service_of(environ)
        if service == "monitoring":
            return self.ask_localcloud(environ, body)
        if service == "ec2":
            return self.ec2(environ, body)
        answer = self.ask_moto(environ, body)
        if environ["REQUEST_METHOD"] == "PUT" and answer[0].startswith("200"):
            self.manager.after_put(path, body)
        return answer

    def ec2(self, environ, body):
        parameters = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
        action = parameters.get("Action")
        if action == "CreateImage":
            tags = take_specification(parameters, "snapshot")
            status, headers, answer = self.ask_moto(environ, encoded(parameters))
            image = re.search(rb"<imageId>([^<]+)", answer)
            if image:
                self.manager.tag_snapshots(image[1].decode(), tags)
            return status, headers, answer
        if action == "RunInstances":
            give_sizes(parameters)
        status, headers, answer = self.ask_moto(environ, encoded(parameters))
        if action == "RunInstances" and status.startswith("200"):
            self.manager.after_launch(answer.decode(), parameters.get("UserData", ""))
        if action in ("RunInstances", "DescribeInstances"):
            address = f"<ipAddress>{self.manager.door}</ipAddress>"
            answer = re.sub(rb"<ipAddress>[^<]*</ipAddress>", address.encode(), answer)
            headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        return status, headers, answer

    def ask_moto(self, environ, body):
        answered = {}

        def start_response(status, headers, _=None):
            answered.update(status=status, headers=headers)

        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        answer = b"".join(self.moto(environ, start_response))
        return answered["status"], answered["headers"], answer

    def ask_localcloud(self, environ, body):
        headers = {
            name[5:].replace("_", "-"): value
            for name, value in environ.items()
            if name.startswith("HTTP_") and name != "HTTP_CONNECTION"
        }
        headers["content-type"] = environ.get("CONTENT_TYPE", "")
        connection = http.client.HTTPConnection(self.cloudwatch.netloc, timeout=30)
        connection.request(environ["REQUEST_METHOD"], environ["PATH_INFO"], body, headers)
        answer = connection.getresponse()
        headers = [(n, v) for n, v in answer.getheaders() if n.lower() != "transfer-encoding"]
        return f"{answer.status} {answer.reason}", headers, answer.read()


class Manager:
    """What machines would do, if there were any."""

    def __init__(self):
        self.claim, self.door = claim_address()
        self.doors = {}
        self.endpoint = None

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="stand",
            aws_secret_access_key="stand",
        )

    def after_launch(self, answer, user_data):
        """A builder is done at once: it puts the ok object where its script says, and is stopped."""
        script = base64.b64decode(user_data).decode()
        if '"resource":"builder/' not in script:
            return
        instance = re.search("<instanceId>([^<]+)", answer)[1]
        ok = urllib.parse.urlsplit(re.search(r"fetch '?(http\S+?)'? --upload-file", script)[1])
        connection = http.client.HTTPConnection(ok.netloc, timeout=30)
        connection.request("PUT", f"{ok.path}?{ok.query}", b"{}")
        assert connection.getresponse().status == 200, "moto refuses the ok object"
        self.client("ec2").stop_instances(InstanceIds=[instance])

    def after_put(self, path, body):
        bucket, _, key = urllib.parse.unquote(path).lstrip("/").partition("/")
        if not key and b"<Tags>" in body:
            pairs = re.findall(r"<Tag>\s*<Key>(.*?)</Key>\s*<Value>(.*?)</Value>", body.decode())
            tags = [{"Key": key, "Value": value} for key, value in pairs]
            self.client("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
        instance = re.fullmatch(r"settings/instance/([^/]+)\.json", key)
        if instance:
            self.manage(bucket, instance[1])

    def tag_snapshots(self, image, tags):
        ec2 = self.client("ec2")
        (image,) = ec2.describe_images(ImageIds=[image])["Images"]
        snapshots = [mapping["Ebs"]["SnapshotId"] for mapping in image["BlockDeviceMappings"]]
        ec2.create_tags(Resources=snapshots, Tags=tags)

    def manage(self, bucket, name):
        """The services of an instance answer, its pool has its first nodes, and it says so."""
        s3 = self.client("s3")

        def read(key):
            return s3.get_object(Bucket=bucket, Key=key)["Body"].read()

        text = read(f"settings/instance/{name}.json")
        settings = json.loads(text)
        for service in settings["services"]:
            if "port" in settings.get(service, {}):
                self.open_door(settings[service]["port"])
        if "manager" not in settings["services"]:
            return
        pool = settings["pool"]
        wanted = read(f"settings/instance/{name}/{pool['name']}.json")
        count = self.launch_nodes(pool, json.loads(wanted))
        status = {
            "ready": True,
            "wanted": count,
            "nodes": count,
            "settings": hashlib.sha256(text).hexdigest(),
            "blueprint": hashlib.sha256(wanted).hexdigest(),
            "instance": self.instances({"bivouac:resource": f"instance/{name}"})[0],
        }
        s3.put_object(Bucket=bucket, Key=f"status/{name}.json", Body=json.dumps(status))

    def launch_nodes(self, pool, wanted):
        """As many as at the first start, if there are none."""
        there = self.instances(pool["tags"])
        if there:
            return len(there)
        count = wanted["size"]["start"]
        tags = [{"Key": key, "Value": value} for key, value in pool["tags"].items()]
        kinds = ("instance", "volume", "network-interface")
        interface = {
            "DeviceIndex": 0,
            "SubnetId": wanted["subnets"][0]["id"],
            "Groups": wanted["security-groups"],
            "AssociatePublicIpAddress": True,
            "DeleteOnTermination": True,
        }
        self.client("ec2").run_instances(
            ImageId=wanted["image"],
            InstanceType=wanted["type"],
            NetworkInterfaces=[interface],
            MinCount=count,
            MaxCount=count,
            IamInstanceProfile={"Name": wanted["instance-profile"]},
            TagSpecifications=[{"ResourceType": kind, "Tags": tags} for kind in kinds],
        )
        return count

    def instances(self, tags):
        filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
        filters.append({"Name": "instance-state-name", "Values": ["pending", "running"]})
        pages = self.client("ec2").get_paginator("describe_instances").paginate(Filters=filters)
        found = pages.search("Reservations[].Instances[].InstanceId")
        return list(found)

    def open_door(self, port):
        if port not in self.doors:
            self.doors[port] = ThreadingHTTPServer((self.door, port), Ready)
            threading.Thread(target=self.doors[port].serve_forever, daemon=True).start()


class Ready(BaseHTTPRequestHandler):
    """Says that a service is ready."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


class Quiet(MotoRequestHandler):
    def log_request(self, *_):
        pass


def service_of(environ):
    """The service in a signature of version 4."""
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    return scope[1] if scope else None


def encoded(parameters):
    return urllib.parse.urlencode(parameters).encode()


def give_sizes(parameters):
    disks = [name for name in parameters if re.match(r"BlockDeviceMapping\.\d+\.Ebs\.", name)]
    for disk in {name.rpartition(".")[0] for name in disks}:
        parameters.setdefault(f"{disk}.VolumeSize", "15")


def take_specification(parameters, kind):
    """Takes the tags for one kind of resource out of a call's parameters."""
    number = next(
        (
            name.split(".")[1]
            for name, value in parameters.items()
            if re.fullmatch(r"TagSpecification\.\d+\.ResourceType", name) and value == kind
        ),
        None,
    )
    prefix = f"TagSpecification.{number}."
    taken = {name: parameters.pop(name) for name in list(parameters) if name.startswith(prefix)}
    keys = [name for name in taken if name.endswith(".Key")]
    return [{"Key": taken[key], "Value": taken[key[:-3] + "Value"]} for key in keys]


def claim_address():
    """An address of this machine that no other stand has, and the socket that says so."""
    for number in range(256):
        address = f"127.79.{number}.1"
        try:
            return socket.create_server((address, 4766)), address
        except OSError:
            continue
    raise OSError("each of 127.79.N.1 is taken")


def main():
    stand = Stand(sys.argv[1])
    server = make_server("127.0.0.1", 0, stand, threaded=True, request_handler=Quiet)
    stand.manager.endpoint = f"http://127.0.0.1:{server.server_port}"
    print(stand.manager.endpoint, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
