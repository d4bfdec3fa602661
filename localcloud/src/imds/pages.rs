//! What the metadata service shows, by path.

use serde_json::{Value, json};

use crate::auth::Credential;
use crate::ec2::InstanceFacts;
use crate::iam::ProfileRole;

/// A page of the metadata service.
#[derive(Debug, PartialEq)]
pub(super) enum Page {
    Text(String),
    Json(Value),
    Bytes(Vec<u8>),
}

/// The page at a path, if there is one. `keys` gives none of a role that EC2 may not take.
pub(super) fn page(
    facts: &InstanceFacts,
    account: &str,
    role: Option<&ProfileRole>,
    keys: impl Fn(&ProfileRole) -> Option<Credential>,
    path: &str,
) -> Option<Page> {
    let path = path.trim_end_matches('/');
    if let Some(role) = role
        && path == format!("/latest/meta-data/iam/security-credentials/{}", role.name)
    {
        let page = keys(role).map_or_else(|| not_trusted(role), |keys| credentials(&keys));
        return Some(Page::Json(page));
    }
    if let Some(key) = path.strip_prefix("/latest/meta-data/tags/instance/") {
        let key = percent_encoding::percent_decode_str(key)
            .decode_utf8()
            .ok()?;
        let value = facts.tags.as_ref()?.get(key.as_ref())?;
        return Some(Page::Text(value.clone()));
    }
    match path {
        "" => Some(Page::Text("latest".to_owned())),
        "/latest" => Some(Page::Text("dynamic\nmeta-data\nuser-data".to_owned())),
        "/latest/user-data" => {
            let text = facts.user_data.as_ref()?;
            Some(Page::Bytes(base64_simd::STANDARD.decode_to_vec(text).ok()?))
        }
        "/latest/dynamic" => Some(Page::Text("instance-identity/".to_owned())),
        "/latest/dynamic/instance-identity" => Some(Page::Text("document".to_owned())),
        "/latest/dynamic/instance-identity/document" => Some(Page::Json(document(facts, account))),
        "/latest/meta-data/iam/info" => {
            let (arn, id) = facts.profile.as_ref()?;
            Some(Page::Json(json!({
                "Code": "Success",
                "LastUpdated": second(facts.launched_at),
                "InstanceProfileArn": arn,
                "InstanceProfileId": id,
            })))
        }
        _ => meta_data(facts, role, path.strip_prefix("/latest/meta-data")?).map(Page::Text),
    }
}

fn meta_data(facts: &InstanceFacts, role: Option<&ProfileRole>, path: &str) -> Option<String> {
    let mac = &facts.mac;
    let interface = path.strip_prefix(&format!("/network/interfaces/macs/{mac}"));
    let address = facts.address.to_string();
    Some(match interface.unwrap_or(path) {
        "/local-ipv4" | "/local-ipv4s" => address,
        "/public-ipv4" | "/public-ipv4s" => facts.public_address?.to_string(),
        "/mac" => mac.clone(),
        "/security-groups" => facts.groups.join("\n"),
        "" if interface.is_none() => index(facts),
        "/instance-id" => facts.id.clone(),
        "/instance-type" => facts.instance_type.clone(),
        "/ami-id" => facts.image.clone(),
        "/ami-launch-index" => facts.launch_index.to_string(),
        "/reservation-id" => facts.reservation.clone(),
        "/instance-life-cycle" => "on-demand".to_owned(),
        "/hostname" | "/local-hostname" => {
            format!("ip-{}.ec2.internal", address.replace('.', "-"))
        }
        "/placement" => "availability-zone\navailability-zone-id\nregion".to_owned(),
        "/placement/availability-zone" => facts.zone.clone(),
        "/placement/availability-zone-id" => facts.zone_id.clone(),
        "/placement/region" => facts.region.clone(),
        "/services/domain" => "amazonaws.com".to_owned(),
        "/services/partition" => "aws".to_owned(),
        "/network" => "interfaces/".to_owned(),
        "/network/interfaces" => "macs/".to_owned(),
        "/network/interfaces/macs" => format!("{mac}/"),
        "/iam" => {
            facts.profile.as_ref()?;
            "info\nsecurity-credentials/".to_owned()
        }
        "/iam/security-credentials" => role?.name.clone(),
        "/tags" => {
            facts.tags.as_ref()?;
            "instance/".to_owned()
        }
        "/tags/instance" => {
            let keys: Vec<&str> = facts.tags.as_ref()?.keys().map(String::as_str).collect();
            keys.join("\n")
        }
        _ => return None,
    })
}

fn index(facts: &InstanceFacts) -> String {
    let mut names = vec![
        "ami-id",
        "ami-launch-index",
        "hostname",
        "instance-id",
        "instance-life-cycle",
        "instance-type",
        "local-hostname",
        "local-ipv4",
        "mac",
        "network/",
        "placement/",
        "reservation-id",
        "security-groups",
        "services/",
    ];
    if facts.profile.is_some() {
        names.push("iam/");
    }
    if facts.public_address.is_some() {
        names.push("public-ipv4");
    }
    if facts.tags.is_some() {
        names.push("tags/");
    }
    names.sort_unstable();
    names.join("\n")
}

