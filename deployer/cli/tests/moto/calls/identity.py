"""STS and IAM."""

import json

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
    }
)


def run(ask):
    sts, iam = ask.of("sts"), ask.of("iam")
    sts("who it is", "get_caller_identity")

    role = {"RoleName": "node", "AssumeRolePolicyDocument": TRUST, "Path": "/bivouac/"}
    tag = {"Key": "bivouac:deployment", "Value": "calls"}
    iam("a role", "create_role", **role, Tags=[tag], Description="a node")
    iam("a role twice", "create_role", **role)

    def refused(what, **changes):
        wrong = role | {"RoleName": "x"} | changes
        if "Role" in iam(what, "create_role", **wrong):
            iam(what, "delete_role", quiet=True, RoleName=wrong["RoleName"])

    refused("a role without a policy of trust", AssumeRolePolicyDocument="{}")
    refused("a role whose trust is no JSON", AssumeRolePolicyDocument="{")
    refused("a role with a name of signs", RoleName="a b")
    refused("a role with a name of 65 letters", RoleName="a" * 65)
    refused("a role with a path without a slash", Path="x")
    iam("the role", "get_role", RoleName="node")
    iam("no role", "get_role", RoleName="none")
    iam("roles below the path", "list_roles", PathPrefix="/bivouac/")
    iam("roles below another path", "list_roles", PathPrefix="/none/")
    iam("the tags of the role", "list_role_tags", RoleName="node")
    iam("another tag", "tag_role", RoleName="node", Tags=[{"Key": "a", "Value": "1"}])
    iam("tags after another", "list_role_tags", RoleName="node")
    iam("a tag taken away", "untag_role", RoleName="node", TagKeys=["a"])
    iam("a tag for no role", "tag_role", RoleName="none", Tags=[tag])

    policy = {"RoleName": "node", "PolicyName": "bivouac"}
    iam("a policy", "put_role_policy", **policy, PolicyDocument=POLICY)
    iam("a policy that is no JSON", "put_role_policy", **policy, PolicyDocument="{")
    iam("a policy for no role", "put_role_policy", **policy | {"RoleName": "none"}, PolicyDocument=POLICY)
    iam("the policy", "get_role_policy", **policy)
    iam("no policy", "get_role_policy", **policy | {"PolicyName": "none"})
    iam("policies of the role", "list_role_policies", RoleName="node")
    iam("policies of no role", "list_role_policies", RoleName="none")
    iam("attached policies", "list_attached_role_policies", RoleName="node")
    iam("another trust", "update_assume_role_policy", RoleName="node", PolicyDocument=TRUST)

    profile = {"InstanceProfileName": "node"}
    iam("a profile", "create_instance_profile", **profile, Path="/bivouac/", Tags=[tag])
    iam("a profile twice", "create_instance_profile", **profile)
    iam("the role into the profile", "add_role_to_instance_profile", **profile, RoleName="node")
    iam("a second role into the profile", "add_role_to_instance_profile", **profile, RoleName="node")
    iam("no role into the profile", "add_role_to_instance_profile", **profile, RoleName="none")
    iam("the profile", "get_instance_profile", **profile)
    iam("no profile", "get_instance_profile", InstanceProfileName="none")
    iam("profiles below the path", "list_instance_profiles", PathPrefix="/bivouac/")
    iam("profiles of the role", "list_instance_profiles_for_role", RoleName="node")
    iam("the tags of the profile", "list_instance_profile_tags", **profile)

    iam("a role in a profile goes", "delete_role", RoleName="node")
    iam("a profile with a role goes", "delete_instance_profile", **profile)
    iam("the role out of the profile", "remove_role_from_instance_profile", **profile, RoleName="node")
    iam("the role out of it again", "remove_role_from_instance_profile", **profile, RoleName="node")
    iam("a role with a policy goes", "delete_role", RoleName="node")
    iam("the policy goes", "delete_role_policy", **policy)
    iam("the policy goes again", "delete_role_policy", **policy)
    iam("the role goes", "delete_role", RoleName="node")
    iam("the role goes again", "delete_role", RoleName="node")
    iam("the profile goes", "delete_instance_profile", **profile)
    iam("the profile goes again", "delete_instance_profile", **profile)
