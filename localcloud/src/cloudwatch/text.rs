//! CloudWatch in AWS's Query protocol, which SDKs before 2025 speak: parameters in, XML out.

use ciborium::Value;
use jiff::Timestamp;

use crate::wire::{Params, Xml};

use super::protocol::TIME;

/// The parameters of a request as the value that the other protocols would have carried, its numbers,
/// booleans and times still text.
pub(super) fn value(params: &Params) -> Value {
    let names: Vec<&str> = params.names().collect();
    match names[..] {
        [] => Value::Text(params.value().unwrap_or_default().to_owned()),
        ["member"] => Value::Array(params.structures("member").iter().map(value).collect()),
        _ => {
            let member = |name: &str| (Value::Text(name.to_owned()), value(&params.sub(name)));
            Value::Map(names.into_iter().map(member).collect())
        }
    }
}

/// An answer, as it stands inside `<ActionResult>`.
pub(super) fn xml(answer: &Value) -> String {
    let mut xml = Xml::fragment();
    members(&mut xml, answer);
    xml.finish()
}

fn members(xml: &mut Xml, structure: &Value) {
    for (name, member) in structure.as_map().into_iter().flatten() {
        write(xml, name.as_text().unwrap_or_default(), member);
    }
}

fn write(xml: &mut Xml, name: &str, value: &Value) {
    match value {
        Value::Map(_) => xml.element(name, |xml| members(xml, value)),
        Value::Array(items) => xml.element(name, |xml| {
            for item in items {
                write(xml, "member", item);
            }
        }),
        Value::Tag(TIME, seconds) => xml.optional(name, time(seconds)),
        Value::Float(number) => xml.text(name, number),
        Value::Integer(number) => xml.text(name, i128::from(*number)),
        Value::Bool(truth) => xml.text(name, truth),
        Value::Text(text) => xml.text(name, text),
        // No answer has any of the others.
        _ => xml,
    };
}

/// As ISO 8601.
fn time(seconds: &Value) -> Option<Timestamp> {
    let span = jiff::SignedDuration::try_from_secs_f64(seconds.as_float()?).ok()?;
    Timestamp::from_duration(span).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::fields::{Fields, Scalars};
    use super::super::{answer, put};
    use super::*;

    #[test]
    fn parameters_become_structures_and_lists_in_the_order_of_their_numbers() {
        let params =
            Params::parse(b"A.member.2.N=y&A.member.1.N=x&A.member.10.N=z&B=1&C.D=true&E=")
                .unwrap();
        let Value::Map(members) = value(&params) else {
            unreachable!("there are names")
        };
        let get = |name: &str| {
            &members
                .iter()
                .find(|(key, _)| key.as_text() == Some(name))
                .unwrap()
                .1
        };
        let list: Vec<_> = get("A")
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item.as_map().unwrap()[0].1.clone())
            .collect();
        assert_eq!(list, ["x", "y", "z"].map(answer::text));
        assert_eq!(get("B"), &answer::text("1"));
        assert_eq!(
            get("C").as_map().unwrap()[0],
            (answer::text("D"), answer::text("true"))
        );
        assert_eq!(get("E"), &answer::text(""));
    }

    /// What CloudWatch says to a `PutMetricData` in this form.
    fn put(form: &str) -> Result<usize, String> {
        let params = Params::parse(form.as_bytes()).map_err(|error| error.to_string())?;
        let fields =
            Fields::of(value(&params), Scalars::Text).map_err(|error| error.to_string())?;
        put::parse(&fields, "us-east-1", Timestamp::now())
            .map(|data| data.len())
            .map_err(|error| error.code.into_owned())
    }

    #[test]
    fn numbers_and_times_in_text_are_read_or_refused_by_name() {
        let datum = |rest: &str| {
            put(&format!(
                "Namespace=N&MetricData.member.1.MetricName=X&MetricData.member.1.{rest}"
            ))
        };
        for sound in [
            "Value=1",
            "Value=-1.5e3",
            "Values.member.1=1",
            "Value=1&MetricData.member.1.Dimensions=",
        ] {
            assert_eq!(datum(sound), Ok(1), "{sound}");
        }
        for wrong in [
            "Value=NaN",
            "Value=inf",
            "Value=1e400",
            "Value=1_000",
            "Value=",
            "Value.member.1=1",
            "Values=1",
            "Values.member.1=x",
            "Values.member.1=1&MetricData.member.1.Counts.member.1=x",
            "Value=1&MetricData.member.1.Timestamp=yesterday",
            "Value=1&MetricData.member.1.Timestamp=0001-01-01T00:00:00Z",
            "Value=1&MetricData.member.1.StorageResolution=1.0",
            "Value=1&MetricData.member.1.Dimensions.member.1=x",
            "StatisticValues=1",
        ] {
            assert_eq!(
                datum(wrong),
                Err("InvalidParameterValue".to_owned()),
                "{wrong}"
            );
        }
        assert_eq!(datum("Unit=Count"), Err("MissingParameter".to_owned()));
    }

    #[test]
    fn lists_that_are_none_are_refused() {
        for (data, code) in [
            ("MetricData=", "MissingParameter"),
            ("MetricData.member.x.Value=1", "MissingParameter"),
            ("MetricData.member.99999999999.Value=1", "MissingParameter"),
            ("MetricData=x", "InvalidParameterValue"),
            ("MetricData.1.Value=1", "InvalidParameterValue"),
            ("MetricData.member.1=x", "InvalidParameterValue"),
        ] {
            assert_eq!(
                put(&format!("Namespace=N&{data}")),
                Err(code.to_owned()),
                "{data}"
            );
        }
        assert_eq!(
            put("MetricData.member.1.Value=1"),
            Err("MissingParameter".to_owned())
        );
    }

    #[test]
    fn an_answer_is_written_with_members_and_times() {
        let value = answer::structure([
            ("Label", Some(answer::text("a<b"))),
            ("Times", Some(Value::Array(vec![answer::time(1)]))),
            ("Empty", Some(Value::Array(Vec::new()))),
            ("Value", Some(Value::Float(0.5))),
        ]);
        assert_eq!(
            xml(&value),
            "<Label>a&lt;b</Label><Times><member>1970-01-01T00:01:00Z</member></Times><Empty></Empty><Value>0.5</Value>"
        );
    }
}
