//! The JSON Schema that editors use.

use deployer_core::blueprint;
use serde_json::Value;

#[test]
fn the_schemas_are_these() {
    insta::assert_snapshot!("blueprint", format!("{:#}", blueprint::schema()));
    insta::assert_snapshot!("recipe", format!("{:#}", blueprint::recipe_schema()));
}

/// Each object of the schema is closed and says for every key what it is.
#[test]
fn every_key_is_explained_and_no_other_allowed() {
    fn visit(value: &Value, path: &str) {
        if let Some(properties) = value.get("properties").and_then(Value::as_object) {
            assert_eq!(value["additionalProperties"], false, "{path}");
            for (key, property) in properties {
                assert!(
                    property.get("description").is_some(),
                    "{path}/{key} has no description"
                );
            }
        }
        match value {
            Value::Object(map) => map
                .iter()
                .for_each(|(key, value)| visit(value, &format!("{path}/{key}"))),
            Value::Array(list) => list.iter().for_each(|value| visit(value, path)),
            _ => {}
        }
    }
    visit(&blueprint::schema(), "");
}
