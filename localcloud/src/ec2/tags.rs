//! Tags: in the creating call, and on their own.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html>

use super::filters::{Filters, Page};
use super::ids;
use super::model::{Region, Tags};
use super::{Ec2, ids::Kind};
use crate::auth::Caller;
use crate::wire::{ApiError, Params, Xml};

const MOST_TAGS: usize = 50;

/// The tags that a creating call gives to one type of resource. A type outside of `allowed` is refused.
pub(super) fn specified(
    params: &Params,
    resource_type: &str,
    allowed: &[&str],
) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for specification in params.structures("TagSpecification") {
        let given = specification.required("ResourceType")?;
        if !allowed.contains(&given) {
            return Err(ApiError::new(
                "InvalidParameterValue",
                format!("'{given}' is not a valid taggable resource type for this operation."),
            ));
        }
        if given == resource_type {
            for (key, value) in read(&specification)? {
                if tags.insert(key.clone(), value).is_some() {
                    return Err(ApiError::new(
                        "InvalidParameterValue",
                        format!("Duplicate tag key '{key}' specified."),
                    ));
                }
            }
        }
    }
    check_count(&tags)?;
    Ok(tags)
}

/// `Tag.N.Key`, `Tag.N.Value`.
fn read(params: &Params) -> Result<Vec<(String, String)>, ApiError> {
    params
        .structures("Tag")
        .into_iter()
        .map(|tag| {
            let key = tag.required("Key")?.to_owned();
            let value = tag.get("Value").unwrap_or_default().to_owned();
            check(&key, &value)?;
            Ok((key, value))
        })
        .collect()
}

fn check(key: &str, value: &str) -> Result<(), ApiError> {
    let refused = |message: String| Err(ApiError::new("InvalidParameterValue", message));
    if key.chars().count() > 127 {
        return refused("Tag key exceeds the maximum length of 127 characters".to_owned());
    }
    if value.chars().count() > 255 {
        return refused(format!(
            "Tag value exceeds the maximum length of 255 characters (key '{key}')"
        ));
    }
    if key.to_ascii_lowercase().starts_with("aws:") {
        return refused(format!(
            "Tag keys starting with 'aws:' are reserved for internal use ('{key}')"
        ));
    }
    Ok(())
}

fn check_count(tags: &Tags) -> Result<(), ApiError> {
    if tags.len() > MOST_TAGS {
        return Err(ApiError::new(
            "TagLimitExceeded",
            format!("A resource has at most {MOST_TAGS} tags."),
        ));
    }
    Ok(())
}

/// `<tagSet>`.
pub(super) fn write(xml: &mut Xml, tags: &Tags) {
    xml.list("tagSet", "item", tags, |xml, (key, value)| {
        xml.text("key", key).text("value", value);
    });
}

impl Ec2 {
    pub(super) fn create_tags(&self, caller: &Caller, params: &Params) -> Result<String, ApiError> {
        let new = read(params)?;
        if new.is_empty() {
            return Err(ApiError::new(
                "MissingParameter",
                "The request must contain the parameter Tag",
            ));
        }
        self.change_tags(caller, params, |tags| {
            tags.extend(new.iter().cloned());
            check_count(tags)
        })
    }

    pub(super) fn delete_tags(&self, caller: &Caller, params: &Params) -> Result<String, ApiError> {
        let old: Vec<(String, Option<String>)> = params
            .structures("Tag")
            .iter()
            .map(|tag| {
                Ok((
                    tag.required("Key")?.to_owned(),
                    tag.get("Value").map(str::to_owned),
                ))
            })
            .collect::<Result<_, ApiError>>()?;
        self.change_tags(caller, params, |tags| {
            if old.is_empty() {
                tags.clear();
            }
            for (key, value) in &old {
                // With a value, only a tag that has it goes.
                if value.is_none() || tags.get(key) == value.as_ref() {
                    tags.remove(key);
                }
            }
            Ok(())
        })
    }

    fn change_tags(
        &self,
        caller: &Caller,
        params: &Params,
        change: impl Fn(&mut Tags) -> Result<(), ApiError>,
    ) -> Result<String, ApiError> {
        let resources = params.list("ResourceId");
        if resources.is_empty() {
            return Err(ApiError::new(
                "MissingParameter",
                "The request must contain the parameter ResourceId",
            ));
        }
        let network = self.network_ids(&caller.region);
        self.change(caller, params, |region| {
            for id in &resources {
                change(tags_of(region, &network, id)?)?;
            }
            Ok(())
        })?;
        Ok(super::done())
    }

