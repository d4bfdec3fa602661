//! The grammar: blueprint and recipe as they are written. Reading and the JSON Schema both come
//! from these types, so neither can know a key that the other does not.

mod sources;
mod units;

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::reader::{At, Field};
use super::{Api, BaseImage, CpuCredits, Policy, Service};
use crate::expiry::Lifetime;

pub(crate) use sources::RawSources;
pub(crate) use units::{Bytes, GIB, MIB, Money};

/// The pattern of a resource's name; its checked form is `ResourceName`.
const RESOURCE_NAME: &str = "^[a-z]([a-z0-9]|-[a-z0-9]){0,15}$";

/// A deployment: what it is made of, and how the parts refer to each other by name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "Bivouac blueprint")]
pub(crate) struct RawBlueprint {
    /// The version of this grammar: 1.
    #[schemars(range(min = 1, max = 1))]
    pub(crate) bivouac: Field<i64>,
    /// The deployment's name: 2 to 24 lower-case letters, digits and single hyphens.
    #[schemars(
        regex(pattern = "^[a-z]([a-z0-9]|-[a-z0-9])*$"),
        length(min = 2, max = 24)
    )]
    pub(crate) name: Field<String>,
    /// The AWS region, for example `us-east-1`.
    pub(crate) region: Field<String>,
    /// How long it lives from its first `up` on, for example `8h`, `90m` or `1h30m`. When left out:
    /// 8 hours on an account, for ever on a laptop.
    #[serde(default)]
    pub(crate) ttl: Field<Lifetime>,
    /// What it may cost at the worst; what would cost more is refused.
    #[serde(default)]
    pub(crate) budget: Field<RawBudget>,
    /// How many instances may run in the account at once, whosever they are; 9 in a Learner Lab, where
    /// more are ended, and as many as AWS allows elsewhere, when left out.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) max_instances: Field<i64>,
    /// Who may reach what.
    #[serde(default)]
    pub(crate) security_groups: Field<Named<RawSecurityGroup>>,
    /// What the instances may do in the account.
    #[serde(default)]
    pub(crate) iam_roles: Field<Named<RawRole>>,
    /// PostgreSQL databases.
    #[serde(default)]
    pub(crate) databases: Field<Named<RawDatabase>>,
    /// S3 buckets, at least one: it also holds the deployment's programs and settings.
    pub(crate) buckets: Field<Named<RawBucket>>,
    /// Machine images that are baked before pools start from them.
    #[serde(default)]
    pub(crate) images: Field<Named<RawImage>>,
    /// Single instances.
    #[serde(default)]
    pub(crate) instances: Field<Named<RawInstance>>,
    /// Pools of equal instances.
    #[serde(default)]
    pub(crate) pools: Field<Named<RawPool>>,
}

/// What a deployment may cost with its largest pool and every processor busy: one of both, or both.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Budget")]
pub(crate) struct RawBudget {
    /// In an hour, for example `0.40 USD`.
    #[serde(default)]
    pub(crate) per_hour: Field<Money>,
    /// Until it expires, for example `5 USD`.
    #[serde(default)]
    pub(crate) total: Field<Money>,
}

/// What may come in. All may go out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "SecurityGroup")]
pub(crate) struct RawSecurityGroup {
    /// The rules.
    #[serde(default)]
    pub(crate) ingress: Field<Vec<Field<RawIngress>>>,
}

/// One rule: a TCP port, or a range of them, and who may reach it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Ingress")]
pub(crate) struct RawIngress {
    /// One port. Either this or `ports`.
    #[serde(default)]
    #[schemars(range(min = 1, max = 65535))]
    pub(crate) port: Field<i64>,
    /// First and last port, for example `5000-5001`. Either this or `port`.
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9]+ *- *[0-9]+$"))]
    pub(crate) ports: Field<String>,
    /// Who gets in.
    pub(crate) from: Field<RawSources>,
}

/// A role for instances: a policy of ours, or an instance profile that the account has.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Role")]
pub(crate) struct RawRole {
    /// The policy's template, a file named from the blueprint's folder.
    #[serde(default)]
    pub(crate) allow: Field<String>,
    /// The name of an instance profile that exists, for example `LabInstanceProfile`.
    #[serde(default)]
    pub(crate) existing: Field<String>,
}

/// An RDS database.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Database")]
pub(crate) struct RawDatabase {
    /// The engine.
    pub(crate) engine: Field<RawEngine>,
    /// PostgreSQL's major version; AWS's default when left out.
    #[serde(default)]
    #[schemars(range(min = 14, max = 18))]
    pub(crate) version: Field<i64>,
    /// The instance class, for example `db.t4g.micro`.
    pub(crate) class: Field<String>,
    /// The storage, 20 GiB at least.
    pub(crate) storage: Field<Bytes>,
    /// Its security group.
    pub(crate) security_group: Field<String>,
}

/// The engine of a database.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Engine")]
pub(crate) enum RawEngine {
    /// PostgreSQL.
    Postgres,
}

/// A bucket; it has no settings of its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Bucket")]
pub(crate) struct RawBucket {}

/// An image: a base system and a recipe.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Image")]
pub(crate) struct RawImage {
    /// The system it starts from.
    pub(crate) base: Field<BaseImage>,
    /// The recipe, a file named from the blueprint's folder.
    pub(crate) recipe: Field<String>,
}

