//! What is wrong with a blueprint, and where: one [`Problem`] each, all of them in [`Problems`].

use std::cell::RefCell;
use std::fmt;

/// The most problems that are kept for one file; a file with more is not a blueprint.
const KEPT: usize = 100;
/// How much of a long line is shown on each side of its problem, in characters.
const AROUND: usize = 60;
/// The longest message or hint, in characters.
const LONGEST: usize = 400;

/// One thing that is wrong, at one place. `Display` writes it as plain text:
///
/// ```text
/// blueprints/elastic-cache.yaml:32:11: `t3.mirco` is not an instance type
///    32 |     type: t3.mirco
///       |           ^^^^^^^^ did you mean `t3.micro`?
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, as the user named it.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right, where it is known.
    pub help: Option<String>,
    /// The line's text, of a long one the part around the problem.
    pub excerpt: String,
    /// How many characters of the excerpt stand before what is marked.
    pub before: usize,
    /// How many characters are marked, at least 1.
    pub marked: usize,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem {
            file,
            line,
            column,
            message,
            help,
            excerpt,
            before,
            marked,
        } = self;
        writeln!(f, "{file}:{line}:{column}: {message}")?;
        let help = help.as_deref().unwrap_or("");
        if excerpt.trim().is_empty() {
            return if help.is_empty() {
                Ok(())
            } else {
                writeln!(f, "      = {help}")
            };
        }
        writeln!(f, "{line:>5} | {excerpt}")?;
        let caret = format!("{}{} {help}", " ".repeat(*before), "^".repeat(*marked));
        writeln!(f, "      | {}", caret.trim_end())
    }
}

/// Everything that is wrong with a blueprint and the files it names, at least one problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// File by file, each from top to bottom.
    pub(crate) fn new(mut problems: Vec<Problem>) -> Self {
        let mut files: Vec<String> = Vec::new();
        for problem in &problems {
            if !files.contains(&problem.file) {
                files.push(problem.file.clone());
            }
        }
        // Stable, so that the problems of one place keep the order in which they were found.
        problems.sort_by_key(|problem| {
            let file = files.iter().position(|file| *file == problem.file);
            (file, problem.line, problem.column)
        });
        problems.dedup();
        Problems(problems)
    }

    /// Each of them.
    #[must_use]
    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(Problem::to_string).collect();
        f.write_str(texts.join("\n").trim_end())?;
        if self.0.len() >= KEPT {
            write!(
                f,
                "\n\nThese are the first {}; there may be more.",
                self.0.len()
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Bytes of a file, from `start` up to but not including `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    /// The place where it begins.
    pub(crate) fn head(self) -> Span {
        Span {
            start: self.start,
            end: self.start,
        }
    }
}

/// A file that is being read, and what was found wrong with it.
pub(crate) struct Notes<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Notes<'a> {
    /// No problems yet. The file's name is the one to show.
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        Notes {
            file,
            text,
            problems: RefCell::new(Vec::new()),
        }
    }

    /// Notes a problem at that place, with what would be right.
    pub(crate) fn note(&self, span: Span, message: impl AsRef<str>, help: Option<String>) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() < KEPT {
            problems.push(self.problem(span, message.as_ref(), help));
        }
    }

    /// The line on which that place is, counted from 1.
    pub(crate) fn line(&self, span: Span) -> usize {
        self.text[..floor(self.text, span.start)]
            .matches('\n')
            .count()
            + 1
    }

    /// The text at that place.
    pub(crate) fn text_at(&self, span: Span) -> &'a str {
        self.text.get(span.start..span.end).unwrap_or("")
    }

    /// Where that line and column are, both counted from 1.
    pub(crate) fn place(&self, line: u64, column: u64) -> Span {
        let skip = |count: u64| usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX);
        let before: usize = self
            .text
            .split_inclusive('\n')
            .take(skip(line))
            .map(str::len)
            .sum();
        let within: usize = self.text[before..]
            .chars()
            .take(skip(column))
            .map(char::len_utf8)
            .sum();
        Span {
            start: before + within,
            end: before + within,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    fn problem(&self, span: Span, message: &str, help: Option<String>) -> Problem {
        let start = floor(self.text, span.start);
        let line_start = self.text[..start]
            .rfind('\n')
            .map_or(0, |newline| newline + 1);
        let line = self.text[line_start..].lines().next().unwrap_or("");
        let start = (start - line_start).min(line.len());
        let end = floor(line, span.end.saturating_sub(line_start)).max(start);

        let column = line[..start].chars().count() + 1;
        let length = line.chars().count();
        let long = length > 2 * AROUND;
        let first = if long {
            (column - 1).saturating_sub(AROUND)
        } else {
            0
        };
        let last = if long { column - 1 + AROUND } else { length };
        let shown: String = line.chars().skip(first).take(last - first).collect();
        let (left, right) = (
            if first > 0 { "… " } else { "" },
            if last < length { " …" } else { "" },
        );
        let marked = line[start..end].chars().count();
        Problem {
            file: printable(self.file),
            line: self.line(span),
            column,
            message: printable(message),
            help: help.map(|help| printable(&help)),
            excerpt: printable(format!("{left}{shown}{right}").trim_end()),
            before: column - 1 - first + left.chars().count(),
            marked: marked.min(last.saturating_sub(column - 1)).max(1),
        }
    }
}

/// The nearest character boundary at or before `index`.
fn floor(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

/// Text as it may go to a terminal: what would move the cursor, change colours or turn the
/// direction of writing is replaced, what is very long is cut.
fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '\t' => ' ',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    let mut printable: String = text.chars().take(LONGEST).map(shown).collect();
    if text.chars().nth(LONGEST).is_some() {
        printable.push('…');
    }
    printable
}

/// "did you mean", if one of `known` is near to what was found.
pub(crate) fn did_you_mean<'k>(
    found: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> Option<String> {
    nearest(found, known).map(|near| format!("did you mean `{near}`?"))
}

/// The one of `known` that `found` was probably meant to be.
#[must_use]
pub fn nearest<'k>(found: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if found.len() > 64 {
        return None;
    }
    let wanted = found.to_lowercase().replace(['_', ' '], "-");
    let near = |known: &&str| {
        let distance = strsim::damerau_levenshtein(&wanted, known);
        let length = known.chars().count();
        let shortened = wanted.len() >= 4 && known.starts_with(&wanted);
        (distance <= (length / 3).max(1) && distance < length || shortened).then_some(distance)
    };
    known
        .into_iter()
        .filter_map(|known| near(&known).map(|distance| (distance, known)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}