fn credentials(keys: &Credential) -> Value {
    json!({
        "Code": "Success",
        "LastUpdated": second(keys.issued_at),
        "Type": "AWS-HMAC",
        "AccessKeyId": keys.access_key_id,
        "SecretAccessKey": keys.secret_access_key,
        "Token": keys.session_token,
        "Expiration": keys.expires_at.map(second),
    })
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-roles-for-amazon-ec2.html>
fn not_trusted(role: &ProfileRole) -> Value {
    json!({
        "Code": "AssumeRoleUnauthorizedAccess",
        "Message": format!(
            "EC2 cannot assume the role {}. Its trust policy does not let ec2.amazonaws.com take it.",
            role.name
        ),
        "LastUpdated": second(jiff::Timestamp::now()),
    })
}

fn document(facts: &InstanceFacts, account: &str) -> Value {
    json!({
        "accountId": account,
        "architecture": facts.architecture,
        "availabilityZone": facts.zone,
        "billingProducts": null,
        "devpayProductCodes": null,
        "imageId": facts.image,
        "instanceId": facts.id,
        "instanceType": facts.instance_type,
        "kernelId": null,
        "marketplaceProductCodes": null,
        "pendingTime": second(facts.launched_at),
        "privateIp": facts.address,
        "ramdiskId": null,
        "region": facts.region,
        "version": "2017-09-30",
    })
}

fn second(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use std::net::Ipv4Addr;

    fn facts() -> InstanceFacts {
        InstanceFacts {
            id: "i-0123456789abcdef0".into(),
            region: "us-east-1".into(),
            zone: "us-east-1a".into(),
            zone_id: "use1-az1".into(),
            address: Ipv4Addr::new(127, 77, 0, 16),
            public_address: Some(Ipv4Addr::new(127, 78, 0, 20)),
            mac: "02:00:00:00:00:01".into(),
            instance_type: "t3.micro".into(),
            image: "ami-12345678".into(),
            architecture: "x86_64".into(),
            launch_index: 0,
            reservation: "r-12345678".into(),
            launched_at: jiff::Timestamp::UNIX_EPOCH,
            groups: vec!["door".into(), "default".into()],
            user_data: Some(base64_simd::STANDARD.encode_to_string("#!/bin/bash\n")),
            profile: Some(("arn:aws:iam::1:instance-profile/p".into(), "AIPA1".into())),
            tags: Some([("bivouac:deployment".into(), "x".into())].into()),
            tokens_required: true,
            metadata_enabled: true,
        }
    }

    fn text(facts: &InstanceFacts, path: &str) -> Option<String> {
        let keys = |_: &ProfileRole| panic!("no keys were asked for");
        let role = ProfileRole {
            name: "r".into(),
            id: "AROA1".into(),
            trusts_ec2: true,
        };
        match page(facts, "123456789012", Some(&role), keys, path)? {
            Page::Text(text) => Some(text),
            Page::Bytes(bytes) => Some(String::from_utf8(bytes).unwrap()),
            Page::Json(value) => Some(value.to_string()),
        }
    }

    #[test]
    fn an_instance_can_read_about_itself() {
        let facts = facts();
        for (path, expected) in [
            ("/latest/meta-data/instance-id", "i-0123456789abcdef0"),
            ("/latest/meta-data/local-ipv4", "127.77.0.16"),
            ("/latest/meta-data/public-ipv4", "127.78.0.20"),
            (
                "/latest/meta-data/placement/availability-zone",
                "us-east-1a",
            ),
            ("/latest/meta-data/placement/region", "us-east-1"),
            ("/latest/meta-data/tags/instance/bivouac:deployment", "x"),
            ("/latest/meta-data/tags/instance/", "bivouac:deployment"),
            ("/latest/meta-data/iam/security-credentials/", "r"),
            ("/latest/user-data", "#!/bin/bash\n"),
            ("/latest/meta-data/security-groups", "door\ndefault"),
        ] {
            assert_eq!(text(&facts, path).as_deref(), Some(expected), "{path}");
        }
        let document = text(&facts, "/latest/dynamic/instance-identity/document").unwrap();
        assert!(
            document.contains("\"privateIp\":\"127.77.0.16\""),
            "{document}"
        );
    }

    #[test]
    fn a_role_that_ec2_may_not_take_has_no_keys() {
        let role = ProfileRole {
            name: "r".into(),
            id: "AROA1".into(),
            trusts_ec2: false,
        };
        let path = "/latest/meta-data/iam/security-credentials/r";
        let Some(Page::Json(page)) = page(&facts(), "1", Some(&role), |_| None, path) else {
            panic!("there is a page");
        };
        assert_eq!(page["Code"], "AssumeRoleUnauthorizedAccess");
        assert_eq!(page.get("SecretAccessKey"), None);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let facts = InstanceFacts {
            tags: None,
            profile: None,
            user_data: None,
            public_address: None,
            ..facts()
        };
        for path in [
            "/latest/meta-data/tags/instance",
            "/latest/meta-data/iam",
            "/latest/meta-data/iam/info",
            "/latest/user-data",
            "/latest/meta-data/public-ipv4",
            "/latest/nonsense",
            "/latest/meta-data/../../etc/passwd",
        ] {
            assert_eq!(text(&facts, path), None, "{path}");
        }
    }
}
