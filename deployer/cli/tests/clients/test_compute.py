"""boto3: instances, images, security groups, databases, roles."""

import json
import time
import unittest

from documents import POLICY, TRUST
from support import client

SOON = {"Delay": 0.1, "MaxAttempts": 300}


class Instances(unittest.TestCase):
    def setUp(self):
        self.ec2 = client("ec2")

    def launch(self, **more):
        here = [{"Name": "architecture", "Values": ["x86_64"]}]
        images = self.ec2.describe_images(Owners=["amazon"], Filters=here)["Images"]
        launched = self.ec2.run_instances(
            ImageId=images[0]["ImageId"],
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            UserData="#!/bin/sh\necho ü",
            InstanceInitiatedShutdownBehavior="terminate",
            TagSpecifications=[
                {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "a & b"}]}
            ],
            **more,
        )["Instances"][0]["InstanceId"]
        self.ec2.get_waiter("instance_running").wait(InstanceIds=[launched], WaiterConfig=SOON)
        return launched

    def terminate(self, instance):
        self.ec2.terminate_instances(InstanceIds=[instance])
        ended = self.ec2.get_waiter("instance_terminated")
        ended.wait(InstanceIds=[instance], WaiterConfig=SOON)

    def test_an_instance_is_launched_found_stopped_imaged_and_ended(self):
        ec2, instance = self.ec2, self.launch()
        filters = [
            {"Name": "tag:Name", "Values": ["a & b"]},
            {"Name": "instance-state-name", "Values": ["running"]},
        ]
        [found] = ec2.describe_instances(Filters=filters)["Reservations"]
        self.assertEqual(found["Instances"][0]["InstanceId"], instance)
        self.assertEqual(found["Instances"][0]["LaunchTime"].utcoffset().seconds, 0)
        status = ec2.describe_instance_status(InstanceIds=[instance])["InstanceStatuses"]
        self.assertEqual(status[0]["InstanceState"]["Name"], "running")
        attribute = {"InstanceId": instance, "Attribute": "instanceInitiatedShutdownBehavior"}
        behaviour = ec2.describe_instance_attribute(**attribute)["InstanceInitiatedShutdownBehavior"]
        self.assertEqual(behaviour, {"Value": "terminate"})
        ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": False})
        self.assertEqual(ec2.get_console_output(InstanceId=instance)["InstanceId"], instance)
        ec2.reboot_instances(InstanceIds=[instance])
        ec2.stop_instances(InstanceIds=[instance])
        ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance], WaiterConfig=SOON)
        self.image_of(instance)
        ec2.start_instances(InstanceIds=[instance])
        ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig=SOON)
        self.terminate(instance)

    def image_of(self, instance):
        ec2 = self.ec2
        image = ec2.create_image(InstanceId=instance, Name="made by boto3")["ImageId"]
        ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig=SOON)
        [made] = ec2.describe_images(Owners=["self"])["Images"]
        snapshot = made["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        known = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
        self.assertIn(snapshot, [one["SnapshotId"] for one in known])
        ec2.deregister_image(ImageId=image)
        ec2.delete_snapshot(SnapshotId=snapshot)

    def test_a_disk_that_is_kept_is_a_volume_to_delete(self):
        disk = {"DeviceName": "/dev/xvda", "Ebs": {"DeleteOnTermination": False}}
        instance = self.launch(BlockDeviceMappings=[disk])
        [volume] = self.ec2.describe_volumes()["Volumes"]
        self.terminate(instance)
        self.ec2.delete_volume(VolumeId=volume["VolumeId"])

    def test_tags_are_put_found_and_taken_off(self):
        ec2 = self.ec2
        group = ec2.create_security_group(GroupName="tagged", Description="x")["GroupId"]
        ec2.create_tags(Resources=[group], Tags=[{"Key": "k:1", "Value": "é"}])
        only = [{"Name": "resource-id", "Values": [group]}]
        [tag] = ec2.describe_tags(Filters=only)["Tags"]
        self.assertEqual((tag["Key"], tag["Value"]), ("k:1", "é"))
        ec2.delete_tags(Resources=[group], Tags=[{"Key": "k:1"}])
        self.assertEqual(ec2.describe_tags(Filters=only)["Tags"], [])
        ec2.delete_security_group(GroupId=group)

    def test_a_group_is_opened_and_closed(self):
        ec2 = self.ec2
        group = ec2.create_security_group(GroupName="door", Description="x")["GroupId"]
        rule = {
            "IpProtocol": "tcp",
            "FromPort": 5000,
            "ToPort": 5001,
            "IpRanges": [{"CidrIp": "203.0.113.0/24", "Description": "office"}],
        }
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
        everywhere = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[everywhere])
        ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[everywhere])
        [found] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
        self.assertEqual(found["IpPermissions"][0]["IpRanges"], rule["IpRanges"])
        only = [{"Name": "group-id", "Values": [group]}]
        rules = ec2.describe_security_group_rules(Filters=only)["SecurityGroupRules"]
        self.assertEqual(sorted(rule["IsEgress"] for rule in rules), [False, True])
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])
        ec2.delete_security_group(GroupId=group)

    def test_what_the_account_offers_is_listed(self):
        ec2 = self.ec2
        regions = [one["RegionName"] for one in ec2.describe_regions()["Regions"]]
        self.assertIn("us-east-1", regions)
        zones = ec2.describe_availability_zones()["AvailabilityZones"]
        [vpc] = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
        subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])
        self.assertEqual(len(subnets["Subnets"]), len(zones))
        [kind] = ec2.describe_instance_types(InstanceTypes=["t3.micro"])["InstanceTypes"]
        self.assertEqual(kind["VCpuInfo"]["DefaultVCpus"], 2)
        offered = ec2.describe_instance_type_offerings(LocationType="availability-zone")
        self.assertTrue(offered["InstanceTypeOfferings"])
        self.assertIn("NetworkInterfaces", ec2.describe_network_interfaces())
        self.assertEqual(ec2.describe_addresses()["Addresses"], [])
        self.assertEqual(ec2.describe_key_pairs()["KeyPairs"], [])
        self.assertEqual(ec2.describe_launch_templates()["LaunchTemplates"], [])


