//! The zone of a launch.

use crate::ec2::Ec2;
use crate::ec2::types::InstanceType;
use crate::network::Zone;
use crate::wire::{ApiError, Params};

/// The zone that a request asks for, by name or by subnet; the first one if it asks for none.
pub(super) fn zone(
    ec2: &Ec2,
    region_name: &str,
    params: &Params,
    network: &Params,
) -> Result<Zone, ApiError> {
    let placed = params
        .get("Placement.AvailabilityZone")
        .map(|name| {
            Zone::named(region_name, name).ok_or_else(|| {
                ApiError::from(params.sub("Placement").invalid(
                    "AvailabilityZone",
                    format!(
                        "{region_name} has the zones {}.",
                        Zone::ALL.map(|zone| zone.name(region_name)).join(", ")
                    ),
                ))
            })
        })
        .transpose()?;
    let of_subnet = network
        .get("SubnetId")
        .map(|id| ec2.zone_of_subnet(region_name, id))
        .transpose()?;
    match (placed, of_subnet) {
        (Some(placed), Some(of_subnet)) if placed != of_subnet => Err(ApiError::new(
            "InvalidParameterValue",
            "The availability zone and the zone of the subnet are different.",
        )),
        (placed, of_subnet) => Ok(of_subnet.or(placed).unwrap_or(Zone::A)),
    }
}

/// Refuses a type that its zone does not have, in AWS's words.
pub(super) fn check_offered(
    kind: InstanceType,
    region_name: &str,
    zone: Zone,
) -> Result<(), ApiError> {
    if kind.is_offered_in(zone) {
        return Ok(());
    }
    let offering: Vec<String> = Zone::ALL
        .into_iter()
        .filter(|zone| kind.is_offered_in(*zone))
        .map(|zone| zone.name(region_name))
        .collect();
    Err(ApiError::new(
        "Unsupported",
        format!(
            "Your requested instance type ({}) is not supported in your requested Availability Zone ({}). Please retry your request by not specifying an Availability Zone or choosing {}.",
            kind.name,
            zone.name(region_name),
            offering.join(", ")
        ),
    ))
}