/// A single instance.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Instance")]
pub(crate) struct RawInstance {
    /// The instance type, for example `t3.micro`.
    #[serde(rename = "type")]
    pub(crate) machine: Field<String>,
    /// The system it starts from; `amazon-linux-2023` when left out.
    #[serde(default)]
    pub(crate) base: Field<BaseImage>,
    /// Its role.
    pub(crate) role: Field<String>,
    /// Its security group.
    pub(crate) security_group: Field<String>,
    /// The services it runs.
    #[schemars(length(min = 1))]
    pub(crate) services: Field<Vec<Field<Service>>>,
    /// Who may use the API of its front-end and manager; `open` when left out.
    #[serde(default)]
    pub(crate) api: Field<Api>,
    /// `standard` slows it down when its CPU credits are used up, `unlimited` bills what it needs
    /// beyond them; AWS's choice for its type when left out: `unlimited`, but for t2.
    #[serde(default)]
    pub(crate) cpu_credits: Field<CpuCredits>,
}

/// A pool of equal instances, made and removed by the manager.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Pool")]
pub(crate) struct RawPool {
    /// The image its nodes start from.
    pub(crate) image: Field<String>,
    /// The nodes' instance type, for example `t3.micro`.
    #[serde(rename = "type")]
    pub(crate) machine: Field<String>,
    /// As for a single instance.
    #[serde(default)]
    pub(crate) cpu_credits: Field<CpuCredits>,
    /// The nodes' role.
    pub(crate) role: Field<String>,
    /// The nodes' security group.
    pub(crate) security_group: Field<String>,
    /// The service each node runs.
    pub(crate) service: Field<Service>,
    /// How many nodes there may be.
    pub(crate) size: Field<RawSize>,
    /// How each node's cache is set at the first start; later the manager's page decides.
    pub(crate) settings: Field<RawSettings>,
    /// When the pool grows and shrinks, at the first start; later the manager's page decides.
    #[serde(default)]
    pub(crate) scaling: Field<RawScaling>,
}

/// How many nodes a pool has, between 1 and 8.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Size")]
pub(crate) struct RawSize {
    /// The fewest.
    #[schemars(range(min = 1, max = 8))]
    pub(crate) min: Field<i64>,
    /// The most.
    #[schemars(range(min = 1, max = 8))]
    pub(crate) max: Field<i64>,
    /// At the first start; `min` when left out.
    #[serde(default)]
    #[schemars(range(min = 1, max = 8))]
    pub(crate) start: Field<i64>,
}

/// The settings of a node's cache.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Settings")]
pub(crate) struct RawSettings {
    /// What each node holds, in whole MiB, for example `64 MiB`.
    pub(crate) capacity: Field<Bytes>,
    /// What a full cache drops; `lru` when left out.
    #[serde(default)]
    pub(crate) policy: Field<Policy>,
    /// Whether nodes hand their entries over when the pool's table changes; `true` when left out.
    #[serde(default)]
    pub(crate) hand_over: Field<bool>,
}

/// Who decides the pool's size, and by which numbers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Scaling")]
pub(crate) struct RawScaling {
    /// Who decides.
    pub(crate) mode: Field<RawMode>,
    /// The miss rate above which the pool grows; 0.6 when left out.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) grow_above: Field<f64>,
    /// The miss rate below which the pool shrinks; 0.2 when left out.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) shrink_below: Field<f64>,
    /// The factor by which it grows, above 1; 2.0 when left out.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 1))]
    pub(crate) expand: Field<f64>,
    /// The factor by which it shrinks, between 0 and 1; 0.5 when left out.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub(crate) shrink: Field<f64>,
}

/// Who decides the size of a pool.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Mode")]
pub(crate) enum RawMode {
    /// A person, on the manager's page or through the API.
    Manual,
    /// The miss rate.
    Auto,
}

/// What goes into an image.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "Bivouac image recipe")]
#[schemars(rename = "Recipe")]
pub(crate) struct RawRecipe {
    /// The programs of ours that are installed; `boot` is always one of them.
    pub(crate) programs: Field<Vec<Field<RawProgram>>>,
    /// Shell lines that are run on the builder after that, as root.
    #[serde(default)]
    pub(crate) run: Field<Vec<Field<String>>>,
}

/// A program of ours.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Program")]
pub(crate) enum RawProgram {
    /// Starts the services of an instance.
    Boot,
    /// A node of the cache.
    CacheNode,
    /// The photo front-end.
    FrontEnd,
    /// The pool's manager.
    Manager,
    /// What decides the pool's size.
    Scaler,
    /// Takes the deployment away when it has expired.
    Teardown,
}

impl RawProgram {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            RawProgram::Boot => "boot",
            RawProgram::CacheNode => "cache-node",
            RawProgram::FrontEnd => "front-end",
            RawProgram::Manager => "manager",
            RawProgram::Scaler => "scaler",
            RawProgram::Teardown => "teardown",
        }
    }
}

/// A section: entries by name, in the file's order.
#[derive(Debug)]
pub(crate) struct Named<T>(pub(crate) Vec<(At<String>, Field<T>)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Section<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Section<T> {
            type Value = Named<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of names")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<Field<String>, Field<T>>()? {
                    entries.extend(key.set().map(|key| (key, value)));
                }
                Ok(Named(entries))
            }
        }
        deserializer.deserialize_map(Section(std::marker::PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Named{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": { "pattern": RESOURCE_NAME, "maxLength": 16 },
            "additionalProperties": generator.subschema_for::<T>(),
        })
    }
}

impl<T: JsonSchema> JsonSchema for Field<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
