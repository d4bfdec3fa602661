//! The line of the user data that says what this instance is for.

use serde::Deserialize;

/// How the line begins.
const MARK: &str = "# bivouac:";

/// What this instance is for, and where its settings are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Order {
    /// The deployment it belongs to.
    pub deployment: String,
    /// The region of the deployment.
    pub region: String,
    /// The deployment's bucket.
    pub bucket: String,
    /// What it is in the blueprint, such as `instance/manager`.
    pub resource: String,
    /// The key of its settings in the bucket.
    pub settings: String,
    /// The key of its secrets in the bucket.
    pub secrets: String,
}

/// Why user data is no order.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The instance has no user data.
    #[error("this instance has none; it was not started by bivouac")]
    None,
    /// No line is ours.
    #[error("it has no line that begins with `{MARK}`")]
    NoLine,
    /// Several lines claim to be ours.
    #[error("{0} lines begin with `{MARK}`, one is expected")]
    Several(usize),
    /// The line is not what we write.
    #[error("the line that begins with `{MARK}` is not the expected JSON")]
    Malformed(#[source] serde_json::Error),
    /// A field says nothing.
    #[error("the line that begins with `{MARK}` has an empty `{0}`")]
    Empty(&'static str),
}

impl Order {
    /// Finds the order in user data and ignores the rest of it.
    ///
    /// # Errors
    /// When there is not exactly one such line, or it does not hold what is needed.
    pub fn parse(user_data: &str) -> Result<Self, OrderError> {
        let lines: Vec<&str> = user_data
            .lines()
            .filter_map(|line| line.strip_prefix(MARK))
            .collect();
        let [line] = lines[..] else {
            return Err(if lines.is_empty() {
                OrderError::NoLine
            } else {
                OrderError::Several(lines.len())
            });
        };
        let order: Self = serde_json::from_str(line).map_err(OrderError::Malformed)?;
        for (name, value) in [
            ("region", &order.region),
            ("bucket", &order.bucket),
            ("settings", &order.settings),
            ("secrets", &order.secrets),
        ] {
            if value.is_empty() {
                return Err(OrderError::Empty(name));
            }
        }
        Ok(order)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const LINE: &str = r##"# bivouac: {"deployment":"d","region":"us-east-1","bucket":"b","resource":"pool/cache","settings":"s","secrets":"x","expires":"later"}"##;

    #[test]
    fn the_line_is_found_among_others() {
        let order = Order::parse(&format!("#!/bin/bash\r\n{LINE}\r\nexit 0\n")).unwrap();
        assert_eq!(
            (order.bucket.as_str(), order.resource.as_str()),
            ("b", "pool/cache")
        );
    }

    #[test]
    fn what_is_no_order_is_told_apart() {
        let parse = |text: &str| Order::parse(text).unwrap_err();
        assert!(matches!(parse(""), OrderError::NoLine));
        assert!(matches!(
            parse("#!/bin/bash\necho '# bivouac: {}'"),
            OrderError::NoLine
        ));
        assert!(matches!(
            parse(&format!("{LINE}\n{LINE}")),
            OrderError::Several(2)
        ));
        assert!(matches!(parse("# bivouac: {"), OrderError::Malformed(_)));
        assert!(matches!(parse("# bivouac: {}"), OrderError::Malformed(_)));
        assert!(matches!(
            parse(&LINE.replace(r#""b""#, r#""""#)),
            OrderError::Empty("bucket")
        ));
    }
}
