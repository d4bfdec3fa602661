//! Scripts and templates must have LF line ends: with CRLF the kernel looks for an interpreter
//! called `bash\r`, and an instance fails at boot, where nobody sees why.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Reads every script and template that git tracks and names those with a CR in a line end.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let output = Command::new("git")
        .current_dir(root)
        .args(["ls-files", "-z", "--", "*.hbs", "*.sh", ".ci/run"])
        .output()
        .map_err(|error| format!("cannot start git: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "`git ls-files` failed: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let listing = String::from_utf8_lossy(&output.stdout);
    let files: Vec<&str> = listing
        .split('\0')
        .filter(|name| !name.is_empty())
        .collect();
    let mut wrong = Vec::new();
    for name in &files {
        match fs::read(root.join(name)) {
            Ok(content) if has_crlf(&content) => wrong.push(format!("{name}: has CRLF line ends")),
            Ok(_) => {}
            Err(error) => wrong.push(format!("{name}: cannot be read: {error}")),
        }
    }
    if wrong.is_empty() {
        println!("{} scripts and templates have LF line ends", files.len());
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

fn has_crlf(content: &[u8]) -> bool {
    content.windows(2).any(|pair| pair == b"\r\n")
}

#[cfg(test)]
mod tests {
    use super::has_crlf;

    #[test]
    fn crlf_is_found_wherever_it_is() {
        assert!(has_crlf(b"#!/bin/bash\r\n"));
        assert!(has_crlf(b"first\nsecond\r\nthird\n"));
        assert!(!has_crlf(b"#!/bin/bash\necho done\n"));
        assert!(!has_crlf(b""));
    }
}
