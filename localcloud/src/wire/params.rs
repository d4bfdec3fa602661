//! Parameters of a Query request: `Filter.1.Value.2=x` read as a tree.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::ParameterError;

/// Most parts of names one request may have, which is what takes memory: a thousand metrics with some
/// dimensions each fit.
const MOST_PARTS: usize = 50_000;
/// Deepest nesting of names; AWS's own deepest is about seven.
const DEEPEST_NAME: usize = 16;

/// The parameters of a request, or of one structure in it.
///
/// Names are paths: `sub("IamInstanceProfile")` is the structure below that name, `list("InstanceId")`
/// reads `InstanceId.1`, `InstanceId.2` and also `InstanceId.member.1` and, for lists that name their
/// members as RDS does, `InstanceIds.InstanceId.1`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params {
    path: String,
    value: Option<String>,
    children: BTreeMap<String, Params>,
}

impl Params {
    /// Reads a form body (or a query string).
    ///
    /// # Errors
    /// A name given twice, one nested too deep, or too many of them.
    pub fn parse(form: &[u8]) -> Result<Self, ParameterError> {
        let mut root = Self::default();
        let mut parts = 0;
        for (name, value) in form_urlencoded::parse(form) {
            parts += root.insert(&name, value.into_owned())?;
            if parts > MOST_PARTS {
                return Err(invalid(&name, "", "There are too many parameters."));
            }
        }
        Ok(root)
    }

    /// Adds a parameter; tells how many parts of its name were not there yet.
    fn insert(&mut self, name: &str, value: String) -> Result<usize, ParameterError> {
        if name.split('.').count() > DEEPEST_NAME {
            return Err(invalid(name, "", "The name has too many parts."));
        }
        let mut node = self;
        let mut added = 0;
        for part in name.split('.') {
            let path = if node.path.is_empty() {
                part.to_owned()
            } else {
                format!("{}.{part}", node.path)
            };
            node = node.children.entry(part.to_owned()).or_insert_with(|| {
                added += 1;
                Self {
                    path,
                    ..Self::default()
                }
            });
        }
        if node.value.is_some() {
            return Err(invalid(name, &value, "It is given twice."));
        }
        node.value = Some(value);
        Ok(added)
    }

    /// The action asked for.
    ///
    /// # Errors
    /// There is no parameter `Action`.
    pub fn action(&self) -> Result<&str, ParameterError> {
        self.required("Action")
    }

    /// Whether nothing at all is given here.
    pub fn is_empty(&self) -> bool {
        self.value.is_none() && self.children.is_empty()
    }

    /// The structure below a name; empty when nothing is given.
    pub fn sub(&self, name: &str) -> Self {
        name.split('.')
            .try_fold(self, |node, part| node.children.get(part))
            .cloned()
            .unwrap_or_else(|| Self {
                path: self.full_name(name),
                ..Self::default()
            })
    }

    /// A parameter's text.
    pub fn get(&self, name: &str) -> Option<&str> {
        name.split('.')
            .try_fold(self, |node, part| node.children.get(part))?
            .value
            .as_deref()
    }

    /// A parameter's text, which must be there and not empty.
    ///
    /// # Errors
    /// It is missing or empty.
    pub fn required(&self, name: &str) -> Result<&str, ParameterError> {
        match self.get(name) {
            Some(value) if !value.is_empty() => Ok(value),
            _ => Err(ParameterError::Missing(self.full_name(name))),
        }
    }

