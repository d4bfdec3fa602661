//! CloudWatch as the AWS SDK sees it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod cloud;
#[path = "../refusal/mod.rs"]
mod refusal;

use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::error::ProvideErrorMetadata;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    DimensionFilter, MetricDataQuery, MetricDatum, ScanBy, StandardUnit, Statistic, StatisticSet,
};

use cloud::{ask, client, cloud, datum, dimension, minutes, put};
use refusal::code;

#[tokio::test]
async fn what_is_put_is_read_back_by_the_minute() {
    let home = tempfile::tempdir().unwrap();
    let minute = minutes();
    let (running, client) = cloud(home.path()).await;
    let node = || dimension("InstanceId", "i-1");
    let mut data = Vec::new();
    for (ago, value) in [(3, 1.0), (3, 2.0), (2, 10.0)] {
        data.push(datum("Hits", minute(ago) + 5).value(value).build());
        data.push(
            datum("Hits", minute(ago) + 5)
                .value(value)
                .dimensions(node())
                .build(),
        );
    }
    data.push(
        datum("Hits", minute(2) + 59)
            .values(4.0)
            .values(6.0)
            .counts(2.0)
            .counts(1.0)
            .build(),
    );
    let set = StatisticSet::builder()
        .sample_count(4.0)
        .sum(8.0)
        .minimum(1.0)
        .maximum(3.0)
        .build();
    data.push(datum("Hits", minute(1)).statistic_values(set).build());
    put(&client, data).await;

    let request = || {
        client
            .get_metric_data()
            .start_time(DateTime::from_secs(minute(3) + 30))
            .end_time(DateTime::from_secs(minute(0)))
            .metric_data_queries(ask("sum", "Hits", "Sum", 60, vec![]))
            .metric_data_queries(ask("average", "Hits", "Average", 60, vec![]))
            .metric_data_queries(ask("node", "Hits", "SampleCount", 60, vec![node()]))
            .metric_data_queries(ask(
                "none",
                "Hits",
                "Sum",
                60,
                vec![dimension("InstanceId", "i-2")],
            ))
    };
    let answer = request()
        .scan_by(ScanBy::TimestampAscending)
        .send()
        .await
        .unwrap();
    let values: Vec<_> = answer
        .metric_data_results()
        .iter()
        .map(|result| result.values().to_vec())
        .collect();
    let average = (10.0 + 4.0 * 2.0 + 6.0) / 4.0;
    assert_eq!(
        values,
        [
            vec![3.0, 24.0, 8.0],
            vec![1.5, average, 2.0],
            vec![2.0, 1.0],
            vec![]
        ]
    );
    let times: Vec<_> = answer.metric_data_results()[0]
        .timestamps()
        .iter()
        .map(DateTime::secs)
        .collect();
    assert_eq!(times, [minute(3), minute(2), minute(1)]);
    let newest_first = request().send().await.unwrap();
    assert_eq!(
        newest_first.metric_data_results()[0].values(),
        [8.0, 24.0, 3.0]
    );

    let mut pages = Vec::new();
    let mut stream = request().max_datapoints(2).into_paginator().send();
    while let Some(page) = stream.next().await {
        pages.extend(
            page.unwrap()
                .metric_data_results()
                .iter()
                .flat_map(|result| result.values().to_vec()),
        );
    }
    let all: Vec<f64> = newest_first
        .metric_data_results()
        .iter()
        .flat_map(|result| result.values().to_vec())
        .collect();
    assert_eq!(pages, all);
    running.shutdown().await;
}

