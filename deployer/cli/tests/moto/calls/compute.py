"""EC2."""

import base64

TAG = {"Key": "bivouac:deployment", "Value": "calls"}
MINE = [{"Name": "tag:bivouac:deployment", "Values": ["calls"]}]


def run(ask):
    ec2 = ask.of("ec2")
    vpc, subnet = network(ec2)
    group, other = groups(ec2, vpc)
    image = base_image(ec2)
    spare = ec2("a spare group", "create_security_group", quiet=True, GroupName="spare", Description="x", VpcId=vpc)
    spare = spare["GroupId"]
    instance = launching(ec2, image, subnet, [group, spare])
    living(ec2, instance, group, spare)
    made = images(ec2, instance)
    ending(ec2, instance, made, group, other)


def network(ec2):
    default = [{"Name": "is-default", "Values": ["true"]}]
    vpc = ec2("the network", "describe_vpcs", Filters=default)["Vpcs"][0]["VpcId"]
    ec2("no network", "describe_vpcs", VpcIds=["vpc-0123456789abcdef0"])
    in_vpc = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "default-for-az", "Values": ["true"]}]
    in_vpc.append({"Name": "availability-zone", "Values": ["us-east-1a"]})
    subnet = ec2("the subnet", "describe_subnets", Filters=in_vpc)["Subnets"][0]["SubnetId"]
    ec2("no subnet", "describe_subnets", SubnetIds=["subnet-0123456789abcdef0"])
    zone = [{"Name": "zone-name", "Values": ["us-east-1a"]}]
    ec2("a zone", "describe_availability_zones", Filters=zone)
    ec2("a region", "describe_regions", RegionNames=["us-east-1"])
    ec2("a type", "describe_instance_types", InstanceTypes=["t3.micro"])
    ec2("no type", "describe_instance_types", InstanceTypes=["t9.none"])
    offered = [{"Name": "instance-type", "Values": ["t3.micro"]}, {"Name": "location", "Values": ["us-east-1a"]}]
    where = {"LocationType": "availability-zone", "Filters": offered}
    ec2("where a type is", "describe_instance_type_offerings", **where)
    ec2("a filter that is not there", "describe_vpcs", Filters=[{"Name": "none", "Values": ["x"]}])
    ec2("key pairs", "describe_key_pairs")
    ec2("launch templates", "describe_launch_templates")
    ec2("addresses", "describe_addresses")
    return vpc, subnet


def groups(ec2, vpc):
    tagged = [{"ResourceType": "security-group", "Tags": [TAG]}]
    named = {"Description": "for nodes", "VpcId": vpc, "TagSpecifications": tagged}
    group = ec2("a group", "create_security_group", GroupName="nodes", **named)["GroupId"]
    ec2("a group twice", "create_security_group", GroupName="nodes", **named)

    def refused(what, name, **changes):
        made = ec2(what, "create_security_group", **named | {"GroupName": name} | changes)
        if "GroupId" in made:
            ec2(what, "delete_security_group", quiet=True, GroupId=made["GroupId"])

    refused("a group called sg-", "sg-1")
    refused("a group of no network", "x", VpcId="vpc-0123456789abcdef0")
    tags_of_another = [{"ResourceType": "instance", "Tags": [TAG]}]
    refused("a group with tags of another kind", "y", TagSpecifications=tags_of_another)
    other = ec2("another group", "create_security_group", GroupName="doors", **named)["GroupId"]

    def rule(port, **source):
        return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}

    anywhere = rule(5000, IpRanges=[{"CidrIp": "203.0.113.7/32", "Description": "me"}])
    from_doors = rule(5003, UserIdGroupPairs=[{"GroupId": other}])
    ec2("a rule", "authorize_security_group_ingress", GroupId=other, IpPermissions=[anywhere])
    ec2("a rule twice", "authorize_security_group_ingress", GroupId=other, IpPermissions=[anywhere])
    ec2("a rule from a group", "authorize_security_group_ingress", GroupId=group, IpPermissions=[from_doors])
    ec2("a rule from no group", "authorize_security_group_ingress", GroupId=group,
        IpPermissions=[rule(1, UserIdGroupPairs=[{"GroupId": "sg-0123456789abcdef0"}])])
    ec2("a rule from no range", "authorize_security_group_ingress", GroupId=group,
        IpPermissions=[rule(1, IpRanges=[{"CidrIp": "300.0.0.0/8"}])])
    too_high = rule(70000, IpRanges=[{"CidrIp": "10.0.0.0/8"}])
    ec2("a rule for a port that is not there", "authorize_security_group_ingress", GroupId=group,
        IpPermissions=[too_high])
    ec2("it goes", "revoke_security_group_ingress", quiet=True, GroupId=group, IpPermissions=[too_high])
    ec2("a rule of no group", "authorize_security_group_ingress", GroupId="sg-0123456789abcdef0",
        IpPermissions=[anywhere])
    ec2("the groups", "describe_security_groups", GroupIds=[group])
    ec2("groups by tag", "describe_security_groups", Filters=MINE)
    ec2("no group", "describe_security_groups", GroupIds=["sg-0123456789abcdef0"])
    ec2("something else than a group", "describe_security_groups", GroupIds=["x"])
    ec2("rules", "describe_security_group_rules", Filters=[{"Name": "group-id", "Values": [other]}])
    named_by_rule = ec2("a third group", "create_security_group", quiet=True, GroupName="third", **named)["GroupId"]
    by_third = rule(5004, UserIdGroupPairs=[{"GroupId": named_by_rule}])
    ec2("a third rule", "authorize_security_group_ingress", quiet=True, GroupId=group, IpPermissions=[by_third])
    ec2("a group that a rule names goes", "delete_security_group", GroupId=named_by_rule)
    ec2("the third rule goes", "revoke_security_group_ingress", quiet=True, GroupId=group, IpPermissions=[by_third])
    ec2("the third group goes", "delete_security_group", quiet=True, GroupId=named_by_rule)
    ec2("a rule goes", "revoke_security_group_ingress", GroupId=other, IpPermissions=[anywhere])
    ec2("a rule goes again", "revoke_security_group_ingress", GroupId=other, IpPermissions=[anywhere])
    return group, other


