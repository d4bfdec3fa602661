//! Just enough of TOML to see whether a manifest sets one key to one plain value.

/// True if `manifest` sets the dotted `key` to `value`, written as in the file (strings quoted).
/// `[lints]` with `workspace = true` and `lints.workspace = true` are the same.
pub(super) fn says(manifest: &str, key: &str, value: &str) -> bool {
    let mut table = String::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            name.trim().clone_into(&mut table);
        } else if let Some((name, right)) = line.split_once('=') {
            let name = name.trim();
            let full = if table.is_empty() {
                name.to_owned()
            } else {
                format!("{table}.{name}")
            };
            let right = right.split('#').next().unwrap_or_default().trim();
            if full == key && right == value {
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::says;

    #[test]
    fn a_key_is_found_in_its_table_only() {
        assert!(says(
            "[lints]\nworkspace = true\n",
            "lints.workspace",
            "true"
        ));
        assert!(says(
            "lints.workspace = true # shared\n[package]\n",
            "lints.workspace",
            "true"
        ));
        assert!(!says(
            "[dependencies]\nworkspace = true\n",
            "lints.workspace",
            "true"
        ));
        assert!(!says(
            "[lints]\nworkspace = false\n",
            "lints.workspace",
            "true"
        ));
        assert!(!says(
            "# [lints]\n# workspace = true\n",
            "lints.workspace",
            "true"
        ));
        assert!(!says("", "lints.workspace", "true"));
    }

    #[test]
    fn strings_keep_their_quotes() {
        let text = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\n";
        assert!(says(text, "workspace.lints.rust.unsafe_code", "\"forbid\""));
        let text = "[workspace.lints.rust]\nunsafe_code = \"deny\"\n";
        assert!(!says(
            text,
            "workspace.lints.rust.unsafe_code",
            "\"forbid\""
        ));
    }
}
