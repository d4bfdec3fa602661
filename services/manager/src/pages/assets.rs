//! The files that pages load: ours, and uPlot's.

use kit::assets::{Asset, STYLE};

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

static MANAGER: Asset = Asset::new(JAVASCRIPT, include_bytes!("assets/manager.js"));
static CHARTS: Asset = Asset::new(JAVASCRIPT, include_bytes!("assets/charts.js"));
static FORM: Asset = Asset::new(JAVASCRIPT, include_bytes!("assets/form.js"));
static ICON: Asset = Asset::new("image/svg+xml", include_bytes!("assets/icon.svg"));
static UPLOT: Asset = Asset::new(JAVASCRIPT, include_bytes!("uplot/uPlot.iife.min.js"));
static UPLOT_STYLE: Asset = Asset::new(
    "text/css; charset=utf-8",
    include_bytes!("uplot/uPlot.min.css"),
);

/// The file at a path. They are the same for everybody and hold nothing of the deployment: the login
/// page needs them.
pub(super) fn find(path: &str) -> Option<&'static Asset> {
    match path {
        "/assets/style.css" => Some(&STYLE),
        "/assets/manager.js" => Some(&MANAGER),
        "/assets/charts.js" => Some(&CHARTS),
        "/assets/form.js" => Some(&FORM),
        "/assets/uplot.js" => Some(&UPLOT),
        "/assets/uplot.css" => Some(&UPLOT_STYLE),
        "/assets/icon.svg" | "/favicon.ico" => Some(&ICON),
        _ => None,
    }
}
