//! configure_cache, getNumNodes, getRate.

use std::time::Instant;

use http::Method;
use serde::{Deserialize, Serialize};

use super::Mismatch;
use super::api::{Api, Outcome};
use super::run::Run;
use super::samples::GIF;

/// The reply of configure_cache, its fields in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Configuration {
    success: String,
    mode: String,
    #[serde(rename = "numNodes")]
    pub(super) nodes: u64,
    #[serde(rename = "cacheSize")]
    megabytes: u64,
    policy: String,
}

impl Configuration {
    fn body(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

pub(super) async fn check(run: &mut Run<'_>) {
    run.about("/api/configure_cache");
    let mut before = None;
    run.check(
        "configure_cache without parameters tells what is set",
        async |api: &Api| {
            before = Some(current(api).await?);
            Ok(())
        },
    )
    .await;
    run.about("/api/getNumNodes");
    run.check(
        "getNumNodes answers the size asked for",
        async |api: &Api| {
            let nodes = current(api).await?.nodes;
            has_nodes(api, nodes).await
        },
    )
    .await;
    run.about("/api/configure_cache");
    if let Some(before) = before {
        subsets(run, &before).await;
        nonsense(run).await;
        run.check("what was set before can be set again", async |api: &Api| {
            restore(api, &before).await
        })
        .await;
    }
    rates(run).await;
}

/// What is configured now; the reply must be right to the byte.
pub(super) async fn current(api: &Api) -> Result<Configuration, Mismatch> {
    let reply = api.post("/api/configure_cache").await?;
    let wrong = || {
        let expected =
            r#"{"success":"true","mode":"manual","numNodes":2,"cacheSize":3,"policy":"RR"}"#;
        Mismatch::new(expected, reply.to_string())
    };
    let found: Configuration = serde_json::from_slice(&reply.body).map_err(|_| wrong())?;
    reply.is_success(&found.body())?;
    let known = found.success == "true"
        && ["manual", "auto"].contains(&found.mode.as_str())
        && ["LRU", "RR", "SIEVE"].contains(&found.policy.as_str())
        && (1..=8).contains(&found.nodes);
    if known { Ok(found) } else { Err(wrong()) }
}

pub(super) async fn has_nodes(api: &Api, nodes: u64) -> Outcome {
    let right = format!(r#"{{"success":"true","numNodes":{nodes}}}"#);
    api.post("/api/getNumNodes").await?.is_success(&right)
}

/// What a query does to the configuration.
type Change = dyn Fn(&mut Configuration);

/// Each subset changes what it names and nothing else.
async fn subsets(run: &mut Run<'_>, before: &Configuration) {
    let mut wanted = before.clone();
    let nodes = before.nodes;
    let same_size = format!("numNodes={nodes}&cacheSize=5");
    let steps: [(&str, &Change); 8] = [
        ("policy=RR", &|set| set.policy = "RR".into()),
        ("cacheSize=3", &|set| set.megabytes = 3),
        ("mode=auto", &|set| set.mode = "auto".into()),
        ("policy=LRU&mode=manual", &|set| {
            set.policy = "LRU".into();
            set.mode = "manual".into();
        }),
        (
            "expRatio=1.5&shrinkRatio=0.5&maxMiss=0.8&minMiss=0.2",
            &|_| {},
        ),
        ("maxMiss=0.7", &|_| {}),
        // Cannot be read back; these are the values of the blueprint that ships.
        (
            "expRatio=2&shrinkRatio=0.5&maxMiss=0.6&minMiss=0.2",
            &|_| {},
        ),
        (&same_size, &|set| set.megabytes = 5),
    ];
    for (query, change) in steps {
        change(&mut wanted);
        let right = wanted.clone();
        run.check(
            format!("configure_cache takes {query}"),
            async move |api: &Api| {
                let reply = api.post(&format!("/api/configure_cache?{query}")).await?;
                reply.is_success(&right.body())?;
                api.post("/api/configure_cache/")
                    .await?
                    .is_success(&right.body())
            },
        )
        .await;
    }
}

async fn nonsense(run: &mut Run<'_>) {
    let queries = [
        "mode=maybe",
        "mode=",
        "numNodes=two",
        "numNodes=1.5",
        "numNodes=-1",
        "numNodes=0",
        "numNodes=9",
        "numNodes=99999999999999999999",
        "cacheSize=lots",
        "cacheSize=-3",
        "cacheSize=99999999999999999999",
        "policy=FIFO",
        "policy=%00",
        "expRatio=1",
        "expRatio=0.5",
        "expRatio=NaN",
        "expRatio=inf",
        "shrinkRatio=0",
        "shrinkRatio=1",
        "shrinkRatio=half",
        "maxMiss=1.5",
        "minMiss=-0.1",
        "maxMiss=0.2&minMiss=0.4",
        "policy=RR&numNodes=99",
    ];
    for query in queries {
        run.check(
            format!("configure_cache refuses {query}"),
            async move |api: &Api| {
                let before = current(api).await?;
                api.post(&format!("/api/configure_cache?{query}"))
                    .await?
                    .is_failure(&[400])?;
                api.post("/api/configure_cache")
                    .await?
                    .is_success(&before.body())
            },
        )
        .await;
    }
    run.check(
        "configure_cache takes parameters in the URL only",
        async |api: &Api| {
            let before = current(api).await?;
            let other = if before.policy == "LRU" {
                "policy=RR"
            } else {
                "policy=LRU"
            };
            let kind = Some("application/x-www-form-urlencoded");
            api.send(Method::POST, "/api/configure_cache", kind, other.into())
                .await?;
            api.post("/api/configure_cache")
                .await?
                .is_success(&before.body())
        },
    )
    .await;
}

pub(super) async fn restore(api: &Api, before: &Configuration) -> Outcome {
    let query = format!(
        "mode={}&cacheSize={}&policy={}",
        before.mode, before.megabytes, before.policy
    );
    api.post(&format!("/api/configure_cache?{query}"))
        .await?
        .is_success(&before.body())
}

async fn rates(run: &mut Run<'_>) {
    run.about("/api/getRate");
    for kind in ["miss", "hit"] {
        run.check(
            format!("getRate answers the {kind} rate"),
            async move |api: &Api| rate(api, kind).await.map(|_| ()),
        )
        .await;
    }
    let patience = run.options.patience;
    run.check(
        "what is read shows in both rates, which add up to one",
        async move |api: &Api| {
            let deadline = Instant::now() + patience;
            api.store("rated", GIF).await?;
            loop {
                api.reads_as("rated", GIF).await?;
                let (miss, hit) = (rate(api, "miss").await?, rate(api, "hit").await?);
                if (miss + hit - 1.0).abs() < 0.01 && hit > 0.0 {
                    return Ok(());
                }
                if Instant::now() > deadline {
                    let came = format!("miss {miss}, hit {hit} after {} s", patience.as_secs());
                    return Err(Mismatch::new("miss + hit = 1, hit > 0", came));
                }
                tokio::time::sleep(patience / 100).await;
            }
        },
    )
    .await;
    for target in [
        "/api/getRate",
        "/api/getRate?rate=",
        "/api/getRate?rate=luck",
    ] {
        run.check(format!("{target} is refused"), async move |api: &Api| {
            api.post(target).await?.is_failure(&[400])
        })
        .await;
    }
    run.check(
        "getRate takes its parameter in the URL only",
        async |api: &Api| {
            let kind = Some("application/x-www-form-urlencoded");
            api.send(Method::POST, "/api/getRate", kind, "rate=miss".into())
                .await?
                .is_failure(&[400])
        },
    )
    .await;
}

async fn rate(api: &Api, kind: &str) -> Result<f64, Mismatch> {
    let reply = api.post(&format!("/api/getRate?rate={kind}")).await?;
    let body = String::from_utf8_lossy(&reply.body);
    let number = body
        .strip_prefix(&format!(r#"{{"success":"true","rate":"{kind}","value":"#))
        .and_then(|rest| rest.strip_suffix('}'))
        .unwrap_or_default();
    // Whatever is no JSON number, "NaN" and " 1" too, becomes a body that cannot be equal.
    let value = serde_json::from_str::<f64>(number)
        .ok()
        .filter(|_| number == number.trim());
    let right = match value {
        Some(value) if (0.0..=1.0).contains(&value) => number,
        _ => "<0 to 1>",
    };
    reply.is_success(&format!(
        r#"{{"success":"true","rate":"{kind}","value":{right}}}"#
    ))?;
    Ok(value.unwrap_or_default())
}
