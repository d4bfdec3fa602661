//! AWS's price lists, of the shape in which AWS publishes them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Read;

use deployer_core::prices::offer::{OfferError, read};
use serde_json::{Value, json};

use super::prices;

fn wanted() -> BTreeSet<String> {
    prices().prices.into_keys().collect()
}

fn product(sku: &str, family: &str, attributes: &Value) -> (String, Value) {
    let product = json!({ "sku": sku, "productFamily": family, "attributes": attributes });
    (sku.to_owned(), product)
}

fn machine(sku: &str, system: &str, software: &str) -> (String, Value) {
    let attributes = json!({
        "servicecode": "AmazonEC2", "location": "US East (Ohio)", "locationType": "AWS Region",
        "regionCode": "us-east-2", "instanceType": "t3.micro", "vcpu": "2", "memory": "1 GiB",
        "operatingSystem": system, "preInstalledSw": software, "tenancy": "Shared",
        "capacitystatus": "Used", "usagetype": "USE2-BoxUsage:t3.micro", "operation": "RunInstances",
    });
    product(sku, "Compute Instance", &attributes)
}

fn by_usage(sku: &str, family: &str, usage: &str) -> (String, Value) {
    product(
        sku,
        family,
        &json!({ "regionCode": "us-east-2", "usagetype": usage }),
    )
}

/// The term of a product, its prices from the first unit on to the last.
fn term(sku: &str, tiers: &[&str]) -> (String, Value) {
    let tier = |(index, usd): (usize, &&str)| {
        let code = format!("{sku}.JRTCKXETXF.{index}");
        let tier = json!({
            "rateCode": code, "unit": "Hrs", "beginRange": "0", "endRange": "Inf",
            "description": "On Demand", "appliesTo": [], "pricePerUnit": { "USD": usd },
        });
        (code, tier)
    };
    let tiers: serde_json::Map<_, _> = tiers.iter().enumerate().map(tier).collect();
    let term = json!({ format!("{sku}.JRTCKXETXF"): {
        "offerTermCode": "JRTCKXETXF", "sku": sku, "effectiveDate": "2026-10-01T00:00:00Z",
        "priceDimensions": tiers, "termAttributes": {},
    }});
    (sku.to_owned(), term)
}

fn list(products: Vec<(String, Value)>, on_demand: Vec<(String, Value)>) -> String {
    let object = |entries: Vec<(String, Value)>| Value::Object(entries.into_iter().collect());
    // In this order, which a map of serde_json's would not keep.
    format!(
        r#"{{"formatVersion":"v1.0","offerCode":"AmazonEC2","version":"20261003000000",
        "publicationDate":"2026-10-03T17:21:05Z","products":{},"terms":{{"OnDemand":{},"Reserved":{{}}}}}}"#,
        object(products),
        object(on_demand)
    )
}

#[test]
fn our_prices_are_found_among_all_others() {
    let text = list(
        vec![
            machine("PLAIN", "Linux", "NA"),
            machine("WINDOWS", "Windows", "NA"),
            machine("SQL", "Linux", "SQL Web"),
            by_usage("METRIC", "Metric", "USE2-CW:MetricMonitorUsage"),
            by_usage("OTHER", "Metric", "USE2-CW:OtherUsage"),
            by_usage("ADDRESS", "VPC", "USE2-PublicIPv4:InUseAddress"),
            by_usage("CREDITS", "CPU Credits", "USE2-CPUCredits:t3"),
        ],
        vec![
            term("PLAIN", &["0.0115000000"]),
            term("WINDOWS", &["0.0196000000"]),
            term("SQL", &["0.5"]),
            term("METRIC", &["0.3000000000", "0.1000000000"]),
            term("ADDRESS", &["0.0000000000", "0.0050000000"]),
            term("CREDITS", &["0.0500000000"]),
        ],
    );
    let offer = read(text.as_bytes(), &wanted()).unwrap();
    let mut table = deployer_core::prices::Prices::built_in("us-east-2").unwrap();
    let changed = table.take_in(&offer);
    let found = &offer.prices["us-east-2"];
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "cloudwatch/metric",
            "ec2/surplus/t3",
            "ec2/t3.micro",
            "public-ipv4"
        ]
    );
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert_eq!(changed[0].key, "ec2/t3.micro");
    assert_eq!(changed[0].was.unwrap().to_string(), "0.0104");
    assert_eq!(table.of("ec2/t3.micro").unwrap().to_string(), "0.0115");
    assert_eq!(table.as_of.to_string(), "2026-10-03");
    // What was written is read again as it was.
    let text = serde_json::to_string(&table).unwrap();
    assert_eq!(deployer_core::prices::Prices::read(&text).unwrap(), table);
}