def base_image(ec2):
    newest = [{"Name": "name", "Values": ["al2023-ami-2023.*-x86_64"]}, {"Name": "state", "Values": ["available"]}]
    images = ec2("a base image", "describe_images", quiet=True, Owners=["137112412989"], Filters=newest)["Images"]
    ec2("no image", "describe_images", ImageIds=["ami-0123456789abcdef0"])
    ec2("something else than an image", "describe_images", ImageIds=["x"])
    return max(images, key=lambda image: image["CreationDate"])["ImageId"]


def launching(ec2, image, subnet, groups):
    kinds = ("instance", "volume", "network-interface")
    interface = {
        "DeviceIndex": 0,
        "SubnetId": subnet,
        "Groups": groups,
        "AssociatePublicIpAddress": True,
        "DeleteOnTermination": True,
    }
    disk = {"VolumeSize": 15, "VolumeType": "gp3", "DeleteOnTermination": True}
    launch = {
        "ImageId": image,
        "InstanceType": "t3.micro",
        "MinCount": 1,
        "MaxCount": 1,
        "NetworkInterfaces": [interface],
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": disk}],
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "InstanceInitiatedShutdownBehavior": "terminate",
        "UserData": "#!/bin/sh\n",
        "ClientToken": "calls-1",
        "TagSpecifications": [{"ResourceType": kind, "Tags": [TAG]} for kind in kinds],
    }

    def refused(what, **changes):
        token = {"ClientToken": what.replace(" ", "-").replace(",", "")[:64]}
        for one in ec2(what, "run_instances", **launch | token | changes).get("Instances", []):
            ec2(what, "terminate_instances", quiet=True, InstanceIds=[one["InstanceId"]])

    ec2("a try of a launch", "run_instances", **launch, DryRun=True)
    refused("a launch of no image", ImageId="ami-0123456789abcdef0")
    refused("a launch of something else than an image", ImageId="x")
    refused("a launch of no type", InstanceType="t9.none")
    refused("a launch with no role", IamInstanceProfile={"Name": "none"})
    refused("a launch of none", MinCount=0, MaxCount=0)
    refused("a launch of at least more than at most", MinCount=2, MaxCount=1)
    refused("a launch into no subnet", NetworkInterfaces=[interface | {"SubnetId": "subnet-0123456789abcdef0"}])
    refused("a launch into no group", NetworkInterfaces=[interface | {"Groups": ["sg-0123456789abcdef0"]}])
    refused("a launch with groups in two places", SecurityGroupIds=groups)
    refused("a launch with 20,000 bytes of user data", UserData="x" * 20_000)
    launched = ec2("a launch", "run_instances", **launch)
    ec2.wait("instance_running", InstanceIds=[launched["Instances"][0]["InstanceId"]])
    again = ec2("a launch with the token of another", "run_instances", **launch)
    instance = launched["Instances"][0]["InstanceId"]
    if again["Instances"][0]["InstanceId"] != instance:
        ec2("what should not be there goes", "terminate_instances", quiet=True,
            InstanceIds=[again["Instances"][0]["InstanceId"]])
    return instance


