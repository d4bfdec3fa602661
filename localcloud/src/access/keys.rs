//! What the conditions of a policy can ask about a request.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>

use std::collections::BTreeMap;

/// Condition keys with their values. The case of a key does not matter, that of a value does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(BTreeMap<String, Vec<String>>);

impl Keys {
    /// With a key that has one value.
    #[must_use]
    pub fn with(self, key: &str, value: impl Into<String>) -> Self {
        self.with_all(key, [value.into()])
    }

    /// With a key that may have several values. Without any it is as if the key were not there.
    #[must_use]
    pub fn with_all(mut self, key: &str, values: impl IntoIterator<Item = String>) -> Self {
        let values: Vec<String> = values.into_iter().collect();
        if !values.is_empty() {
            self.0.insert(key.to_ascii_lowercase(), values);
        }
        self
    }

    /// With the key if there is a value for it.
    #[must_use]
    pub fn with_some(self, key: &str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// With a key for each tag: `prefix/<tag>`.
    #[must_use]
    pub fn with_tags<'a>(
        self,
        prefix: &str,
        tags: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> Self {
        tags.into_iter().fold(self, |keys, (key, value)| {
            keys.with(&format!("{prefix}/{key}"), value)
        })
    }

    /// With the tags that a request gives to something: `aws:RequestTag/<tag>` and `aws:TagKeys`.
    #[must_use]
    pub fn with_requested_tags(self, tags: &[(String, String)]) -> Self {
        self.with_tags(
            "aws:RequestTag",
            tags.iter().map(|(key, value)| (key, value)),
        )
        .with_all("aws:TagKeys", tags.iter().map(|(key, _)| key.clone()))
    }

    /// With all keys of another set, which take precedence.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// The values of a key; at least one if the key is there.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[String]> {
        if let Some(values) = self.0.get(key) {
            return Some(values);
        }
        self.0.get(&key.to_ascii_lowercase()).map(Vec::as_slice)
    }

    /// The value of a key that has exactly one.
    #[must_use]
    pub fn one(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            [value] => Some(value),
            _ => None,
        }
    }
}