#[tokio::test]
async fn statistics_are_answered_with_their_unit() {
    let home = tempfile::tempdir().unwrap();
    let minute = minutes();
    let (running, client) = cloud(home.path()).await;
    // Minutes of one period of five: the data must not fall on both sides of its border.
    let start = minute(10) / 300 * 300;
    let in_bytes = |value| {
        datum("Size", start)
            .value(value)
            .unit(StandardUnit::Bytes)
            .build()
    };
    put(
        &client,
        vec![
            in_bytes(1.0),
            in_bytes(5.0),
            datum("Size", start + 61).value(3.0).build(),
        ],
    )
    .await;
    let request = |unit| {
        client
            .get_metric_statistics()
            .namespace("Bivouac/x")
            .metric_name("Size")
            .start_time(DateTime::from_secs(start))
            .end_time(DateTime::from_secs(start + 300))
            .period(300)
            .statistics(Statistic::Maximum)
            .statistics(Statistic::SampleCount)
            .set_unit(unit)
    };
    let answer = request(Some(StandardUnit::Bytes)).send().await.unwrap();
    assert_eq!(answer.label(), Some("Size"));
    let [point] = answer.datapoints() else {
        panic!("{answer:?}")
    };
    assert_eq!(
        (point.maximum(), point.sample_count(), point.sum()),
        (Some(5.0), Some(2.0), None)
    );
    assert_eq!(
        (point.unit(), point.timestamp()),
        (
            Some(&StandardUnit::Bytes),
            Some(&DateTime::from_secs(start))
        )
    );
    assert_eq!(request(None).send().await.unwrap().datapoints().len(), 2);
    assert_eq!(
        code(request(None).period(30).send().await),
        "InvalidParameterValue"
    );
    let far = DateTime::from_secs(start - 1441 * 300);
    assert_eq!(
        code(request(None).start_time(far).send().await),
        "InvalidParameterCombination"
    );
    running.shutdown().await;
}

#[tokio::test]
async fn metrics_are_listed_by_what_they_are() {
    let home = tempfile::tempdir().unwrap();
    let minute = minutes();
    let (running, client) = cloud(home.path()).await;
    let data = (0..600).map(|n| {
        datum("Hits", minute(1))
            .value(1.0)
            .dimensions(dimension("InstanceId", &format!("i-{n:03}")))
            .build()
    });
    put(
        &client,
        data.chain([datum("Hits", minute(1)).value(1.0).build()])
            .collect(),
    )
    .await;
    let first = client.list_metrics().send().await.unwrap();
    assert_eq!(
        (first.metrics().len(), first.next_token().is_some()),
        (500, true)
    );
    let mut all = 0;
    let mut pages = client
        .list_metrics()
        .namespace("Bivouac/x")
        .metric_name("Hits")
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        all += page.unwrap().metrics().len();
    }
    assert_eq!(all, 601);
    let with = |value: Option<&str>| {
        let filter = DimensionFilter::builder()
            .name("InstanceId")
            .set_value(value.map(str::to_owned))
            .build();
        client.list_metrics().dimensions(filter).send()
    };
    let one = with(Some("i-007")).await.unwrap();
    assert_eq!(
        one.metrics()[0].dimensions(),
        [dimension("InstanceId", "i-007")]
    );
    assert_eq!(with(None).await.unwrap().metrics().len(), 500);
    assert!(
        client
            .list_metrics()
            .namespace("Other")
            .send()
            .await
            .unwrap()
            .metrics()
            .is_empty()
    );
    let elsewhere = self::client(&running, "eu-west-1")
        .list_metrics()
        .send()
        .await
        .unwrap();
    assert!(elsewhere.metrics().is_empty());
    running.shutdown().await;
}