    /// A boolean.
    ///
    /// # Errors
    /// The value is neither `true` nor `false`.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, ParameterError> {
        match self.get(name) {
            None => Ok(None),
            Some("true" | "True") => Ok(Some(true)),
            Some("false" | "False") => Ok(Some(false)),
            Some(value) => Err(invalid(&self.full_name(name), value, "Use true or false.")),
        }
    }

    /// A whole number.
    ///
    /// # Errors
    /// The value is not a whole number.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, ParameterError> {
        self.get(name)
            .map(|value| {
                value
                    .parse()
                    .map_err(|_| invalid(&self.full_name(name), value, "Use a whole number."))
            })
            .transpose()
    }

    /// The texts of a list, in the order of their numbers.
    pub fn list(&self, name: &str) -> Vec<String> {
        self.structures(name)
            .into_iter()
            .filter_map(|item| item.value)
            .collect()
    }

    /// The structures of a list, in the order of their numbers.
    pub fn structures(&self, name: &str) -> Vec<Self> {
        let Some(mut node) = name
            .split('.')
            .try_fold(self, |node, part| node.children.get(part))
        else {
            return Vec::new();
        };
        // `Name.member.1`, and `Names.Name.1` where the list names its members.
        if let [(key, only)] = node.children.iter().collect::<Vec<_>>()[..]
            && key.parse::<u32>().is_err()
        {
            node = only;
        }
        let mut items: Vec<(u32, &Self)> = node
            .children
            .iter()
            .filter_map(|(key, item)| Some((key.parse().ok()?, item)))
            .collect();
        items.sort_by_key(|(number, _)| *number);
        items.into_iter().map(|(_, item)| item.clone()).collect()
    }

    /// This structure's own text, where an item of a list is not a structure.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// Names given directly below this one.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.children.keys().map(String::as_str)
    }

    /// Hash of everything given except some names at the top: equal for requests that ask the same.
    pub fn fingerprint(&self, except: &[&str]) -> String {
        let mut hash = Sha256::new();
        for (name, child) in &self.children {
            if !except.contains(&name.as_str()) {
                child.hash_into(&mut hash);
            }
        }
        hex::encode(hash.finalize())
    }

    fn hash_into(&self, hash: &mut Sha256) {
        if let Some(value) = &self.value {
            // Lengths first, so that no two different requests give the same bytes.
            for part in [&self.path, value] {
                hash.update(part.len().to_be_bytes());
                hash.update(part);
            }
        }
        for child in self.children.values() {
            child.hash_into(hash);
        }
    }

    /// A name here as the caller wrote it, with everything above it.
    pub fn full_name(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// An error about a parameter of this structure.
    pub fn invalid(&self, name: &str, expected: impl Into<String>) -> ParameterError {
        invalid(
            &self.full_name(name),
            self.get(name).unwrap_or_default(),
            expected,
        )
    }
}

fn invalid(name: &str, value: &str, expected: impl Into<String>) -> ParameterError {
    ParameterError::Invalid {
        name: name.chars().take(200).collect(),
        value: value.chars().take(200).collect(),
        expected: expected.into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lists_are_read_in_the_order_of_their_numbers() {
        let params = Params::parse(b"Action=X&Id.10=c&Id.2=b&Id.1=a").unwrap();
        assert_eq!(params.list("Id"), ["a", "b", "c"]);
        assert_eq!(params.action().unwrap(), "X");
    }

    #[test]
    fn members_may_be_named() {
        let params =
            Params::parse(b"Tags.member.1.Key=k&Ids.Id.1=x&Ids.Id.2=y&Tags.member.1.Value=v%20w")
                .unwrap();
        assert_eq!(params.list("Ids"), ["x", "y"]);
        let tags = params.structures("Tags");
        assert_eq!(tags.len(), 1);
        assert_eq!(tags[0].get("Value"), Some("v w"));
        assert_eq!(tags[0].full_name("Value"), "Tags.member.1.Value");
    }

    #[test]
    fn what_is_missing_is_named_in_full() {
        let params = Params::parse(b"A.B=1").unwrap();
        assert_eq!(
            params.sub("A").required("C"),
            Err(ParameterError::Missing("A.C".into()))
        );
        assert!(params.sub("Nothing").is_empty());
        assert!(params.sub("A").integer("B").unwrap() == Some(1));
        assert!(params.sub("A").boolean("B").is_err());
    }

    #[test]
    fn hostile_forms_are_refused() {
        assert!(Params::parse(b"A=1&A=2").is_err());
        assert!(Params::parse(&[b"a".as_slice(), &b".a".repeat(1000)].concat()).is_err());
        assert!(Params::parse(b"").is_ok_and(|params| params.is_empty()));
        let many = |count, name: &str| -> String {
            let parameters = (0..count).map(|n| format!("{name}{n}=1&"));
            parameters.collect()
        };
        assert!(Params::parse(many(50_000, "p").as_bytes()).is_ok());
        assert!(Params::parse(many(50_001, "p").as_bytes()).is_err());
        let deep = ".a".repeat(14);
        assert!(Params::parse(many(4_000, &format!("p{deep}.")).as_bytes()).is_ok());
        let forked = (0..4_000).map(|n| format!("p{n}{deep}=1&"));
        assert!(Params::parse(forked.collect::<String>().as_bytes()).is_err());
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

        /// Whatever is given can be asked for by its name.
        #[test]
        fn any_form_is_read_or_refused(body in "([a-zA-Z0-9.]{0,12}(=[^&]{0,8})?&){0,6}") {
            if let Ok(params) = Params::parse(body.as_bytes()) {
                for (name, value) in form_urlencoded::parse(body.as_bytes()) {
                    proptest::prop_assert_eq!(params.get(&name), Some(value.as_ref()));
                }
                params.structures("a");
                params.fingerprint(&["Action"]);
            }
        }
    }
}
