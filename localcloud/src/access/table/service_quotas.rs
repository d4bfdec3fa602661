//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_servicequotas.html>

use super::{Row, on_everything};

pub(super) const ROWS: &[(&str, Row)] = &[("GetServiceQuota", on_everything)];