#[tokio::test]
async fn bad_data_are_refused_and_none_of_them_counts() {
    let home = tempfile::tempdir().unwrap();
    let minute = minutes();
    let (running, client) = cloud(home.path()).await;
    let good = || datum("M", minute(1)).value(1.0);
    let send = |bad: MetricDatum| {
        client
            .put_metric_data()
            .namespace("Bivouac/x")
            .metric_data(good().build())
            .metric_data(bad)
            .send()
    };
    let set = |count, minimum, maximum| {
        StatisticSet::builder()
            .sample_count(count)
            .sum(1.0)
            .minimum(minimum)
            .maximum(maximum)
            .build()
    };
    let at = |minutes| DateTime::from_secs(minute(minutes));
    let bare = || datum("M", minute(1));
    let wrong = "InvalidParameterValue";
    for (bad, why) in [
        (good().value(f64::NAN), wrong),
        (good().value(f64::INFINITY), wrong),
        (good().value(1e200), wrong),
        (good().timestamp(at(15 * 24 * 60)), wrong),
        (good().timestamp(at(-125)), wrong),
        (good().metric_name("m".repeat(256)), wrong),
        (good().dimensions(dimension(":d", "x")), wrong),
        (good().dimensions(dimension("d", " ")), wrong),
        (good().unit(StandardUnit::from("Furlongs")), wrong),
        (good().values(1.0), "InvalidParameterCombination"),
        (bare(), "MissingParameter"),
        (bare().values(1.0).counts(1.0).counts(1.0), wrong),
        (bare().statistic_values(set(0.0, 1.0, 1.0)), wrong),
        (bare().statistic_values(set(1.0, 2.0, 1.0)), wrong),
    ] {
        let bad = bad.build();
        assert_eq!(code(send(bad.clone()).await), why, "{bad:?}");
    }
    let many = client
        .put_metric_data()
        .namespace("Bivouac/x")
        .set_metric_data(Some(vec![good().build(); 1001]));
    assert_eq!(code(many.send().await), wrong);
    let reserved = client
        .put_metric_data()
        .namespace("AWS/EC2")
        .metric_data(good().build());
    assert_eq!(code(reserved.send().await), wrong);
    assert!(
        client
            .list_metrics()
            .send()
            .await
            .unwrap()
            .metrics()
            .is_empty()
    );
    running.shutdown().await;
}

#[tokio::test]
async fn what_is_not_computed_is_named() {
    let home = tempfile::tempdir().unwrap();
    let minute = minutes();
    let (running, client) = cloud(home.path()).await;
    let request = |query: MetricDataQuery| {
        client
            .get_metric_data()
            .start_time(DateTime::from_secs(minute(2)))
            .end_time(DateTime::from_secs(minute(0)))
            .metric_data_queries(query)
            .send()
    };
    let sum = MetricDataQuery::builder()
        .id("e")
        .expression("SUM(METRICS())")
        .build();
    let error = request(sum).await.unwrap_err();
    assert_eq!(error.code(), Some("ValidationError"));
    assert!(error.message().unwrap().contains("Expression"), "{error:?}");
    for query in [
        ask("a", "M", "p99", 60, vec![]),
        ask("a", "M", "Sum", 5, vec![]),
        ask("A", "M", "Sum", 60, vec![]),
    ] {
        assert_eq!(code(request(query).await), "ValidationError");
    }
    let error = client.describe_insight_rules().send().await.unwrap_err();
    assert!(
        error.message().unwrap().contains("DescribeInsightRules"),
        "{error:?}"
    );
    running.shutdown().await;
}

#[tokio::test]
async fn large_puts_come_compressed() {
    let home = tempfile::tempdir().unwrap();
    let minute = minutes();
    let (running, client) = cloud(home.path()).await;
    // From 10 KiB on the SDK compresses.
    let data = (0..1000)
        .map(|n| {
            datum(&format!("Metric{n}"), minute(1))
                .value(f64::from(n))
                .build()
        })
        .collect();
    put(&client, data).await;
    let mut listed = 0;
    let mut pages = client.list_metrics().into_paginator().send();
    while let Some(page) = pages.next().await {
        listed += page.unwrap().metrics().len();
    }
    assert_eq!(listed, 1000);
    running.shutdown().await;
}

#[tokio::test]
async fn metrics_survive_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let minute = minutes();
    let (running, client) = cloud(home.path()).await;
    // Something must be left, or localcloud removes its files when it stops.
    put(&client, vec![datum("M", minute(1)).value(7.0).build()]).await;
    std::fs::copy(home.path().join("metrics/log"), home.path().join("kept")).unwrap();
    running.shutdown().await;
    std::fs::create_dir_all(home.path().join("metrics")).unwrap();
    std::fs::rename(home.path().join("kept"), home.path().join("metrics/log")).unwrap();
    let (running, client) = cloud(home.path()).await;
    let answer = client
        .get_metric_data()
        .start_time(DateTime::from_secs(minute(5)))
        .end_time(DateTime::from(SystemTime::now() + Duration::from_secs(60)))
        .metric_data_queries(ask("m", "M", "Sum", 60, vec![]))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.metric_data_results()[0].values(), [7.0]);
    running.shutdown().await;
}
