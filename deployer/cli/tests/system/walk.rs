//! The pool is resized under load, in small: the long form is the program `walk`.

use std::time::Duration;

use load::drive::{Address, Pace, Pictures, View, Workload};
use load::walk::{Options, walk};
use tokio_util::sync::CancellationToken;

use crate::laptop::Laptop;

#[test]
fn the_pool_is_resized_under_load_and_no_request_fails_and_no_read_is_stale() {
    let laptop = Laptop::new();
    laptop.up();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stop = CancellationToken::new();
    let options = options(&laptop);
    let report = runtime
        .block_on(walk(&options, &View::silent(), &stop))
        .unwrap();
    let total = report.total();
    assert_eq!((total.failed(), total.violations()), (0, 0), "{report}");
    assert!(report.is_clean(), "{report}");
    assert!(total.reads.answered > 0 && total.uploads.answered > 0);
    for step in &report.steps {
        assert!(step.steady.tally.requests() > 0, "{report}");
        assert!(step.steady.hit_ratio.is_some(), "{report}");
    }
    load_is_put_on_by_name(&laptop);
    laptop.down_to_zero();
}

fn options(laptop: &Laptop) -> Options {
    let front_end: Address = laptop.outputs()["front-end"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    Options {
        front_end,
        workload: Workload {
            keys: 200,
            prefix: "walk-".to_owned(),
            distribution: "zipf:0.9".parse().unwrap(),
            reads: "0.9".parse().unwrap(),
            pictures: Pictures::made_up(2048..=2048, 1).unwrap(),
            seed: 1,
            time: Duration::from_secs(30),
        },
        pace: Pace::Open {
            rate: "100".parse().unwrap(),
            in_flight: 1000,
        },
        steps: vec![1, 2, 3, 1],
        hold: Duration::from_secs(2),
        patience: Duration::from_secs(120),
        baseline: false,
    }
}

fn load_is_put_on_by_name(laptop: &Laptop) {
    let short = [
        "load",
        "elastic-cache",
        "--prepare",
        "--verify",
        "--duration",
        "2s",
        "--keys",
        "20",
    ];
    let said = laptop.run(&[&short[..], &["--max-failures", "0"]].concat(), 0);
    assert!(
        said.out.contains("prepared 20   verified 20"),
        "{}",
        said.out
    );
    let refused = laptop.run(&["load", "elastic-cache", "--rate", "fast"], 2);
    assert!(refused.err.contains("requests a second"), "{}", refused.err);
    let nobody = laptop.run(&["load", "nobody"], 1);
    assert!(nobody.err.contains("nobody"), "{}", nobody.err);
}