    pub(super) fn describe_tags(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let filters = Filters::read(params, &["key", "value", "resource-id", "resource-type"])?;
        let region = self.region(&caller.region);
        let mut rows = Vec::new();
        for (id, kind, tags) in all(&region) {
            for (key, value) in tags {
                let values = [
                    ("key", vec![key.clone()]),
                    ("value", vec![value.clone()]),
                    ("resource-id", vec![id.to_owned()]),
                    ("resource-type", vec![kind.to_owned()]),
                ];
                let only = Tags::from([(key.clone(), value.clone())]);
                if filters.pass(&values.into(), &only) {
                    rows.push((id.to_owned(), kind, key.clone(), value.clone()));
                }
            }
        }
        let page = Page::of(rows, params)?;
        let mut xml = Xml::fragment();
        xml.list(
            "tagSet",
            "item",
            page.items,
            |xml, (id, kind, key, value)| {
                xml.text("resourceId", id)
                    .text("resourceType", kind)
                    .text("key", key)
                    .text("value", value);
            },
        )
        .optional("nextToken", page.next);
        Ok(xml.finish())
    }
}

/// Everything that has tags: id, type, tags.
fn all(region: &Region) -> Vec<(&str, &'static str, &Tags)> {
    let mut found: Vec<(&str, &'static str, &Tags)> = Vec::new();
    for instance in region.live_instances() {
        found.push((&instance.id, "instance", &instance.tags));
        found.push((
            &instance.interface.id,
            "network-interface",
            &instance.interface.tags,
        ));
    }
    found.extend(
        region
            .volumes
            .values()
            .map(|v| (v.id.as_str(), "volume", &v.tags)),
    );
    found.extend(
        region
            .snapshots
            .values()
            .map(|s| (s.id.as_str(), "snapshot", &s.tags)),
    );
    found.extend(
        region
            .images
            .values()
            .map(|i| (i.id.as_str(), "image", &i.tags)),
    );
    for group in region.groups.values() {
        found.push((&group.id, "security-group", &group.tags));
        found.extend(
            group
                .rules
                .iter()
                .map(|r| (r.id.as_str(), "security-group-rule", &r.tags)),
        );
    }
    found.extend(region.interfaces.values().map(|i| {
        (
            i.interface.id.as_str(),
            "network-interface",
            &i.interface.tags,
        )
    }));
    found.extend(
        region
            .addresses
            .values()
            .map(|a| (a.id.as_str(), "elastic-ip", &a.tags)),
    );
    found.extend(
        region
            .key_pairs
            .values()
            .map(|k| (k.id.as_str(), "key-pair", &k.tags)),
    );
    found.extend(
        region
            .launch_templates
            .values()
            .map(|t| (t.id.as_str(), "launch-template", &t.tags)),
    );
    for (id, tags) in &region.network_tags {
        let kind = if id.starts_with("vpc-") {
            "vpc"
        } else {
            "subnet"
        };
        found.push((id, kind, tags));
    }
    found
}

/// The tags of what has that id, if anything has. What is terminated has lost its own.
pub(super) fn of<'a>(region: &'a Region, id: &str) -> Option<&'a Tags> {
    let found = all(region).into_iter().find(|(known, _, _)| *known == id);
    found.map(|(_, _, tags)| tags)
}

fn tags_of<'a>(
    region: &'a mut Region,
    network: &[String],
    id: &str,
) -> Result<&'a mut Tags, ApiError> {
    let kind = kind_of(id)?;
    kind.check(id)?;
    let missing = || kind.not_found(id);
    match kind.prefix {
        "i" => region.instances.get_mut(id).map(|i| &mut i.tags),
        "vol" => region.volumes.get_mut(id).map(|v| &mut v.tags),
        "snap" => region.snapshots.get_mut(id).map(|s| &mut s.tags),
        "ami" => region.images.get_mut(id).map(|i| &mut i.tags),
        "sg" => region.groups.get_mut(id).map(|g| &mut g.tags),
        "eipalloc" => region.addresses.get_mut(id).map(|a| &mut a.tags),
        "key" => region.key_pairs.get_mut(id).map(|k| &mut k.tags),
        "lt" => region.launch_templates.get_mut(id).map(|t| &mut t.tags),
        "sgr" => region
            .groups
            .values_mut()
            .flat_map(|group| &mut group.rules)
            .find(|rule| rule.id == id)
            .map(|rule| &mut rule.tags),
        "eni" => region
            .instances
            .values_mut()
            .map(|instance| &mut instance.interface)
            .chain(region.interfaces.values_mut().map(|i| &mut i.interface))
            .find(|interface| interface.id == id)
            .map(|interface| &mut interface.tags),
        _ if network.iter().any(|known| known == id) => {
            Some(region.network_tags.entry(id.to_owned()).or_default())
        }
        _ => None,
    }
    .ok_or_else(missing)
}

fn kind_of(id: &str) -> Result<Kind, ApiError> {
    let prefix = id.split('-').next().unwrap_or_default();
    [
        ids::INSTANCE,
        ids::VOLUME,
        ids::SNAPSHOT,
        ids::IMAGE,
        ids::GROUP,
        ids::RULE,
        ids::INTERFACE,
        ids::VPC,
        ids::SUBNET,
        ids::ADDRESS,
        ids::KEY_PAIR,
        ids::LAUNCH_TEMPLATE,
    ]
    .into_iter()
    .find(|kind| kind.prefix == prefix)
    .ok_or_else(|| {
        let shown: String = id.chars().take(100).collect();
        ApiError::new("InvalidID", format!("The ID '{shown}' is not valid"))
    })
}