def living(ec2, instance, group, spare):
    ec2("the instance", "describe_instances", InstanceIds=[instance])
    ec2("instances by state", "describe_instances",
        Filters=MINE + [{"Name": "instance-state-name", "Values": ["stopped"]}])
    ec2("no instance", "describe_instances", InstanceIds=["i-0123456789abcdef0"])
    ec2("something else than an instance", "describe_instances", InstanceIds=["x"])
    ec2("the state of the instance", "describe_instance_status", InstanceIds=[instance])
    data = ec2("its user data", "describe_instance_attribute", InstanceId=instance, Attribute="userData")
    assert base64.b64decode(data["UserData"]["Value"]) == b"#!/bin/sh\n"
    ec2("what a shutdown does", "describe_instance_attribute", InstanceId=instance,
        Attribute="instanceInitiatedShutdownBehavior")
    ec2("a shutdown does otherwise", "modify_instance_attribute", InstanceId=instance,
        InstanceInitiatedShutdownBehavior={"Value": "stop"})
    ec2("it does as before", "modify_instance_attribute", quiet=True, InstanceId=instance,
        InstanceInitiatedShutdownBehavior={"Value": "terminate"})
    ec2("a group in use goes", "delete_security_group", GroupId=spare)
    ec2("other groups", "modify_instance_attribute", InstanceId=instance, Groups=[group])
    ec2("a group not in use any more goes", "delete_security_group", quiet=True, GroupId=spare)
    ec2("its volume", "describe_volumes", Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])
    ec2("no volume", "describe_volumes", VolumeIds=["vol-0123456789abcdef0"])
    ec2("its interface", "describe_network_interfaces",
        Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])
    ec2("its console", "get_console_output", quiet=True, InstanceId=instance)
    ec2("the console of none", "get_console_output", InstanceId="i-0123456789abcdef0")
    ec2("a tag", "create_tags", Resources=[instance], Tags=[{"Key": "a", "Value": "1"}])
    ec2("a tag of AWS", "create_tags", Resources=[instance], Tags=[{"Key": "aws:a", "Value": "1"}])
    ec2("a tag for nothing", "create_tags", Resources=["i-0123456789abcdef0"], Tags=[TAG])
    ec2("tags", "describe_tags", Filters=[{"Name": "resource-id", "Values": [instance]}])
    ec2("a tag goes", "delete_tags", Resources=[instance], Tags=[{"Key": "a"}])
    ec2("it boots again", "reboot_instances", InstanceIds=[instance])


def images(ec2, instance):
    ec2("it stops", "stop_instances", InstanceIds=[instance])
    ec2.wait("instance_stopped", InstanceIds=[instance])
    named = {"InstanceId": instance, "Name": "node 1", "Description": "a node"}
    tagged = [{"ResourceType": "image", "Tags": [TAG]}]
    image = ec2("an image", "create_image", **named, TagSpecifications=tagged)["ImageId"]
    ec2("an image of that name", "create_image", **named)
    ec2("an image of none", "create_image", **named | {"InstanceId": "i-0123456789abcdef0", "Name": "x y z"})
    ec2.wait("image_available", ImageIds=[image])
    found = ec2("the image", "describe_images", ImageIds=[image])["Images"]
    ec2("images by tag", "describe_images", Owners=["self"], Filters=MINE)
    snapshot = found[0]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    ec2("its snapshot", "describe_snapshots", SnapshotIds=[snapshot])
    ec2("no snapshot", "describe_snapshots", SnapshotIds=["snap-0123456789abcdef0"])
    ec2("a snapshot of an image goes", "delete_snapshot", SnapshotId=snapshot)
    ec2("it starts", "start_instances", InstanceIds=[instance])
    ec2.wait("instance_running", InstanceIds=[instance])
    ec2("none starts", "start_instances", InstanceIds=["i-0123456789abcdef0"])
    return image, snapshot


def ending(ec2, instance, made, group, other):
    image, snapshot = made
    ec2("it ends", "terminate_instances", InstanceIds=[instance])
    ec2.wait("instance_terminated", InstanceIds=[instance])
    ec2("it ends again", "terminate_instances", InstanceIds=[instance])
    ec2("none ends", "terminate_instances", InstanceIds=["i-0123456789abcdef0"])
    ec2("what has ended", "describe_instances", InstanceIds=[instance])
    ec2("volumes afterwards", "describe_volumes", Filters=MINE)
    ec2("what has ended starts", "start_instances", InstanceIds=[instance])
    ec2("the image goes", "deregister_image", ImageId=image)
    ec2("the image goes again", "deregister_image", ImageId=image)
    ec2("the snapshot goes", "delete_snapshot", SnapshotId=snapshot)
    ec2("the snapshot goes again", "delete_snapshot", SnapshotId=snapshot)
    ec2("the group goes", "delete_security_group", GroupId=group)
    ec2("the group goes again", "delete_security_group", GroupId=group)
    ec2("the other group goes", "delete_security_group", GroupId=other)
