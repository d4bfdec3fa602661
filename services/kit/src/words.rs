//! Numbers and messages as the pages tell them to people.

use http::StatusCode;

/// Bytes in the unit that fits. A MB is 1,048,576 bytes, as in the wire contract's `cacheSize`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "told with at most one decimal")]
pub fn size(bytes: u64) -> String {
    const STEPS: [(&str, u64); 3] = [("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)];
    match STEPS.iter().find(|(_, step)| bytes >= *step) {
        Some((unit, step)) => {
            let amount = bytes as f64 / *step as f64;
            let digits = usize::from(amount < 10.0 && !bytes.is_multiple_of(*step));
            format!("{amount:.digits$} {unit}")
        }
        None => format!("{bytes} B"),
    }
}

/// The heading of a page that says what went wrong.
#[must_use]
pub fn trouble(status: StatusCode) -> &'static str {
    match status.as_u16() {
        404 => "Nothing here",
        401 => "Log in first",
        403 => "Not from there",
        405 => "Not like this",
        400 => "That does not work",
        413 | 415 => "That file is not taken",
        429 | 503 | 507 => "Not available right now",
        _ => "Something broke",
    }
}

/// A number with its thousands apart.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A message as a sentence of its own.
#[must_use]
pub fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let mut text: String = characters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    text.push_str(characters.as_str());
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_unit_that_fits() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KB");
        assert_eq!(size(791_555), "773 KB");
        assert_eq!(size(25 << 20), "25 MB");
        assert_eq!(size(3 << 30), "3 GB");
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234), "1,234");
        assert_eq!(grouped(26_214_400), "26,214,400");
    }

    #[test]
    fn a_message_becomes_a_sentence() {
        assert_eq!(sentence("the key is empty"), "The key is empty.");
        assert_eq!(sentence("Élan."), "Élan.");
        assert_eq!(sentence(""), ".");
    }
}
