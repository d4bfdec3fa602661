//! Texts in policies: wildcards, variables, ARNs.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>

use super::keys::Keys;

/// What stands for itself in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Syntax {
    /// `*` is any text and `?` any character.
    pub(super) wildcards: bool,
    /// `${key}` is the value of a condition key: in policies of version 2012-10-17.
    pub(super) variables: bool,
}

/// A text of a policy that texts of requests are held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// `*`
    Any,
    /// `?`
    One,
    This(char),
    Variable {
        key: String,
        default: Option<String>,
    },
}

impl Pattern {
    /// Reads a text.
    ///
    /// # Errors
    /// A variable is not closed, or its default is not in quotes.
    pub(super) fn parse(text: &str, syntax: Syntax) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if syntax.variables
                && let Some(inside) = rest.strip_prefix("${")
            {
                let (name, after) = inside
                    .split_once('}')
                    .ok_or_else(|| format!("the variable in {text:?} has no closing brace"))?;
                parts.push(variable(name)?);
                rest = after;
                continue;
            }
            parts.push(match first {
                '*' if syntax.wildcards => Part::Any,
                '?' if syntax.wildcards => Part::One,
                this => Part::This(this),
            });
            rest = &rest[first.len_utf8()..];
        }
        Ok(Self(parts))
    }

    /// Whether a text is one of those meant. A variable without a value is like no text.
    pub(super) fn matches(&self, text: &str, keys: &Keys) -> bool {
        if self
            .0
            .iter()
            .any(|part| matches!(part, Part::Variable { .. }))
        {
            return self.filled_in(keys).is_some_and(|parts| fits(&parts, text));
        }
        fits(&self.0, text)
    }

    /// The same whatever the case.
    pub(super) fn matches_any_case(&self, text: &str, keys: &Keys) -> bool {
        let Some(parts) = self.filled_in(keys) else {
            return false;
        };
        let lower = |part: Part| match part {
            Part::This(character) => character.to_lowercase().map(Part::This).collect(),
            other => vec![other],
        };
        let parts: Vec<Part> = parts.into_iter().flat_map(lower).collect();
        fits(&parts, &text.to_lowercase())
    }

    fn filled_in(&self, keys: &Keys) -> Option<Vec<Part>> {
        let mut parts = Vec::with_capacity(self.0.len());
        for part in &self.0 {
            match part {
                // What a value contains stands for itself: no caller's tag becomes a wildcard.
                Part::Variable { key, default } => {
                    let value = keys.one(key).or(default.as_deref())?;
                    parts.extend(value.chars().map(Part::This));
                }
                other => parts.push(other.clone()),
            }
        }
        Some(parts)
    }
}

/// `${*}`, `${?}` and `${$}` are the characters themselves.
fn variable(name: &str) -> Result<Part, String> {
    if let "*" | "?" | "$" = name {
        return Ok(Part::This(name.chars().next().unwrap_or('$')));
    }
    let (key, default) = match name.split_once(',') {
        None => (name, None),
        Some((key, default)) => {
            let default = default
                .trim()
                .strip_prefix('\'')
                .and_then(|text| text.strip_suffix('\''))
                .ok_or_else(|| format!("the default in ${{{name}}} is not in single quotes"))?;
            (key, Some(default.to_owned()))
        }
    };
    Ok(Part::Variable {
        key: key.trim().to_ascii_lowercase(),
        default,
    })
}

/// Goes back to the last `*` only, so that the time is bounded by the product of the lengths.
fn fits(parts: &[Part], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut part, mut at) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match parts.get(part) {
            Some(Part::Any) => {
                star = Some((part, at));
                part += 1;
            }
            Some(Part::One) => {
                part += 1;
                at += 1;
            }
            Some(Part::This(character)) if *character == text[at] => {
                part += 1;
                at += 1;
            }
            _ => {
                let Some((of_star, begun)) = star else {
                    return false;
                };
                star = Some((of_star, begun + 1));
                part = of_star + 1;
                at = begun + 1;
            }
        }
    }
    parts[part..].iter().all(|part| *part == Part::Any)
}

/// A `Resource`, or a value that an ARN is held against: `*`, or an ARN whose six parts are patterns
/// each. No wildcard reaches over the colons between the first five.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ArnPattern {
    Everything,
    Parts(Vec<Pattern>),
}

const ARN_PARTS: usize = 6;

impl ArnPattern {
    /// Reads a text.
    ///
    /// # Errors
    /// It is neither `*` nor an ARN.
    pub(super) fn parse(text: &str, variables: bool) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Everything);
        }
        let parts: Vec<&str> = text.splitn(ARN_PARTS, ':').collect();
        if parts.len() < ARN_PARTS || parts[0] != "arn" {
            return Err(format!("Resource {text} must be in ARN format or \"*\"."));
        }
        let syntax = Syntax {
            wildcards: true,
            variables,
        };
        let parts: Result<_, _> = parts
            .into_iter()
            .map(|part| Pattern::parse(part, syntax))
            .collect();
        parts.map(Self::Parts)
    }

    /// Whether an ARN is one of those meant. Of the resource `*`, which calls have that act on nothing
    /// that can be named, only `*` speaks.
    pub(super) fn matches(&self, arn: &str, keys: &Keys) -> bool {
        match self {
            Self::Everything => true,
            Self::Parts(patterns) => {
                let parts: Vec<&str> = arn.splitn(ARN_PARTS, ':').collect();
                parts.len() == patterns.len()
                    && patterns
                        .iter()
                        .zip(parts)
                        .all(|(pattern, part)| pattern.matches(part, keys))
            }
        }
    }
}
