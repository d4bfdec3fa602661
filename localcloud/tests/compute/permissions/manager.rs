//! The manager launches and ends nodes of its deployment, and nothing else.

use aws_sdk_cloudwatch::error::SdkError;
use aws_sdk_cloudwatch::operation::get_metric_data::{GetMetricDataError, GetMetricDataOutput};
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Metric, MetricDataQuery, MetricStat, Statistic};
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    IamInstanceProfileSpecification, InstanceNetworkInterfaceSpecification, InstanceType,
    ResourceType, Tag,
};

use super::stage::{DEPLOYMENT, NAMESPACE, Stage, tags};
use crate::support::{Clients, code};

const KINDS: [ResourceType; 3] = [
    ResourceType::Instance,
    ResourceType::Volume,
    ResourceType::NetworkInterface,
];

/// A launch as the manager makes it.
struct Launch<'a> {
    image: &'a str,
    group: &'a str,
    profile: &'a str,
    deployment: &'a str,
    resource: &'a str,
    tagged: &'a [ResourceType],
}

impl<'a> Launch<'a> {
    fn of_a_node(stage: &'a Stage) -> Self {
        Self {
            image: &stage.image,
            group: &stage.group,
            profile: "node",
            deployment: DEPLOYMENT,
            resource: "pool/cache",
            tagged: &KINDS,
        }
    }

    fn by(&self, clients: &Clients) -> RunInstancesFluentBuilder {
        let interface = InstanceNetworkInterfaceSpecification::builder()
            .device_index(0)
            .groups(self.group)
            .build();
        let profile = IamInstanceProfileSpecification::builder()
            .name(self.profile)
            .build();
        let tagged = self.tagged.iter().cloned();
        let tagged = tagged.map(|kind| tags(kind, self.deployment, self.resource));
        clients
            .ec2
            .run_instances()
            .image_id(self.image)
            .instance_type(InstanceType::T3Micro)
            .min_count(1)
            .max_count(1)
            .iam_instance_profile(profile)
            .network_interfaces(interface)
            .set_tag_specifications(Some(tagged.collect()))
    }
}

#[tokio::test]
async fn the_manager_launches_and_ends_nodes() {
    let mut stage = Stage::new().await;
    let manager = stage.cloud.as_role("manager").await;
    let node = Launch::of_a_node(&stage);
    let dry = node.by(&manager).dry_run(true).send().await;
    assert_eq!(code(dry), "DryRunOperation");
    let launched = node.by(&manager).send().await.unwrap();
    let id = launched.instances()[0].instance_id().unwrap();
    manager.ec2.describe_instances().send().await.unwrap();
    let end = manager.ec2.terminate_instances().instance_ids(id);
    end.send().await.unwrap();
    stage.cloud.stop().await;
}

#[tokio::test]
async fn the_manager_launches_nothing_but_nodes_of_its_deployment() {
    let mut stage = Stage::new().await;
    let manager = stage.cloud.as_role("manager").await;
    let base = stage.cloud.base_image().await;
    let group = stage.cloud.ec2().describe_security_groups();
    let group = group.group_names("default").send().await.unwrap();
    let group = group.security_groups()[0].group_id().unwrap().to_owned();
    let node = || Launch::of_a_node(&stage);
    let [instance, volume, _] = KINDS;
    for (what, launch) in [
        (
            "instance/*",
            Launch {
                tagged: &[],
                ..node()
            },
        ),
        (
            "instance/*",
            Launch {
                deployment: "y",
                ..node()
            },
        ),
        (
            "instance/*",
            Launch {
                resource: "instance/manager",
                ..node()
            },
        ),
        (
            "network-interface/*",
            Launch {
                tagged: &[instance, volume],
                ..node()
            },
        ),
        (
            "image/",
            Launch {
                image: &base,
                ..node()
            },
        ),
        (
            "security-group/",
            Launch {
                group: &group,
                ..node()
            },
        ),
        (
            "role/bivouac/x/us-east-1/manager",
            Launch {
                profile: "manager",
                ..node()
            },
        ),
    ] {
        for dry_run in [true, false] {
            let answer = launch.by(&manager).dry_run(dry_run).send().await;
            let error = answer.unwrap_err().into_service_error();
            let error = error.meta();
            assert_eq!(error.code(), Some("UnauthorizedOperation"), "{what}");
            assert!(error.message().unwrap().contains(what), "{what}: {error}");
        }
    }
    let running = stage.cloud.ec2().describe_instances().send().await.unwrap();
    assert_eq!(running.reservations().len(), 1, "only the manager is there");
    stage.cloud.stop().await;
}