#[test]
fn what_is_no_price_list_is_told() {
    let told = |text: &str| read(text.as_bytes(), &wanted());
    assert!(matches!(told("{}"), Err(OfferError::Nothing)));
    assert!(matches!(told("[1, 2]"), Err(OfferError::Form(_))));
    let text = list(
        vec![machine("A", "Linux", "NA")],
        vec![term("A", &["0.01"])],
    );
    assert!(read(text.as_bytes(), &wanted()).is_ok());
    let cut = &text[..text.len() - 2];
    assert!(matches!(told(cut), Err(OfferError::Form(_))));
    let twice = format!("{text}{text}");
    assert!(matches!(told(&twice), Err(OfferError::Form(_))));
    let hostile = text.replace("0.01", "-0.01");
    assert!(matches!(told(&hostile), Err(OfferError::Form(_))));
}

/// A list of as many products as are asked for, made while it is read.
struct Endless {
    products: u64,
    next: u64,
    ready: Vec<u8>,
    at: usize,
}

impl Endless {
    fn new(products: u64) -> Endless {
        Endless {
            products,
            next: 0,
            ready: br#"{"publicationDate":"2026-10-03T00:00:00Z","products":{"#.to_vec(),
            at: 0,
        }
    }

    /// Half of it are products, half terms, as about in AWS's own.
    fn more(&mut self) {
        let mut text = String::new();
        let index = self.next % self.products;
        let comma = if index == 0 { "" } else { "," };
        let sku = format!("SKU{index:012}");
        if self.next < self.products {
            let (_, mut product) = machine(&sku, "Linux", "NA");
            product["attributes"]["instanceType"] = format!("m{index}.large").into();
            if index == self.products / 2 {
                (_, product) = machine(&sku, "Linux", "NA");
            }
            write!(text, r#"{comma}"{sku}":{product}"#).unwrap();
        } else if self.next < 2 * self.products {
            if index == 0 {
                text.push_str(r#"},"terms":{"OnDemand":{"#);
            }
            let (_, term) = term(&sku, &["0.0115"]);
            write!(text, r#"{comma}"{sku}":{term}"#).unwrap();
        } else if self.next == 2 * self.products {
            text.push_str("}}}");
        }
        self.next += 1;
        self.ready = text.into_bytes();
        self.at = 0;
    }
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.ready.len() {
            self.more();
        }
        let rest = &self.ready[self.at..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

/// The most memory that this process has had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// BIVOUAC_OFFER_PRODUCTS=400000 makes it as large as AWS's largest, about 400 MB.
#[test]
fn the_length_of_a_list_takes_no_memory() {
    let asked = std::env::var("BIVOUAC_OFFER_PRODUCTS");
    let products = asked.map_or(10_000, |count| count.parse().unwrap());
    let before = peak();
    let source = std::io::BufReader::with_capacity(1 << 16, Endless::new(products));
    let offer = read(source, &wanted()).unwrap();
    assert_eq!(offer.prices["us-east-2"].len(), 1);
    let grown = peak().saturating_sub(before);
    println!("{products} products: {grown} KiB more at the peak");
    assert!(grown < 16 * 1024, "{grown} KiB");
}
