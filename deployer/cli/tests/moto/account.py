"""Lists an account as boto3 sees it: JSON, from each kind of thing to the names of what is there. What
AWS gives to every account is under "given".
"""

import json
import os

import boto3

# Without an address boto3 would ask AWS.
assert os.environ["AWS_ENDPOINT_URL"].startswith("http://127.")


def pages(service, operation, path, **arguments):
    paginator = boto3.client(service).get_paginator(operation)
    return [name for name in paginator.paginate(**arguments).search(path) if name]


def made():
    states = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
    account = boto3.client("sts").get_caller_identity()["Account"]
    # moto lists everybody's, whoever is asked for.
    snapshots = f"Snapshots[?OwnerId == '{account}'].SnapshotId"
    listed = {
        "instances": pages("ec2", "describe_instances", "Reservations[].Instances[].InstanceId", Filters=states),
        "volumes": pages("ec2", "describe_volumes", "Volumes[].VolumeId"),
        "snapshots": pages("ec2", "describe_snapshots", snapshots, OwnerIds=["self"]),
        "images": pages("ec2", "describe_images", "Images[].ImageId", Owners=["self"]),
        "network interfaces": pages(
            "ec2", "describe_network_interfaces", "NetworkInterfaces[].NetworkInterfaceId"
        ),
        "security groups": pages(
            "ec2", "describe_security_groups", "SecurityGroups[?GroupName != 'default'].GroupId"
        ),
        "launch templates": pages(
            "ec2", "describe_launch_templates", "LaunchTemplates[].LaunchTemplateId"
        ),
        "databases": pages("rds", "describe_db_instances", "DBInstances[].DBInstanceIdentifier"),
        "database snapshots": pages("rds", "describe_db_snapshots", "DBSnapshots[].DBSnapshotIdentifier"),
        "database subnet groups": pages(
            "rds", "describe_db_subnet_groups", "DBSubnetGroups[].DBSubnetGroupName"
        ),
        "database parameter groups": pages("rds", "describe_db_parameter_groups", parameter_groups(given=False)),
        "roles": pages("iam", "list_roles", "Roles[].RoleName"),
        "instance profiles": pages(
            "iam", "list_instance_profiles", "InstanceProfiles[].InstanceProfileName"
        ),
        "policies": pages("iam", "list_policies", "Policies[].PolicyName", Scope="Local"),
        "log groups": pages("logs", "describe_log_groups", "logGroups[].logGroupName"),
    }
    ec2 = boto3.client("ec2")
    listed["addresses"] = [a["PublicIp"] for a in ec2.describe_addresses()["Addresses"]]
    listed["key pairs"] = [k["KeyName"] for k in ec2.describe_key_pairs()["KeyPairs"]]
    listed["buckets"] = [b["Name"] for b in boto3.client("s3").list_buckets()["Buckets"]]
    return listed


def parameter_groups(given):
    """RDS makes `default.postgres17` and its like by itself, with the first database of a version."""
    is_given = "starts_with(DBParameterGroupName, 'default.')"
    return f"DBParameterGroups[?{is_given if given else '!' + is_given}].DBParameterGroupName"


def given():
    default = "SecurityGroups[?GroupName == 'default'].GroupId"
    return {
        "networks": pages("ec2", "describe_vpcs", "Vpcs[?IsDefault].VpcId"),
        "subnets": pages("ec2", "describe_subnets", "Subnets[?DefaultForAz].SubnetId"),
        "security groups": pages("ec2", "describe_security_groups", default),
        "database parameter groups": pages("rds", "describe_db_parameter_groups", parameter_groups(given=True)),
    }


def tags():
    """Of what was made: which of the kinds that carry tags lack ours."""
    tagged = {
        "instances": pages("ec2", "describe_instances", "Reservations[].Instances[].Tags[].Key"),
        "snapshots": pages("ec2", "describe_snapshots", "Snapshots[].Tags[].Key", OwnerIds=["self"]),
        "images": pages("ec2", "describe_images", "Images[].Tags[].Key", Owners=["self"]),
        "security groups": pages("ec2", "describe_security_groups", "SecurityGroups[].Tags[].Key"),
        "databases": pages("rds", "describe_db_instances", "DBInstances[].TagList[].Key"),
    }
    return sorted(kind for kind, keys in tagged.items() if "bivouac:deployment" not in keys)


print(json.dumps({"made": made(), "given": given(), "without tags": tags()}))
