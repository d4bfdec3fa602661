//! What was measured, for people.

use std::fmt;

use super::cost::{Cost, median};
use super::stage::Stage;

/// A server's figures at one size: medians over the rounds.
#[derive(Debug, Clone, Copy)]
struct Figures {
    cpu: f64,
    rate: f64,
    /// Its processor time over that of the server that is ours.
    against: f64,
}

#[derive(Debug)]
struct Row {
    size: usize,
    figures: Vec<Figures>,
}

/// One part's figures.
#[derive(Debug)]
pub struct Table {
    title: &'static str,
    note: Option<String>,
    servers: Vec<&'static str>,
    /// The place of ours among the servers.
    ours: usize,
    rows: Vec<Row>,
}

impl Table {
    pub(super) fn new(stage: &Stage) -> Self {
        Self {
            title: stage.title,
            note: stage.note.clone(),
            servers: stage.subjects.iter().map(|subject| subject.name).collect(),
            ours: stage.ours,
            rows: Vec::new(),
        }
    }

    /// Adds the costs at one size: for each server, one a round.
    pub(super) fn add(&mut self, size: usize, costs: &[Vec<Cost>]) {
        let Some(ours) = costs.get(self.ours) else {
            return;
        };
        let figures = costs.iter().map(|theirs| Figures {
            cpu: median(theirs.iter().map(|cost| cost.cpu)),
            rate: median(theirs.iter().map(|cost| cost.rate)),
            // Round by round: what disturbs one turn is likely to have disturbed the next.
            against: median(
                theirs
                    .iter()
                    .zip(ours)
                    .map(|(theirs, ours)| theirs.cpu / ours.cpu),
            ),
        });
        let figures = figures.collect();
        self.rows.push(Row { size, figures });
    }

    fn others(&self) -> impl Iterator<Item = (usize, &'static str)> {
        let ours = self.ours;
        let servers = self.servers.iter().copied().enumerate();
        servers.filter(move |(place, _)| *place != ours)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.title)?;
        if let Some(note) = &self.note {
            writeln!(formatter, "{note}")?;
        }
        let servers: String = self
            .servers
            .iter()
            .map(|name| format!("{name:>22}"))
            .collect();
        let others: String = self
            .others()
            .map(|(_, name)| format!("{name:>14}"))
            .collect();
        writeln!(formatter, "\n{:>8}{servers}{others}", "")?;
        let units = format!("{:>9}{:>13}", "µs", "requests/s").repeat(self.servers.len());
        let ratios = format!("{:>14}", "/ ours").repeat(self.servers.len() - 1);
        writeln!(formatter, "{:>8}{units}{ratios}", "")?;
        for Row { size, figures } in &self.rows {
            write!(formatter, "{:>8}", named(*size))?;
            for Figures { cpu, rate, .. } in figures {
                write!(formatter, "{cpu:>9.1}{rate:>13.0}")?;
            }
            for (place, _) in self.others() {
                let against = figures
                    .get(place)
                    .map_or(f64::NAN, |figures| figures.against);
                write!(formatter, "{against:>14.2}")?;
            }
            writeln!(formatter)?;
        }
        Ok(())
    }
}

fn named(size: usize) -> String {
    match size >> 10 {
        1024 => "1 MB".to_owned(),
        kilobytes => format!("{kilobytes} KB"),
    }
}