class Databases(unittest.TestCase):
    def test_a_database_is_made_changed_stopped_and_deleted(self):
        rds = client("rds")
        made = rds.create_db_instance(
            DBInstanceIdentifier="catalog",
            Engine="postgres",
            DBInstanceClass="db.t4g.micro",
            AllocatedStorage=20,
            MasterUsername="bivouac",
            MasterUserPassword="a-long-password",
            PubliclyAccessible=False,
            Tags=[{"Key": "a", "Value": "1"}],
        )["DBInstance"]
        name = {"DBInstanceIdentifier": "catalog"}
        available = rds.get_waiter("db_instance_available")
        available.wait(**name, WaiterConfig=SOON)
        [found] = rds.describe_db_instances(**name)["DBInstances"]
        self.assertFalse(found["PubliclyAccessible"])
        self.assertEqual(found["TagList"], [{"Key": "a", "Value": "1"}])
        arn = made["DBInstanceArn"]
        rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "b", "Value": "2"}])
        rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["a"])
        tags = rds.list_tags_for_resource(ResourceName=arn)["TagList"]
        self.assertEqual(tags, [{"Key": "b", "Value": "2"}])
        rds.modify_db_instance(**name, BackupRetentionPeriod=0, ApplyImmediately=True)
        available.wait(**name, WaiterConfig=SOON)
        rds.stop_db_instance(**name)
        self.wait_until_stopped(rds, name)
        rds.start_db_instance(**name)
        available.wait(**name, WaiterConfig=SOON)
        rds.delete_db_instance(**name, SkipFinalSnapshot=True)
        rds.get_waiter("db_instance_deleted").wait(**name, WaiterConfig=SOON)

    def wait_until_stopped(self, rds, name):
        # botocore has no waiter for it.
        for _ in range(SOON["MaxAttempts"]):
            [found] = rds.describe_db_instances(**name)["DBInstances"]
            if found["DBInstanceStatus"] == "stopped":
                return
            time.sleep(SOON["Delay"])
        self.fail(f"the database is {found['DBInstanceStatus']}")

    def test_what_can_be_made_is_listed(self):
        rds = client("rds")
        self.assertTrue(rds.describe_db_engine_versions(Engine="postgres")["DBEngineVersions"])
        options = rds.describe_orderable_db_instance_options(Engine="postgres")
        self.assertTrue(options["OrderableDBInstanceOptions"])
        self.assertEqual(rds.describe_db_snapshots()["DBSnapshots"], [])
        self.assertEqual(rds.describe_db_subnet_groups()["DBSubnetGroups"], [])
        self.assertEqual(rds.describe_db_parameter_groups()["DBParameterGroups"], [])
        backups = rds.describe_db_instance_automated_backups()
        self.assertEqual(backups["DBInstanceAutomatedBackups"], [])


class Roles(unittest.TestCase):
    def test_a_role_has_policies_tags_and_a_profile(self):
        iam, name = client("iam"), {"RoleName": "node"}
        iam.create_role(**name, AssumeRolePolicyDocument=json.dumps(TRUST), Path="/bivouac/")
        iam.update_assume_role_policy(**name, PolicyDocument=json.dumps(TRUST))
        iam.put_role_policy(**name, PolicyName="p", PolicyDocument=json.dumps(POLICY))
        self.assertEqual(iam.get_role_policy(**name, PolicyName="p")["PolicyDocument"], POLICY)
        self.assertEqual(iam.list_role_policies(**name)["PolicyNames"], ["p"])
        self.assertEqual(iam.list_attached_role_policies(**name)["AttachedPolicies"], [])
        self.assertEqual(iam.get_role(**name)["Role"]["Path"], "/bivouac/")
        [listed] = iam.list_roles(PathPrefix="/bivouac/")["Roles"]
        self.assertEqual(listed["RoleName"], "node")
        iam.tag_role(**name, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        iam.untag_role(**name, TagKeys=["a"])
        self.assertEqual(iam.list_role_tags(**name)["Tags"], [{"Key": "b", "Value": "2"}])
        self.profile(iam, name)
        iam.delete_role_policy(**name, PolicyName="p")
        iam.delete_role(**name)

    def profile(self, iam, role):
        name = {"InstanceProfileName": "node"}
        iam.create_instance_profile(**name)
        iam.add_role_to_instance_profile(**name, **role)
        found = iam.get_instance_profile(**name)["InstanceProfile"]
        self.assertEqual(found["Roles"][0]["RoleName"], "node")
        self.assertEqual(len(iam.list_instance_profiles()["InstanceProfiles"]), 1)
        self.assertEqual(len(iam.list_instance_profiles_for_role(**role)["InstanceProfiles"]), 1)
        iam.tag_instance_profile(**name, Tags=[{"Key": "a", "Value": "1"}])
        self.assertEqual(len(iam.list_instance_profile_tags(**name)["Tags"]), 1)
        iam.untag_instance_profile(**name, TagKeys=["a"])
        iam.remove_role_from_instance_profile(**name, **role)
        iam.delete_instance_profile(**name)

    def test_the_caller_is_the_account_itself(self):
        caller = client("sts").get_caller_identity()
        self.assertEqual(caller["Arn"], f"arn:aws:iam::{caller['Account']}:root")


if __name__ == "__main__":
    unittest.main()
