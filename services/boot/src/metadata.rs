//! What the instance metadata service knows (IMDSv2,
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html>).

use aws_config::imds::Client;
use aws_config::imds::client::error::ImdsError;
use serde::Serialize;

use crate::order::{Order, OrderError};
use crate::patience::Trouble;

/// The instance, as services find it in their settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Facts {
    /// Instance id.
    pub id: String,
    /// Private address.
    pub address: String,
    /// Availability zone.
    pub zone: String,
    /// Instance type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Region.
    pub region: String,
}

/// Reads the instance's id.
pub(crate) async fn instance_id(client: &Client) -> Result<String, Trouble> {
    read(client, "/latest/meta-data/instance-id").await
}

/// Reads the facts.
pub(crate) async fn facts(client: &Client) -> Result<Facts, Trouble> {
    Ok(Facts {
        id: instance_id(client).await?,
        address: read(client, "/latest/meta-data/local-ipv4").await?,
        zone: read(client, "/latest/meta-data/placement/availability-zone").await?,
        kind: read(client, "/latest/meta-data/instance-type").await?,
        region: read(client, "/latest/meta-data/placement/region").await?,
    })
}

/// Reads the order out of the user data.
pub(crate) async fn order(client: &Client) -> Result<Result<Order, OrderError>, Trouble> {
    match client.get("/latest/user-data").await {
        Ok(user_data) => Ok(Order::parse(user_data.as_ref())),
        // 404 is how the service says that the instance has no user data.
        Err(error) if status(&error) == Some(404) => Ok(Err(OrderError::None)),
        Err(error) => Err(trouble("/latest/user-data", &error)),
    }
}

async fn read(client: &Client, path: &str) -> Result<String, Trouble> {
    match client.get(path).await {
        Ok(text) => Ok(text.as_ref().to_owned()),
        Err(error) => Err(trouble(path, &error)),
    }
}

fn status(error: &ImdsError) -> Option<u16> {
    match error {
        ImdsError::ErrorResponse(answer) => Some(answer.response().status().as_u16()),
        _ => None,
    }
}

fn trouble(path: &str, error: &ImdsError) -> Trouble {
    let (cause, detail) = match status(error) {
        Some(status) => (
            format!("{status} for {path}"),
            format!("it answered {status} for {path}"),
        ),
        None => ("no answer".to_owned(), kit::logging::chain(error)),
    };
    Trouble {
        cause,
        detail,
        expected: false,
    }
}