/// Metrics cannot be told apart by a policy: whoever may read them may read all.
#[tokio::test]
async fn the_manager_reads_metrics_and_nothing_else_of_cloudwatch() {
    let mut stage = Stage::new().await;
    let manager = stage.cloud.as_role("manager").await;
    let node = stage.cloud.as_role("node").await;
    read_metrics(&manager).await.unwrap();
    assert_eq!(code(read_metrics(&node).await), "AccessDenied");
    let list = manager.cloudwatch.list_metrics().send().await;
    assert_eq!(code(list), "AccessDenied");
    let statistics = manager.cloudwatch.get_metric_statistics();
    let statistics = statistics
        .namespace(NAMESPACE)
        .metric_name("Lookups")
        .start_time(DateTime::from_secs(0))
        .end_time(DateTime::from_secs(60))
        .period(60)
        .statistics(Statistic::Sum);
    assert_eq!(code(statistics.send().await), "AccessDenied");
    stage.cloud.stop().await;
}

/// The misses of the pool, as the scaler asks for them.
async fn read_metrics(
    clients: &Clients,
) -> Result<GetMetricDataOutput, SdkError<GetMetricDataError>> {
    let metric = Metric::builder()
        .namespace(NAMESPACE)
        .metric_name("Misses")
        .build();
    let figures = MetricStat::builder().metric(metric).period(60).stat("Sum");
    let query = MetricDataQuery::builder()
        .id("misses")
        .metric_stat(figures.build())
        .build();
    let read = clients.cloudwatch.get_metric_data();
    let read = read
        .start_time(DateTime::from_secs(0))
        .end_time(DateTime::from_secs(60))
        .metric_data_queries(query);
    read.send().await
}

#[tokio::test]
async fn the_manager_ends_and_tags_nothing_but_nodes() {
    let mut stage = Stage::new().await;
    let manager = stage.cloud.as_role("manager").await;
    let foreign = Launch {
        deployment: "y",
        ..Launch::of_a_node(&stage)
    };
    let foreign = foreign.by(&stage.cloud.clients).send().await.unwrap();
    let foreign = foreign.instances()[0].instance_id().unwrap();
    let node = Launch::of_a_node(&stage).by(&manager).send().await.unwrap();
    let node = node.instances()[0].instance_id().unwrap();
    let end = |ids: &[&str]| {
        let ids = ids.iter().map(|&id| id.to_owned()).collect();
        manager
            .ec2
            .terminate_instances()
            .set_instance_ids(Some(ids))
    };
    for ids in [&[foreign][..], &[&stage.manager], &[node, foreign], &[]] {
        assert_eq!(
            code(end(ids).send().await),
            "UnauthorizedOperation",
            "{ids:?}"
        );
    }
    let own = Tag::builder()
        .key("bivouac:deployment")
        .value(DEPLOYMENT)
        .build();
    let steal = manager.ec2.create_tags().resources(foreign).tags(own);
    assert_eq!(code(steal.send().await), "UnauthorizedOperation");
    for id in [foreign, &stage.manager, node] {
        let state = stage.cloud.instance(id).await.state.unwrap().name.unwrap();
        assert!(
            ["pending", "running"].contains(&state.as_str()),
            "{id} is {state}"
        );
    }
    stage.cloud.stop().await;
}
