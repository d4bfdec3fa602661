//! `deploy prices`: the tables that costs are estimated by.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

use deployer_core::prices::offer::{self, Changed};
use deployer_core::prices::{Price, Prices};
use serde_json::json;

use crate::arguments;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::prices;
use crate::replaced;
use crate::session::FIRST_REGION;

/// How much of a list is read at once.
const BUFFER: usize = 1 << 20;

pub(super) fn prices(given: &arguments::Prices) -> Result<Exit, Failure> {
    let home = Home::find()?;
    match &given.update {
        Some(file) => update(&home, given, file),
        None => list(&home, given),
    }
}

fn list(home: &Home, given: &arguments::Prices) -> Result<Exit, Failure> {
    let table = prices::prices(home, &given.region)?;
    if table.region != given.region {
        let regions: Vec<String> = Prices::all_built_in().map(|table| table.region).collect();
        return Err(Failure::Unfinished {
            what: format!("there are no prices of {}", given.region),
            hint: format!(
                "there are those of {}; --update FILE reads those of another region",
                regions.join(", ")
            ),
        });
    }
    if given.json {
        println!("{}", json!(table));
        return Ok(Exit::Done);
    }
    let mut text = format!("{}, {}\n\n", table.region, table.as_of);
    for (name, price) in &table.prices {
        text.push_str(&line(name, price));
        text.push('\n');
    }
    text.push_str(&format!(
        "\nUS dollars, on demand, without taxes and free tiers. {}\n",
        table.source
    ));
    // Whoever has closed the pipe has read enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(Exit::Done)
}

fn line(name: &str, price: &Price) -> String {
    let origin = match (price.estimate, price.as_of) {
        (true, _) => "estimate".to_owned(),
        (false, Some(date)) => date.to_string(),
        (false, None) => String::new(),
    };
    let line = format!(
        "  {name:30} {:>12} per {:16} {origin}",
        price.usd.to_string(),
        price.per.as_str()
    );
    line.trim_end().to_owned()
}

fn update(home: &Home, given: &arguments::Prices, file: &Path) -> Result<Exit, Failure> {
    let region = &given.region;
    let mut table = prices::prices(home, region)?;
    if table.region != *region {
        // What another region asks is nothing that this one was found to ask.
        table.region.clone_from(region);
        table.prices.clear();
    }
    let reading = format!("reading {}", file.display());
    let source: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(File::open(file).map_err(Failure::here(reading.clone()))?)
    };
    let source = BufReader::with_capacity(BUFFER, source);
    let offer = offer::read(source, &wanted(given)).map_err(Failure::here(reading))?;
    if !offer.prices.contains_key(region) {
        let regions: Vec<&str> = offer.prices.keys().map(String::as_str).collect();
        return Err(Failure::Unfinished {
            what: format!("{} has no prices of {region}", file.display()),
            hint: format!("it has those of {}: add --region", regions.join(", ")),
        });
    }
    let changed = table.take_in(&offer);
    let read = offer.prices[region].len();
    "AWS's published price lists, where a date stands; else entered by hand."
        .clone_into(&mut table.source);
    write(home, &table)?;
    if given.json {
        println!(
            "{}",
            json!({ "region": region, "read": read, "changed": changed })
        );
        return Ok(Exit::Done);
    }
    println!("{region}: {read} prices read, {} changed", changed.len());
    for change in &changed {
        println!("{}", change_line(change));
    }
    Ok(Exit::Done)
}

fn change_line(change: &Changed) -> String {
    let was = change
        .was
        .map_or_else(|| "none".to_owned(), |was| was.to_string());
    format!("  {:30} {was} -> {}", change.key, change.is)
}

/// The prices that some table has, and those that were named.
fn wanted(given: &arguments::Prices) -> BTreeSet<String> {
    let first = Prices::built_in(FIRST_REGION);
    let known = first.into_iter().flat_map(|table| table.prices.into_keys());
    known.chain(given.also.iter().cloned()).collect()
}

fn write(home: &Home, table: &Prices) -> Result<(), Failure> {
    let path = prices::path(home, &table.region);
    let doing = format!("writing {}", path.display());
    home.make()?;
    std::fs::create_dir_all(home.prices()).map_err(Failure::here(doing.clone()))?;
    let text = serde_json::to_vec_pretty(table).map_err(Failure::here(doing.clone()))?;
    replaced::write(&path, &text).map_err(Failure::here(doing))
}
