//! Attributes and the console of one instance.

use std::sync::Arc;

use super::model::{Instance, InstanceState, ShutdownBehavior};
use super::run::check_user_data;
use super::{Ec2, done, ids};
use crate::auth::Caller;
use crate::wire::{ApiError, Params, Xml};

impl Ec2 {
    pub(super) fn describe_instance_attribute(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let region = self.region(&caller.region);
        let id = params.required("InstanceId")?;
        let instance = ids::INSTANCE.find(&region.instances, id)?;
        let attribute = params.required("Attribute")?;
        let mut xml = Xml::fragment();
        xml.text("instanceId", id);
        let valued = |xml: &mut Xml, value: &str| {
            xml.element(attribute, |xml| {
                xml.text("value", value);
            });
        };
        match attribute {
            "userData" => {
                xml.element(attribute, |xml| {
                    xml.optional("value", instance.user_data.as_ref());
                });
            }
            "instanceInitiatedShutdownBehavior" => valued(&mut xml, instance.shutdown.name()),
            "instanceType" => valued(&mut xml, &instance.instance_type),
            "disableApiTermination" => {
                valued(&mut xml, &instance.termination_protection.to_string());
            }
            "rootDeviceName" => valued(&mut xml, &instance.root_device),
            "sourceDestCheck" | "enaSupport" => valued(&mut xml, "true"),
            "ebsOptimized" | "disableApiStop" => valued(&mut xml, "false"),
            "groupSet" => super::instances::write_groups(&mut xml, &region, &instance.groups),
            _ => {
                return Err(params
                    .invalid("Attribute", "localcloud does not know it.")
                    .into());
            }
        }
        Ok(xml.finish())
    }

    pub(super) fn modify_instance_attribute(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let id = params.required("InstanceId")?;
        self.change(caller, params, |region| {
            let groups = params.list("GroupId");
            ids::GROUP.check_all(&groups, |id| region.groups.contains_key(id))?;
            let instance = ids::INSTANCE.find_mut(&mut region.instances, id)?;
            if instance.state.is_ending() {
                return Err(ids::INSTANCE.not_found(id));
            }
            let mut changed = 0;
            if !groups.is_empty() {
                instance.groups = groups;
                changed += 1;
            }
            for name in [
                "UserData",
                "InstanceInitiatedShutdownBehavior",
                "DisableApiTermination",
                "InstanceType",
            ] {
                if let Some(value) = new_value(params, name) {
                    modify(instance, params, name, &value)?;
                    changed += 1;
                }
            }
            match changed {
                1 => Ok(()),
                0 => Err(ApiError::new(
                    "InvalidParameterCombination",
                    "No attributes specified (localcloud knows userData, instanceInitiatedShutdownBehavior, disableApiTermination, instanceType and groupSet).",
                )),
                _ => Err(ApiError::new(
                    "InvalidParameterCombination",
                    "Fields for multiple attribute types specified; change one at a time.",
                )),
            }
        })?;
        Ok(done())
    }

    pub(super) fn get_console_output(
        self: &Arc<Self>,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let region = self.region(&caller.region);
        let id = params.required("InstanceId")?;
        let instance = ids::INSTANCE.find(&region.instances, id)?;
        params.boolean("Latest")?;
        let text = self.machines.console(&instance.id);
        let mut xml = Xml::fragment();
        xml.text("instanceId", id)
            .text("timestamp", format!("{:.3}", jiff::Timestamp::now()));
        if !text.is_empty() {
            xml.text("output", base64_simd::STANDARD.encode_to_string(text));
        }
        Ok(xml.finish())
    }
}

/// `Name.Value=x`, or the older `Attribute=name&Value=x`.
fn new_value(params: &Params, name: &str) -> Option<String> {
    let named = params
        .get("Attribute")
        .is_some_and(|given| given.eq_ignore_ascii_case(name));
    params
        .get(&format!("{name}.Value"))
        .or_else(|| params.get(name))
        .or_else(|| params.get("Value").filter(|_| named))
        .map(str::to_owned)
}

fn modify(
    instance: &mut Instance,
    params: &Params,
    name: &str,
    value: &str,
) -> Result<(), ApiError> {
    let must_be_stopped = |instance: &Instance| match instance.state {
        InstanceState::Stopped => Ok(()),
        state => Err(ApiError::new(
            "IncorrectInstanceState",
            format!(
                "The instance '{}' is {}; stop it first.",
                instance.id,
                state.name()
            ),
        )),
    };
    match name {
        "UserData" => {
            must_be_stopped(instance)?;
            check_user_data(value)?;
            instance.user_data = (!value.is_empty()).then(|| value.to_owned());
        }
        "InstanceInitiatedShutdownBehavior" => {
            instance.shutdown = ShutdownBehavior::named(value)
                .ok_or_else(|| params.invalid(name, "Use stop or terminate."))?;
        }
        "DisableApiTermination" => {
            instance.termination_protection = value
                .parse()
                .map_err(|_| params.invalid(name, "Use true or false."))?;
        }
        _ => {
            must_be_stopped(instance)?;
            let kind = super::types::InstanceType::named(value)
                .ok_or_else(|| super::types::unknown_type(value))?;
            if kind.architecture() != instance.architecture {
                return Err(params
                    .invalid(name, "Its architecture is not the instance's.")
                    .into());
            }
            instance.instance_type = value.to_owned();
        }
    }
    Ok(())
}
