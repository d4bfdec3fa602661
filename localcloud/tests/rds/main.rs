//! RDS as the AWS SDK and PostgreSQL's clients see it. Needs a PostgreSQL server's programs, or npm
//! to fetch them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod cloud;
#[path = "../lonely/mod.rs"]
mod lonely;
#[path = "../refusal/mod.rs"]
mod refusal;

use std::time::Duration;

use aws_sdk_rds::types::Tag;
use localcloud::Options;
use tokio::time::Instant;

use cloud::{
    Access, PASSWORD, Program, cloud, connect, connected, creation, delete, describe, folders,
    gone, postmaster, runs, trusting, until,
};
use refusal::code;

#[tokio::test]
async fn a_database_is_a_real_server_that_speaks_tls_only() {
    let home = tempfile::tempdir().unwrap();
    let (running, rds) = cloud(home.path()).await;
    let tag = Tag::builder()
        .key("bivouac:deployment")
        .value("x & y")
        .build();
    let created = creation(&rds, "Catalog-1")
        .tags(tag.clone())
        .send()
        .await
        .unwrap();
    let created = created.db_instance().unwrap();
    assert_eq!(created.db_instance_identifier(), Some("catalog-1"));
    assert_eq!(
        (created.db_instance_status(), created.endpoint()),
        (Some("creating"), None)
    );
    assert_eq!(created.publicly_accessible(), Some(true));
    assert_eq!(created.tag_list(), std::slice::from_ref(&tag));
    assert_eq!(
        code(creation(&rds, "catalog-1").send().await),
        "DBInstanceAlreadyExists"
    );
    let early = rds
        .delete_db_instance()
        .db_instance_identifier("catalog-1")
        .skip_final_snapshot(true)
        .send()
        .await;
    assert_eq!(code(early), "InvalidDBInstanceState");

    let (database, seen) = until(&rds, "catalog-1", "available").await;
    assert_eq!(seen, ["creating"]);
    let address = database.endpoint().unwrap().address().unwrap().to_owned();
    assert!(address.starts_with("127.77."), "{address}");
    let sql = connect(&running.ca(), &database, PASSWORD).await.unwrap();
    sql.batch_execute("CREATE TABLE photo (key text PRIMARY KEY); INSERT INTO photo VALUES ('é')")
        .await
        .unwrap();
    let row = sql
        .query_one(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, pg_get_userbyid(datdba) = 'bivouac', current_setting('fsync')
             FROM pg_roles, pg_database WHERE rolname = 'bivouac' AND datname = 'catalog'",
            &[],
        )
        .await
        .unwrap();
    let flags: Vec<bool> = (0..4).map(|column| row.get(column)).collect();
    assert_eq!(
        (flags.as_slice(), row.get::<_, &str>(4)),
        (&[false, true, true, true][..], "on")
    );
    let version: String = sql
        .query_one("SHOW server_version", &[])
        .await
        .unwrap()
        .get(0);
    assert!(
        version.starts_with(database.engine_version().unwrap()),
        "{version}"
    );

    assert!(
        connect(&running.ca(), &database, "wrong-password")
            .await
            .is_err()
    );
    let plain =
        format!("host={address} user=bivouac password={PASSWORD} dbname=catalog sslmode=disable");
    let refused = tokio_postgres::connect(&plain.replace(PASSWORD, "x"), tokio_postgres::NoTls)
        .await
        .err()
        .unwrap();
    let message = refused.as_db_error().unwrap().message().to_owned();
    assert!(
        message.contains("no pg_hba.conf entry") && message.contains("no encryption"),
        "{message}"
    );
    let stranger = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
    let other = home.path().join("other.pem");
    std::fs::write(&other, stranger.cert.pem()).unwrap();
    let mut config = tokio_postgres::Config::new();
    config
        .host(&address)
        .user("bivouac")
        .password(PASSWORD)
        .ssl_mode(tokio_postgres::config::SslMode::Require);
    assert!(config.connect(trusting(&other)).await.is_err());

    drop(sql);
    let pid = postmaster(home.path());
    delete(&rds, "catalog-1").await;
    assert!(!runs(pid));
    assert!(folders(home.path()).is_empty());
    running.shutdown().await;
}

#[tokio::test]
async fn two_databases_live_side_by_side_and_through_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let (running, rds) = cloud(home.path()).await;
    for name in ["one", "two"] {
        creation(&rds, name)
            .backup_retention_period(1)
            .send()
            .await
            .unwrap();
    }
    let (one, seen) = until(&rds, "one", "available").await;
    assert!(
        seen.iter()
            .all(|state| state == "creating" || state == "backing-up"),
        "{seen:?}"
    );
    let (two, _) = until(&rds, "two", "available").await;
    assert_ne!(
        one.endpoint().unwrap().address(),
        two.endpoint().unwrap().address()
    );
    for (database, value) in [(&one, "1"), (&two, "2")] {
        let sql = connect(&running.ca(), database, PASSWORD).await.unwrap();
        sql.batch_execute(&format!(
            "CREATE TABLE t (v text); INSERT INTO t VALUES ('{value}')"
        ))
        .await
        .unwrap();
    }
    let pid = postmaster(home.path());
    running.shutdown().await;
    assert!(!runs(pid));

    let (running, rds) = cloud(home.path()).await;
    for (name, before, value) in [("one", &one, "1"), ("two", &two, "2")] {
        let (after, _) = until(&rds, name, "available").await;
        assert_eq!(after.endpoint(), before.endpoint());
        let sql = connected(&running.ca(), &after).await;
        assert_eq!(
            sql.query_one("SELECT v FROM t", &[])
                .await
                .unwrap()
                .get::<_, String>(0),
            value
        );
        drop(sql);
        delete(&rds, name).await;
    }
    assert!(folders(home.path()).is_empty());
    running.shutdown().await;
}

