//! Launch templates: kept by the account. Nothing here is launched from one.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html>

use jiff::Timestamp;

use super::filters::{Filters, Page};
use super::model::LaunchTemplate;
use super::{Ec2, ids, tags};
use crate::auth::Caller;
use crate::wire::{ApiError, Params, Xml};

impl Ec2 {
    pub(super) fn create_launch_template(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let name = params.required("LaunchTemplateName")?.to_owned();
        let own_tags = tags::specified(params, "launch-template", &["launch-template"])?;
        if params.sub("LaunchTemplateData").is_empty() {
            return Err(ApiError::new(
                "MissingParameter",
                "The request must contain the parameter LaunchTemplateData",
            ));
        }
        let template = self.change(caller, params, |region| {
            if region
                .launch_templates
                .values()
                .any(|other| other.name == name)
            {
                return Err(ApiError::new(
                    "InvalidLaunchTemplateName.AlreadyExistsException",
                    "Launch template name already in use.",
                ));
            }
            let template = LaunchTemplate {
                id: ids::new("lt"),
                name,
                created_at: Timestamp::now(),
                created_by: caller.arn.clone(),
                tags: own_tags,
            };
            let id = template.id.clone();
            region.launch_templates.insert(id, template.clone());
            Ok(template)
        })?;
        Ok(described(&template))
    }

    pub(super) fn delete_launch_template(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let id = params.required("LaunchTemplateId")?;
        let template = self.change(caller, params, |region| {
            ids::LAUNCH_TEMPLATE.find(&region.launch_templates, id)?;
            let gone = region.launch_templates.remove(id);
            gone.ok_or_else(|| ids::LAUNCH_TEMPLATE.not_found(id))
        })?;
        Ok(described(&template))
    }

    pub(super) fn describe_launch_templates(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let region = self.region(&caller.region);
        let wanted = params.list("LaunchTemplateId");
        let names = params.list("LaunchTemplateName");
        let all = &region.launch_templates;
        ids::LAUNCH_TEMPLATE.check_all(&wanted, |id| all.contains_key(id))?;
        let filters = Filters::read(params, &["launch-template-name", "create-time"])?;
        let found: Vec<_> = all
            .values()
            .filter(|template| {
                let values = [
                    ("launch-template-name", vec![template.name.clone()]),
                    ("create-time", vec![format!("{:.3}", template.created_at)]),
                ];
                (wanted.is_empty() || wanted.contains(&template.id))
                    && (names.is_empty() || names.contains(&template.name))
                    && filters.pass(&values.into(), &template.tags)
            })
            .collect();
        let page = Page::of(found, params)?;
        let mut xml = Xml::fragment();
        xml.list("launchTemplates", "item", page.items, write)
            .optional("nextToken", page.next);
        Ok(xml.finish())
    }
}

fn described(template: &LaunchTemplate) -> String {
    let mut xml = Xml::fragment();
    xml.element("launchTemplate", |xml| write(xml, template));
    xml.finish()
}

fn write(xml: &mut Xml, template: &LaunchTemplate) {
    xml.text("launchTemplateId", &template.id)
        .text("launchTemplateName", &template.name)
        .text("createTime", format!("{:.3}", template.created_at))
        .text("createdBy", &template.created_by)
        .text("defaultVersionNumber", 1)
        .text("latestVersionNumber", 1);
    tags::write(xml, &template.tags);
}
