//! What a deployment costs and when it ends, as a user is told on a laptop.

use serde_json::Value;

use crate::laptop::Laptop;

const BLUEPRINT: &str = "blueprints/elastic-cache.yaml";
const NAME: &str = "elastic-cache";

fn status(laptop: &Laptop) -> Value {
    serde_json::from_str(&laptop.run(&["status", NAME, "--json"], 0).out).unwrap()
}

#[test]
fn a_deployment_with_an_end_says_so_and_is_given_another() {
    let laptop = Laptop::new();
    laptop.edit("# ttl: 8h", "ttl: 8h");
    let plan = laptop.run(&["plan", BLUEPRINT], 0).out;
    assert!(plan.contains("nothing on this laptop; on AWS $"), "{plan}");
    assert!(plan.contains("expires in"), "{plan}");
    laptop.up();
    let first = status(&laptop)["expires-at"].as_str().unwrap().to_owned();
    // Nodes that the manager has launched are marked, if they are not by then.
    laptop.up();
    laptop.run(&["plan", BLUEPRINT, "--detailed-exitcode"], 0);
    assert_eq!(status(&laptop)["expires-at"], first);

    let said = laptop.run(&["extend", NAME, "2h"], 0).out;
    assert!(said.contains("expires in 9 h"), "{said}");
    let later = status(&laptop)["expires-at"].as_str().unwrap().to_owned();
    assert!(later > first, "{later} is not after {first}");
    laptop.run(&["plan", BLUEPRINT, "--detailed-exitcode"], 0);
    let said = laptop.run(&["status", NAME], 0).out;
    assert!(
        said.contains("expires in 9 h") && said.contains("extend"),
        "{said}"
    );

    what_is_no_end_is_refused(&laptop, &later);
    its_cost_is_told(&laptop, &later);
    let down = laptop.down_to_zero().out;
    let receipt = down.lines().find_map(|line| line.strip_prefix("Receipt: "));
    // `down` names its page. Its account has ended with localcloud, which the receipt's own words say.
    let audit = laptop.run(&["audit", receipt.unwrap()], 3).err;
    assert!(
        audit.contains("has ended with all that was in it"),
        "{audit}"
    );
    laptop.assert_no_trace();
}

#[test]
fn what_a_budget_would_refuse_on_an_account_is_told_on_the_laptop() {
    let laptop = Laptop::new();
    let told = "on AWS it would be refused: elastic-cache can cost";
    let plan = laptop.run(&["plan", BLUEPRINT], 0).out;
    assert!(!plan.contains(told), "{plan}");
    laptop.edit("per-hour: 1.50 USD", "per-hour: 0.10 USD");
    let plan = laptop.run(&["plan", BLUEPRINT], 0).out;
    assert!(plan.contains(told), "{plan}");
    let rehearsed = laptop.run(&["up", BLUEPRINT, "--rehearse"], 3).err;
    assert!(rehearsed.contains("its budget allows"), "{rehearsed}");
    laptop.assert_no_trace();
}

fn what_is_no_end_is_refused(laptop: &Laptop, still: &str) {
    let past = ["extend", NAME, "--until", "2020-01-01T00:00:00Z"];
    let said = laptop.run(&past, 3).err;
    assert!(said.contains("has passed"), "{said}");
    let said = laptop.run(&["extend", NAME, "--to", "60d"], 3).err;
    assert!(said.contains("--yes"), "{said}");
    let said = laptop.run(&["extend", NAME, "360d", "--yes"], 0).out;
    assert!(said.contains("expires in 360 d"), "{said}");
    let said = laptop.run(&["extend", NAME, "20d", "--yes"], 3).err;
    assert!(said.contains("more than a year"), "{said}");
    laptop.run(&["extend", NAME, "--until", still], 0);
    laptop.run(&["extend", NAME, "2 hours"], 64);
    laptop.run(&["extend", NAME], 64);
    assert_eq!(status(laptop)["expires-at"], still);
}

fn its_cost_is_told(laptop: &Laptop, end: &str) {
    let said = laptop.run(&["cost", NAME], 0).out;
    assert!(said.contains("on this laptop costs nothing"), "{said}");
    for what in ["instance/manager", "database/catalog", "so far", "at most"] {
        assert!(said.contains(what), "{what}: {said}");
    }
    for line in said.lines().skip(1) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let cost: Value = serde_json::from_str(&laptop.run(&["cost", NAME, "--json"], 0).out).unwrap();
    assert_eq!(cost["billed"], false);
    assert_eq!(cost["expires-at"], end);
    let hour = cost["per-hour-microdollars"].as_u64().unwrap();
    assert!((50_000..200_000).contains(&hour), "{cost}");
    assert!(cost["most-per-hour-microdollars"].as_u64().unwrap() > hour);
}

#[test]
fn prices_are_listed_and_read_from_a_list_of_aws() {
    let laptop = Laptop::new();
    let said = laptop.run(&["prices"], 0).out;
    assert!(
        said.contains("ec2/t3.micro") && said.contains("us-east-1"),
        "{said}"
    );
    let said = laptop.run(&["prices", "--region", "mars-north-1"], 1).err;
    assert!(said.contains("no prices of mars-north-1"), "{said}");

    let list = laptop.blueprint().with_file_name("offer.json");
    std::fs::write(&list, OFFER).unwrap();
    let update = ["prices", "--update", "blueprints/offer.json"];
    let said = laptop.run(&update, 0).out;
    assert!(said.contains("1 prices read, 1 changed"), "{said}");
    assert!(said.contains("0.0104 -> 0.02"), "{said}");
    assert!(laptop.run(&update, 0).out.contains("0 changed"));
    let prices = laptop.run(&["prices", "--json"], 0).out;
    let prices: Value = serde_json::from_str(&prices).unwrap();
    assert_eq!(prices["prices"]["ec2/t3.micro"]["usd"], "0.02");
    assert_eq!(prices["as-of"], "2099-10-03");

    std::fs::write(&list, "{}").unwrap();
    let said = laptop.run(&update, 1).err;
    assert!(said.contains("none of our prices"), "{said}");
}

const OFFER: &str = r#"{"publicationDate":"2099-10-03T17:21:05Z",
  "products":{"A":{"sku":"A","productFamily":"Compute Instance","attributes":{
    "regionCode":"us-east-1","instanceType":"t3.micro","operatingSystem":"Linux","tenancy":"Shared",
    "preInstalledSw":"NA","capacitystatus":"Used","usagetype":"BoxUsage:t3.micro"}}},
  "terms":{"OnDemand":{"A":{"A.1":{"priceDimensions":{"A.1.1":{"unit":"Hrs",
    "pricePerUnit":{"USD":"0.0200000000"}}}}}}}}"#;
