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

/// A front-end and its manager.
#[derive(Debug)]
pub struct Deployment {
    address: Address,
    front_end: Client,
    manager: Client,
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
    pub fn new(front_end: &Address, manager: &Address) -> Self {
        Self {
            address: front_end.clone(),
            front_end: Client::new(front_end, ANSWER),
            manager: Client::new(manager, ANSWER),
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

    /// Waits until so many nodes are wished for, and serve.
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
            let last = match self.manager.get("/metrics").await {
                Ok(answer) => match is_settled(&text(&answer), nodes) {
                    Ok(()) => return Ok(()),
                    Err(why) => why,
                },
                Err(problem) => format!("the manager's figures: {problem}"),
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

/// Whether a manager's figures say that the pool has so many nodes, or what they say instead. One
/// that tells whether anything comes or goes (`pool_steady`) is believed.
fn is_settled(figures: &str, nodes: u32) -> Result<(), String> {
    let count = |series| value(figures, series).map(|count| count as u32);
    let wanted = count("pool_nodes_wanted").ok_or("the manager tells no figures of a pool")?;
    let serving = count("pool_nodes_serving").unwrap_or_default();
    let is_steady = value(figures, "pool_steady") != Some(0.0);
    match (wanted == nodes, serving == nodes) {
        (false, _) => Err(format!("{wanted} are wished for by now")),
        (true, false) => Err(format!("{serving} serve")),
        (true, true) if !is_steady => Err("nodes still come or go".to_owned()),
        (true, true) => Ok(()),
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

    fn figures(wanted: u32, serving: u32) -> String {
        format!("pool_nodes_wanted {wanted}\npool_nodes_serving {serving}\n")
    }

    #[test]
    fn a_pool_is_settled_when_as_many_serve_as_are_wished_for() {
        assert_eq!(is_settled(&figures(4, 4), 4), Ok(()));
        for (told, why) in [
            (figures(2, 2), "2 are wished for by now"),
            (figures(4, 3), "3 serve"),
            (figures(4, 4) + "pool_steady 0\n", "nodes still come or go"),
            (
                "<html>".to_owned(),
                "the manager tells no figures of a pool",
            ),
        ] {
            assert_eq!(is_settled(&told, 4), Err(why.to_owned()));
        }
        assert_eq!(is_settled(&(figures(4, 4) + "pool_steady 1\n"), 4), Ok(()));
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
