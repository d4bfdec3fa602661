//! Looking at a page as everybody gets it: wide and narrow, light and dark.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::Browser;

/// A window, in CSS pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    width: u32,
    height: u32,
}

pub(crate) const VIEWS: [View; 2] = [
    View {
        width: 1280,
        height: 900,
    },
    View {
        width: 400,
        height: 800,
    },
];

/// Pictures of what [`Browser::look`] looks at are kept in this folder, if it is named.
const PICTURES: &str = "BIVOUAC_PICTURES";

const AXE: &str = include_str!("../axe/axe.min.js");

/// What axe finds wrong: rule, what it is about, and where.
const RUN_AXE: &str = r#"
const found = await axe.run(document, {
  resultTypes: ["violations"],
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
});
return found.violations.map(({ id, help, nodes }) =>
  `${id}: ${help}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join("; ")}`);
"#;

/// What is wider than the window.
const TOO_WIDE: &str = r#"
const width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth <= width) return [];
return [...document.body.querySelectorAll("*")]
  .filter((part) => part.getBoundingClientRect().right > width + 1)
  .map((part) => part.outerHTML.slice(0, 120));
"#;

/// The next frame is painted with the new size and colours.
const PAINTED: &str =
    "await new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)));";

impl Browser {
    /// Checks the page as it is now at 1280 and 400 pixels, light and dark: nothing is wider than the
    /// window, and axe finds nothing wrong. Keeps a picture of each if `BIVOUAC_PICTURES` names a
    /// folder. `state` is a file name.
    pub async fn look(&self, state: &str) {
        self.run(&format!("if (!window.axe) {{ {AXE} }}")).await;
        for is_dark in [false, true] {
            for view in VIEWS {
                self.set_view(view, is_dark).await;
                let scheme = if is_dark { "dark" } else { "light" };
                let name = format!("{state}-{}-{scheme}", view.width);
                self.keep_picture(&name).await;
                let wide = self.run(TOO_WIDE).await;
                assert_eq!(wide, json!([]), "{name}: wider than the window");
                // Two of four have both sizes and all colours.
                if is_dark == (view.width == VIEWS[0].width) {
                    let wrong = self.run(RUN_AXE).await;
                    assert_eq!(wrong, json!([]), "{name}: axe objects: {wrong:#}");
                }
            }
        }
        self.set_view(VIEWS[0], false).await;
    }

    pub(crate) async fn set_view(&self, view: View, is_dark: bool) {
        let size = json!({
            "width": view.width, "height": view.height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", &size)
            .await;
        let scheme = if is_dark { "dark" } else { "light" };
        let features = json!({ "features": [
            { "name": "prefers-color-scheme", "value": scheme },
            // Nothing is caught half way.
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]});
        self.devtools("Emulation.setEmulatedMedia", &features).await;
        self.run(PAINTED).await;
    }

    async fn keep_picture(&self, name: &str) {
        let Some(folder) = std::env::var_os(PICTURES).map(PathBuf::from) else {
            return;
        };
        let whole = json!({ "captureBeyondViewport": true });
        let picture = self.devtools("Page.captureScreenshot", &whole).await;
        let Value::String(encoded) = &picture["data"] else {
            panic!("no picture: {picture}");
        };
        let bytes = base64_simd::STANDARD.decode_to_vec(encoded).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }
}
