"""RDS."""

import time


def run(ask):
    rds = ask.of("rds")
    create = {
        "DBInstanceIdentifier": "catalog",
        "Engine": "postgres",
        "DBInstanceClass": "db.t4g.micro",
        "AllocatedStorage": 20,
        "StorageType": "gp2",
        "DBName": "catalog",
        "MasterUsername": "catalog",
        "MasterUserPassword": "0123456789abcdef",
        "Port": 5432,
        "PubliclyAccessible": False,
        "StorageEncrypted": True,
        "MultiAZ": False,
        "BackupRetentionPeriod": 0,
        "AutoMinorVersionUpgrade": False,
        "DeletionProtection": False,
        "CopyTagsToSnapshot": True,
        "Tags": [{"Key": "bivouac:deployment", "Value": "calls"}],
    }

    def refused(what, **changes):
        rds(what, "create_db_instance", **create | {"DBInstanceIdentifier": "refused"} | changes)
        rds(f"{what}: it goes", "delete_db_instance", quiet=True, DBInstanceIdentifier="refused",
            SkipFinalSnapshot=True)

    versions = {"Engine": "postgres", "DefaultOnly": True}
    rds("versions of PostgreSQL", "describe_db_engine_versions", quiet=True, **versions)
    orderable = {"Engine": "postgres", "DBInstanceClass": "db.t4g.micro"}
    rds("what can be ordered", "describe_orderable_db_instance_options", quiet=True, **orderable)
    rds("subnet groups", "describe_db_subnet_groups")
    rds("parameter groups", "describe_db_parameter_groups")
    rds("no databases", "describe_db_instances")
    rds("snapshots", "describe_db_snapshots")
    rds("backups", "describe_db_instance_automated_backups")
    rds("no database", "describe_db_instances", DBInstanceIdentifier="none")
    rds("none goes", "delete_db_instance", DBInstanceIdentifier="none", SkipFinalSnapshot=True)
    refused("a database of 5 GiB", AllocatedStorage=5)
    refused("a database whose password has a slash", MasterUserPassword="0123/567")
    refused("a database whose password is short", MasterUserPassword="0123")
    refused("a database of the user admin", MasterUsername="admin")
    refused("a database of no engine", Engine="none")
    refused("a database of no class", DBInstanceClass="db.none")
    refused("a database of a version that is not there", EngineVersion="1.0")
    refused("a database called with two hyphens", DBInstanceIdentifier="a--b")
    made = rds("a database", "create_db_instance", **create)
    rds("a database twice", "create_db_instance", **create)
    rds.wait("db_instance_available", DBInstanceIdentifier="catalog")
    rds("the database", "describe_db_instances", DBInstanceIdentifier="catalog")
    arn = made["DBInstance"]["DBInstanceArn"]
    rds("its tags", "list_tags_for_resource", ResourceName=arn)
    rds("another tag", "add_tags_to_resource", ResourceName=arn, Tags=[{"Key": "a", "Value": "1"}])
    rds("a tag goes", "remove_tags_from_resource", ResourceName=arn, TagKeys=["a"])
    rds("it grows", "modify_db_instance", DBInstanceIdentifier="catalog", AllocatedStorage=30, ApplyImmediately=True)
    rds.wait("db_instance_available", DBInstanceIdentifier="catalog")
    rds("it shrinks", "modify_db_instance", DBInstanceIdentifier="catalog", AllocatedStorage=20, ApplyImmediately=True)
    rds("it grows again", "modify_db_instance", quiet=True, DBInstanceIdentifier="catalog", AllocatedStorage=30,
        ApplyImmediately=True)
    rds("none grows", "modify_db_instance", DBInstanceIdentifier="none", AllocatedStorage=30)
    rds("it stops", "stop_db_instance", DBInstanceIdentifier="catalog")
    rds("none stops", "stop_db_instance", DBInstanceIdentifier="none")
    wait_until_stopped(rds, "catalog")
    rds("it starts", "start_db_instance", DBInstanceIdentifier="catalog")
    rds.wait("db_instance_available", DBInstanceIdentifier="catalog")
    rds("it starts again", "start_db_instance", DBInstanceIdentifier="catalog")
    rds("another", "create_db_instance", quiet=True, **create | {"DBInstanceIdentifier": "another"})
    rds.wait("db_instance_available", DBInstanceIdentifier="another")
    rds("one goes without a word on its snapshot", "delete_db_instance", DBInstanceIdentifier="another")
    rds("it goes at once", "delete_db_instance", quiet=True, DBInstanceIdentifier="another", SkipFinalSnapshot=True)
    rds("it goes", "delete_db_instance", DBInstanceIdentifier="catalog", SkipFinalSnapshot=True)
    rds.wait("db_instance_deleted", DBInstanceIdentifier="catalog")
    rds("it goes again", "delete_db_instance", DBInstanceIdentifier="catalog", SkipFinalSnapshot=True)


def wait_until_stopped(rds, name):
    # botocore has no waiter for it.
    for _ in range(150):
        answer = rds("until it is stopped", "describe_db_instances", quiet=True, DBInstanceIdentifier=name)
        [found] = answer["DBInstances"]
        if found["DBInstanceStatus"] == "stopped":
            return
        time.sleep(0.2)
    raise AssertionError(f"the database is {found['DBInstanceStatus']}")
