//! Reading for everybody who looks: CloudWatch is asked when a page is looked at and there is a newer
//! minute, once for all pages. Nobody looks: nothing is asked, and nothing is paid.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::{Curves, Figures, Window};
use crate::metrics::{Metrics, Points, Series};
use crate::reconcile::chain;

/// How long a page waits for what it wants to show.
const PATIENCE: Duration = Duration::from_secs(3);

/// What can be shown at the moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The newest there is.
    pub figures: Figures,
    /// How it is.
    pub state: State,
}

/// How new a reading is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Of the newest minute.
    Current,
    /// CloudWatch has not answered yet.
    Waiting,
    /// CloudWatch did not answer; it is asked again with the next minute.
    Failed(String),
}

/// Reads the metrics for all pages.
#[derive(Clone)]
pub struct Readings {
    pool: Shared,
    nodes: Shared,
}

impl Readings {
    /// Of these metrics.
    pub fn new(metrics: Arc<dyn Metrics>) -> Self {
        Self::with_patience(metrics, PATIENCE)
    }

    fn with_patience(metrics: Arc<dyn Metrics>, patience: Duration) -> Self {
        Self {
            pool: Shared::new(metrics.clone(), patience),
            nodes: Shared::new(metrics, patience),
        }
    }

    /// The pool's figures, and each instance's own if there are any in `instances`.
    pub async fn read(&self, now: Timestamp, instances: &[String]) -> Reading {
        let window = Window::at(now);
        let of_pool = self.pool.read(Curves::series(None), window);
        let each = instances.iter();
        let series = each.flat_map(|instance| Curves::series(Some(instance)));
        let of_nodes = self.nodes.read(series.collect(), window);
        let (pool, nodes) = tokio::join!(of_pool, of_nodes);
        let mut read = nodes.points.into_iter();
        let curves = instances
            .iter()
            .map(|instance| (instance.clone(), Curves::take(&mut read)));
        Reading {
            figures: Figures {
                window,
                nodes: curves.collect(),
                pool: Curves::take(&mut pool.points.into_iter()),
            },
            state: if pool.state == State::Current {
                nodes.state
            } else {
                pool.state
            },
        }
    }
}

/// One question that all pages ask, and its newest answer.
#[derive(Clone)]
struct Shared {
    metrics: Arc<dyn Metrics>,
    patience: Duration,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    /// Up to which minute was asked.
    window: Option<Window>,
    series: Vec<Series>,
    points: Vec<Points>,
    problem: Option<String>,
}

struct Answer {
    points: Vec<Points>,
    state: State,
}

impl Shared {
    fn new(metrics: Arc<dyn Metrics>, patience: Duration) -> Self {
        Self {
            metrics,
            patience,
            kept: Arc::default(),
        }
    }

    /// What is kept, after reading it if it is not of this window. A reading goes on when the page that
    /// began it is closed: the next one would pay for it again.
    async fn read(&self, series: Vec<Series>, window: Window) -> Answer {
        if series.is_empty() {
            return Answer {
                points: Vec::new(),
                state: State::Current,
            };
        }
        let (shared, asked) = (self.clone(), series.clone());
        let reading = tokio::spawn(async move { shared.refresh(asked, window).await });
        match tokio::time::timeout(self.patience, reading).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Answer {
                points: Vec::new(),
                state: State::Waiting,
            },
        }
    }

    async fn refresh(&self, series: Vec<Series>, window: Window) -> Answer {
        let mut kept = self.kept.lock().await;
        if kept.window != Some(window) || kept.series != series {
            kept.window = Some(window);
            let read = self.metrics.read(&series, window).await;
            if kept.series != series {
                kept.points = Vec::new();
                kept.series = series;
            }
            match read {
                Ok(points) => {
                    kept.points = points;
                    kept.problem = None;
                }
                Err(error) => {
                    tracing::warn!(error = chain(&error), "reading the charts' figures");
                    kept.problem = Some(error.to_string());
                }
            }
        }
        Answer {
            points: kept.points.clone(),
            state: kept.problem.clone().map_or(State::Current, State::Failed),
        }
    }
}

#[cfg(test)]
mod tests;
