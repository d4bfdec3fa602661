//! Elastic addresses: kept by the account until they are released. Nothing here puts one on an instance.

use std::net::Ipv4Addr;

use super::filters::Filters;
use super::model::Address;
use super::{Ec2, done, ids, tags};
use crate::auth::Caller;
use crate::wire::{ApiError, Params, Xml};

/// How many a region has by default.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-eips>
const MOST: usize = 5;

impl Ec2 {
    pub(super) fn allocate_address(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let own_tags = tags::specified(params, "elastic-ip", &["elastic-ip"])?;
        let address = self.change(caller, params, |region| {
            if region.addresses.len() >= MOST {
                return Err(ApiError::new(
                    "AddressLimitExceeded",
                    "The maximum number of addresses has been reached.",
                ));
            }
            // Addresses that lead nowhere: TEST-NET-3 (RFC 5737).
            let is_free = |ip: &Ipv4Addr| !region.addresses.values().any(|taken| taken.ip == *ip);
            let ip = (1..=254)
                .map(|last| Ipv4Addr::new(203, 0, 113, last))
                .find(is_free);
            let address = Address {
                id: ids::new("eipalloc"),
                ip: ip.unwrap_or(Ipv4Addr::new(203, 0, 113, 255)),
                tags: own_tags,
            };
            region.addresses.insert(address.id.clone(), address.clone());
            Ok(address)
        })?;
        let mut xml = Xml::fragment();
        xml.text("publicIp", address.ip)
            .text("domain", "vpc")
            .text("allocationId", &address.id)
            .text("publicIpv4Pool", "amazon")
            .text("networkBorderGroup", &caller.region);
        Ok(xml.finish())
    }

    pub(super) fn release_address(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let id = params.required("AllocationId")?;
        self.change(caller, params, |region| {
            ids::ADDRESS.find(&region.addresses, id)?;
            region.addresses.remove(id);
            Ok(())
        })?;
        Ok(done())
    }

    pub(super) fn describe_addresses(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let region = self.region(&caller.region);
        let wanted = params.list("AllocationId");
        ids::ADDRESS.check_all(&wanted, |id| region.addresses.contains_key(id))?;
        let filters = Filters::read(params, &["allocation-id", "domain", "public-ip"])?;
        let found = region.addresses.values().filter(|address| {
            let values = [
                ("allocation-id", vec![address.id.clone()]),
                ("domain", vec!["vpc".to_owned()]),
                ("public-ip", vec![address.ip.to_string()]),
            ];
            (wanted.is_empty() || wanted.contains(&address.id))
                && filters.pass(&values.into(), &address.tags)
        });
        let mut xml = Xml::fragment();
        xml.list("addressesSet", "item", found, |xml, address| {
            xml.text("publicIp", address.ip)
                .text("allocationId", &address.id)
                .text("domain", "vpc")
                .text("publicIpv4Pool", "amazon")
                .text("networkBorderGroup", &caller.region);
            tags::write(xml, &address.tags);
        });
        Ok(xml.finish())
    }
}
