//! Images and their recipes, which are files of their own.

use std::path::{Component, Path};

use super::super::problem::{Notes, Span};
use super::super::raw::{RawImage, RawProgram, RawRecipe};
use super::super::reader::{self, At, Field};
use super::super::{Image, Recipe, tree};
use super::Check;

impl Check<'_> {
    pub(super) fn check_image(&mut self, at: Span, raw: RawImage) -> Option<Image> {
        let base = self.need(at, "base", raw.base);
        let recipe = self
            .need(at, "recipe", raw.recipe)
            .and_then(|file| self.recipe(&file));
        Some(Image {
            base: base?.value,
            recipe: recipe?,
        })
    }

    /// A recipe is a file of its own, with problems of its own.
    fn recipe(&mut self, file: &At<String>) -> Option<Recipe> {
        let text = self.file(file)?;
        let name = beside(self.notes.file, &file.value);
        let notes = Notes::new(&name, text.strip_prefix('\u{feff}').unwrap_or(&text));
        let mut none = Vec::new();
        let recipe = Check {
            notes: &notes,
            files: self.files,
            elsewhere: &mut none,
        }
        .recipe_text();
        let problems = notes.into_problems();
        let right = problems.is_empty();
        self.elsewhere.extend(problems);
        recipe.filter(|_| right)
    }

    fn recipe_text(&self) -> Option<Recipe> {
        let Some(document) = tree::parse(self.notes) else {
            if self.notes.is_empty() {
                let help = "a recipe begins with `programs: [boot, cache-node]`";
                self.note_help(Span::default(), "the recipe is empty", help);
            }
            return None;
        };
        let At { value: raw, span } = reader::read::<RawRecipe>(self.notes, &document)?;
        let programs = self.need(span.head(), "programs", raw.programs)?;
        let names = self.once(programs.value)?;
        if !names.contains(&RawProgram::Boot) {
            let help = "add `boot`: it starts the services of an instance";
            self.note_help(
                programs.span.head(),
                "the recipe does not install `boot`",
                help,
            );
        }
        let run = match raw.run {
            Field::Missing => Vec::new(),
            Field::Wrong => return None,
            Field::Set(lines) => {
                let count = lines.value.len();
                let lines: Vec<String> = lines
                    .value
                    .into_iter()
                    .filter_map(|line| self.check_line(line.set()?))
                    .collect();
                (lines.len() == count).then_some(lines)?
            }
        };
        Some(Recipe {
            programs: names.iter().map(|name| name.as_str().to_owned()).collect(),
            run,
        })
    }

    fn check_line(&self, line: At<String>) -> Option<String> {
        let problem = if line.value.trim().is_empty() {
            "this line does nothing"
        } else if line.value.contains('\0') {
            "a shell line cannot hold a NUL"
        } else {
            return Some(line.value);
        };
        self.note(line.span, problem);
        None
    }
}

/// The name to show for a file that is named from the folder of another.
fn beside(file: &str, name: &str) -> String {
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    let mut shown = std::path::PathBuf::new();
    for part in folder.join(name).components() {
        let up = part == Component::ParentDir;
        if up && matches!(shown.components().next_back(), Some(Component::Normal(_))) {
            shown.pop();
        } else {
            shown.push(part);
        }
    }
    shown.display().to_string()
}