#[tokio::test]
async fn a_killed_server_comes_back_with_what_was_committed() {
    let home = tempfile::tempdir().unwrap();
    let (running, rds) = cloud(home.path()).await;
    creation(&rds, "db").send().await.unwrap();
    let (database, _) = until(&rds, "db", "available").await;
    let sql = connect(&running.ca(), &database, PASSWORD).await.unwrap();
    sql.batch_execute("CREATE TABLE t (v int); INSERT INTO t VALUES (42)")
        .await
        .unwrap();
    let pid = postmaster(home.path());
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while runs(pid) {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let sql = connected(&running.ca(), &database).await;
    assert_eq!(
        sql.query_one("SELECT v FROM t", &[])
            .await
            .unwrap()
            .get::<_, i32>(0),
        42
    );
    drop(sql);
    delete(&rds, "db").await;
    running.shutdown().await;
}

#[tokio::test]
async fn a_killed_localcloud_takes_its_servers_along_and_starts_them_again() {
    let home = tempfile::tempdir().unwrap();
    let mut program = Program::start(home.path()).await;
    let rds = program.access.client();
    creation(&rds, "db").send().await.unwrap();
    let (database, _) = until(&rds, "db", "available").await;
    let sql = connect(&program.access.ca, &database, PASSWORD)
        .await
        .unwrap();
    sql.batch_execute("CREATE TABLE t (v int); INSERT INTO t VALUES (7)")
        .await
        .unwrap();
    drop(sql);
    let pid = postmaster(home.path());
    program.child.kill().unwrap();
    program.child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while runs(pid) {
        assert!(Instant::now() < deadline, "the server outlives localcloud");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    // What keeps it from starting may go away: it has not failed for that.
    let endpoint = database.endpoint().unwrap();
    let address = format!(
        "{}:{}",
        endpoint.address().unwrap(),
        endpoint.port().unwrap()
    );
    let in_the_way = std::net::TcpListener::bind(address).unwrap();
    let program = Program::start(home.path()).await;
    let rds = program.access.client();
    until(&rds, "db", "starting").await;
    drop(in_the_way);
    let (database, _) = until(&rds, "db", "available").await;
    let sql = connected(&program.access.ca, &database).await;
    assert_eq!(
        sql.query_one("SELECT v FROM t", &[])
            .await
            .unwrap()
            .get::<_, i32>(0),
        7
    );
    drop(sql);
    delete(&rds, "db").await;
}

#[tokio::test]
async fn a_database_is_modified_stopped_and_started() {
    let home = tempfile::tempdir().unwrap();
    let (running, rds) = cloud(home.path()).await;
    creation(&rds, "db").send().await.unwrap();
    let (database, _) = until(&rds, "db", "available").await;

    let modify = || rds.modify_db_instance().db_instance_identifier("db");
    modify()
        .allocated_storage(40)
        .backup_retention_period(3)
        .send()
        .await
        .unwrap();
    let waiting = describe(&rds, "db").await;
    let pending = waiting.pending_modified_values().unwrap();
    assert_eq!(
        (waiting.allocated_storage(), pending.allocated_storage()),
        (Some(20), Some(40))
    );
    let pid = postmaster(home.path());
    let begun = modify()
        .allocated_storage(40)
        .backup_retention_period(3)
        .db_instance_class("db.t4g.small")
        .apply_immediately(true)
        .send()
        .await
        .unwrap();
    let begun = begun.db_instance().unwrap();
    assert_eq!(begun.db_instance_status(), Some("modifying"));
    assert_ne!(begun.db_instance_class(), Some("db.t4g.small"));
    assert_eq!(
        code(modify().allocated_storage(60).send().await),
        "InvalidDBInstanceState"
    );
    let (now, _) = until(&rds, "db", "available").await;
    assert_eq!(now.db_instance_class(), Some("db.t4g.small"));
    assert!(!runs(pid), "another class is another machine");
    connect(&running.ca(), &now, PASSWORD).await.unwrap();
    assert_eq!(
        (now.allocated_storage(), now.backup_retention_period()),
        (Some(40), Some(3))
    );
    assert_eq!(
        now.pending_modified_values().unwrap().allocated_storage(),
        None
    );
    assert_eq!(
        code(modify().allocated_storage(30).send().await),
        "InvalidParameterValue"
    );

    modify()
        .master_user_password("another-password")
        .send()
        .await
        .unwrap();
    until(&rds, "db", "available").await;
    assert!(connect(&running.ca(), &database, PASSWORD).await.is_err());
    connect(&running.ca(), &database, "another-password")
        .await
        .unwrap();

    let pid = postmaster(home.path());
    rds.stop_db_instance()
        .db_instance_identifier("db")
        .send()
        .await
        .unwrap();
    until(&rds, "db", "stopped").await;
    assert!(!runs(pid));
    rds.start_db_instance()
        .db_instance_identifier("db")
        .send()
        .await
        .unwrap();
    until(&rds, "db", "available").await;
    connect(&running.ca(), &database, "another-password")
        .await
        .unwrap();

    let remove = || rds.delete_db_instance().db_instance_identifier("db");
    assert_eq!(code(remove().send().await), "InvalidParameterCombination");
    modify().deletion_protection(true).send().await.unwrap();
    assert_eq!(
        code(remove().skip_final_snapshot(true).send().await),
        "InvalidParameterCombination"
    );
    modify().deletion_protection(false).send().await.unwrap();
    remove().skip_final_snapshot(true).send().await.unwrap();
    gone(&rds, "db").await;
    assert_eq!(
        code(remove().skip_final_snapshot(true).send().await),
        "DBInstanceNotFound"
    );
    running.shutdown().await;
}

#[tokio::test]
async fn on_paper_nothing_runs_and_all_is_told() {
    let home = tempfile::tempdir().unwrap();
    let running = localcloud::start(Options::paper(home.path()))
        .await
        .unwrap();
    let rds = Access::of(&running).client();
    for n in 0..25 {
        creation(&rds, &format!("db-{n:02}")).send().await.unwrap();
    }
    let mut names = Vec::new();
    let mut pages = rds
        .describe_db_instances()
        .max_records(20)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        names.extend(
            page.unwrap()
                .db_instances()
                .iter()
                .map(|found| found.db_instance_identifier().unwrap().to_owned()),
        );
    }
    assert_eq!(names.len(), 25);
    assert!(names.is_sorted());
    assert_eq!(
        code(rds.describe_db_instances().max_records(5).send().await),
        "InvalidParameterValue"
    );
    assert_eq!(
        code(
            rds.describe_db_instances()
                .db_instance_identifier("none")
                .send()
                .await
        ),
        "DBInstanceNotFound"
    );
    assert_eq!(
        code(creation(&rds, "x").allocated_storage(5).send().await),
        "InvalidParameterValue"
    );
    assert_eq!(
        code(
            creation(&rds, "x")
                .vpc_security_group_ids("sg-none")
                .send()
                .await
        ),
        "InvalidParameterValue"
    );

    let (database, _) = until(&rds, "db-00", "available").await;
    let arn = database.db_instance_arn().unwrap();
    let tag = |key: &str| Tag::builder().key(key).value("v").build();
    rds.add_tags_to_resource()
        .resource_name(arn)
        .tags(tag("a"))
        .tags(tag("b"))
        .send()
        .await
        .unwrap();
    rds.remove_tags_from_resource()
        .resource_name(arn)
        .tag_keys("a")
        .send()
        .await
        .unwrap();
    let tags = rds
        .list_tags_for_resource()
        .resource_name(arn)
        .send()
        .await
        .unwrap();
    assert_eq!(tags.tag_list(), [tag("b")]);
    let missing = rds
        .list_tags_for_resource()
        .resource_name(arn.replace("db-00", "none"))
        .send()
        .await;
    assert_eq!(code(missing), "DBInstanceNotFound");

    let versions = rds
        .describe_db_engine_versions()
        .engine("postgres")
        .send()
        .await
        .unwrap();
    assert_eq!(
        versions.db_engine_versions()[0].engine_version(),
        database.engine_version()
    );
    let options = rds
        .describe_orderable_db_instance_options()
        .engine("postgres")
        .db_instance_class("db.t4g.micro");
    let options = options.send().await.unwrap();
    let zones = options.orderable_db_instance_options()[0].availability_zones();
    assert_eq!(zones.len(), 3);
    assert!(
        rds.describe_db_snapshots()
            .send()
            .await
            .unwrap()
            .db_snapshots()
            .is_empty()
    );
    assert!(
        rds.describe_db_subnet_groups()
            .send()
            .await
            .unwrap()
            .db_subnet_groups()
            .is_empty()
    );
    assert!(
        rds.describe_db_parameter_groups()
            .send()
            .await
            .unwrap()
            .db_parameter_groups()
            .is_empty()
    );
    let backups = rds
        .describe_db_instance_automated_backups()
        .send()
        .await
        .unwrap();
    assert!(backups.db_instance_automated_backups().is_empty());
    assert_eq!(
        code(rds.describe_db_clusters().send().await),
        "InvalidAction"
    );
    for name in names {
        until(&rds, &name, "available").await;
        delete(&rds, &name).await;
    }
    running.shutdown().await;
}
