//! The deployment that is walked: its size is asked for as its users do, and what became of that is
//! read from the figures of its services.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::figures::value;
use crate::drive::{Address, Answer, Client, NoAnswer};

/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// Why a deployment cannot be walked.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// A size was not granted.
    #[error("asking {front_end} for {nodes} nodes: {why}")]
    Refused {
        /// Who was asked.
        front_end: Address,
        /// For how many.
        nodes: u32,
        /// Its answer, or why there was none.
        why: String,
    },
    /// A size was not reached.
    #[error("the pool did not come to {nodes} nodes within {} s: {last}", patience.as_secs())]
    Unsettled {
        /// How many were asked for.
        nodes: u32,
        /// How long that was waited for.
        patience: Duration,
        /// How it was at last.
        last: String,
    },
}

/// A front-end.
#[derive(Debug)]
pub struct Deployment {
    address: Address,
    front_end: Client,
}

/// What the deployment has counted so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counters {
    hits: Hits,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Hits {
    /// Since the front-end was started.
    Counted {
        hits: f64,
        reads: f64,
    },
    /// Of the last minute, where the front-end does not count.
    Rate(f64),
    Unknown,
}

impl Counters {
    /// The part of reads since then that a node answered. Where only the rate of the last minute is
    /// known, that is it.
    pub(super) fn hit_ratio_since(&self, before: &Self) -> Option<f64> {
        match (self.hits, before.hits) {
            (
                Hits::Counted { hits, reads },
                Hits::Counted {
                    hits: old_hits,
                    reads: old_reads,
                },
            ) => (reads > old_reads).then(|| (hits - old_hits) / (reads - old_reads)),
            (Hits::Rate(rate), _) => Some(rate),
            _ => None,
        }
    }
}

impl Deployment {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new(front_end: &Address) -> Self {
        Self {
            address: front_end.clone(),
            front_end: Client::new(front_end, ANSWER),
        }
    }

    /// Wishes for so many nodes.
    ///
    /// # Errors
    /// When that is refused, or not answered.
    pub async fn ask_for(&self, nodes: u32) -> Result<(), DeploymentError> {
        let path = format!("/api/configure_cache?mode=manual&numNodes={nodes}");
        let why = match self.front_end.post(&path, None, Bytes::new()).await {
            Ok(answer) if answer.status == 200 => return Ok(()),
            Ok(answer) => format!("{} {}", answer.status, text(&answer)),
            Err(problem) => problem.to_string(),
        };
        let front_end = self.address.clone();
        Err(DeploymentError::Refused {
            front_end,
            nodes,
            why,
        })
    }

    /// Waits until the front-end has a table of so many nodes, and each of them serves.
    ///
    /// # Errors
    /// When that takes longer than `patience`.
    pub async fn until_it_has(
        &self,
        nodes: u32,
        patience: Duration,
    ) -> Result<(), DeploymentError> {
        let begun = Instant::now();
        loop {
            let last = match self.front_end.get("/metrics").await {
                Ok(answer) => match is_settled(&text(&answer), nodes) {
                    Ok(()) => return Ok(()),
                    Err(why) => why,
                },
                Err(problem) => format!("the front-end's figures: {problem}"),
            };
            if begun.elapsed() > patience {
                return Err(DeploymentError::Unsettled {
                    nodes,
                    patience,
                    last,
                });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What it has counted by now.
    pub(super) async fn counters(&self) -> Counters {
        let figures = self.front_end.get("/metrics").await;
        let hits = match counted(figures) {
            Some(hits) => hits,
            None => self.rate().await.map_or(Hits::Unknown, Hits::Rate),
        };
        Counters { hits }
    }

    async fn rate(&self) -> Option<f64> {
        let path = "/api/getRate?rate=hit";
        let answer = self.front_end.post(path, None, Bytes::new()).await.ok()?;
        let told: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
        told["value"].as_f64()
    }
}

/// Whether a front-end's figures say that its table has so many nodes, all of which serve, or what they
/// say instead.
fn is_settled(figures: &str, nodes: u32) -> Result<(), String> {
    let count = |series| value(figures, series).map(|count| count as u32);
    let places = count("pool_places").ok_or("the front-end tells no figures of a pool")?;
    let empty = count("pool_places_empty").unwrap_or_default();
    match (places == nodes, empty) {
        (true, 0) => Ok(()),
        (true, _) => Err(format!("{empty} of its places are empty")),
        (false, _) => Err(format!("its table has {places} places")),
    }
}

fn counted(figures: Result<Answer, NoAnswer>) -> Option<Hits> {
    let figures = text(&figures.ok()?);
    let count = |came_of| {
        value(
            &figures,
            &format!("photo_reads_total{{came_of=\"{came_of}\"}}"),
        )
    };
    let hits = count("hit")?;
    let others = [count("miss"), count("read_through")];
    let reads = hits + others.into_iter().flatten().sum::<f64>();
    Some(Hits::Counted { hits, reads })
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_pool_is_settled_when_as_many_serve_as_are_wished_for() {
        let figures = |places, empty| format!("pool_places {places}\npool_places_empty {empty}\n");
        assert_eq!(is_settled(&figures(4, 0), 4), Ok(()));
        for (told, why) in [
            (figures(2, 0), "its table has 2 places"),
            (figures(4, 1), "1 of its places are empty"),
            (
                "<html>".to_owned(),
                "the front-end tells no figures of a pool",
            ),
        ] {
            assert_eq!(is_settled(&told, 4), Err(why.to_owned()));
        }
    }

    #[test]
    fn a_hit_ratio_is_of_the_reads_since_then() {
        let of = |hits| Counters { hits };
        let counted = |hits, reads| of(Hits::Counted { hits, reads });
        let before = counted(10.0, 20.0);
        assert_eq!(counted(13.0, 24.0).hit_ratio_since(&before), Some(0.75));
        assert_eq!(before.hit_ratio_since(&before), None, "of no reads");
        let rate = of(Hits::Rate(0.5));
        assert_eq!(rate.hit_ratio_since(&of(Hits::Unknown)), Some(0.5));
        assert_eq!(of(Hits::Unknown).hit_ratio_since(&before), None);
    }
}
