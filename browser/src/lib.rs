//! Drives Chromium for the tests of the pages, by the WebDriver protocol
//! (<https://www.w3.org/TR/webdriver2/>) that `chromedriver` speaks. Both come with the system's
//! packages; `cargo xtask ci` installs them where it can.
//!
//! It is part of tests: what goes wrong ends the test, with what the browser said.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod driver;
mod look;

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use driver::Driver;

/// How long a page may take to become what a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Chromium drops what is pressed before a page is painted for the first time.
const PAINTED: &str = "performance.getEntriesByType('paint').length > 0";
/// The name under which WebDriver hands out elements (section 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys that are no characters (section 17.4.2).
pub mod key {
    /// To the next thing that can have the focus.
    pub const TAB: &str = "\u{e004}";
    /// Enter.
    pub const ENTER: &str = "\u{e007}";
    /// Escape.
    pub const ESCAPE: &str = "\u{e00c}";
    /// Last of a row or list.
    pub const END: &str = "\u{e010}";
    /// First of a row or list.
    pub const HOME: &str = "\u{e011}";
    /// Left.
    pub const LEFT: &str = "\u{e012}";
    /// Up.
    pub const UP: &str = "\u{e013}";
    /// Right.
    pub const RIGHT: &str = "\u{e014}";
    /// Down.
    pub const DOWN: &str = "\u{e015}";
    /// Delete what is marked.
    pub const DELETE: &str = "\u{e017}";
}

/// A browser of its own for one test: nobody is logged in, nothing is cached, one window of
/// 1280 by 900.
pub struct Browser {
    driver: Driver,
    /// What the page said before the last click, text or key.
    before: Mutex<String>,
}

impl Browser {
    /// A browser that shows nothing yet.
    ///
    /// # Panics
    /// When it cannot be started; the message says what to install.
    pub async fn start() -> Self {
        let browser = Self {
            driver: Driver::start().await,
            before: Mutex::default(),
        };
        // Its window is one of many, and keys go to the page all the same.
        let focused = json!({ "enabled": true });
        browser
            .devtools("Emulation.setFocusEmulationEnabled", &focused)
            .await;
        browser.set_view(look::VIEWS[0], false).await;
        browser
    }

    /// Goes to an address and waits until it is loaded.
    pub async fn open(&self, address: &str) {
        self.driver.post("url", &json!({ "url": address })).await;
        self.until(PAINTED).await;
        self.before.lock().unwrap().clear();
    }

    /// Goes back by so many pages, as the browser's own button does, and waits until the page that
    /// was shown is left.
    pub async fn back(&self, pages: u8) {
        let script = "window.isLeft = true; history.go(-arguments[0])";
        self.run_with(script, &json!([pages])).await;
        self.until("!window.isLeft").await;
        self.until(PAINTED).await;
        self.before.lock().unwrap().clear();
    }

    /// The address that is shown.
    pub async fn address(&self) -> String {
        let address = self.run("return location.href").await;
        address.as_str().unwrap().to_owned()
    }

    /// What a script gives back: the body of a function, whose promise is waited for.
    pub async fn run(&self, script: &str) -> Value {
        self.run_with(script, &json!([])).await
    }

    async fn run_with(&self, script: &str, arguments: &Value) -> Value {
        let body = json!({ "script": script, "args": arguments });
        self.driver.post("execute/sync", &body).await
    }

    /// Waits until an expression of JavaScript is true.
    pub async fn until(&self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        let script = format!("return Boolean({expression})");
        while self.run(&script).await != true {
            if Instant::now() >= deadline {
                let text = self.text("body").await;
                panic!("it never came to {expression}; the page says:\n{text}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the page says something.
    ///
    /// # Panics
    /// When it said so before the last click, text or key already: such a wait is over before
    /// what was done has come to anything.
    pub async fn until_said(&self, text: &str) {
        let is_old = self.before.lock().unwrap().contains(text);
        assert!(
            !is_old,
            "the page said {text:?} already; wait for what is new"
        );
        let text = Value::from(text);
        self.until(&format!("document.body.innerText.includes({text})"))
            .await;
    }

    /// The text that an element shows.
    pub async fn text(&self, selector: &str) -> String {
        let shown = self.with_element(selector, &Method::GET, "text", "").await;
        shown.as_str().unwrap().to_owned()
    }

    /// How many elements a selector finds.
    pub async fn count(&self, selector: &str) -> u64 {
        let script = "return document.querySelectorAll(arguments[0]).length";
        let count = self.run_with(script, &json!([selector])).await;
        count.as_u64().unwrap()
    }

    /// Clicks in the middle of an element, which has to be in sight there.
    pub async fn click(&self, selector: &str) {
        self.element_post(selector, "click", &json!({})).await;
    }

    /// Types into a field, behind what is there.
    pub async fn type_into(&self, selector: &str, text: &str) {
        self.element_post(selector, "value", &json!({ "text": text }))
            .await;
    }

    /// Empties a field, as somebody does who marks all of it and deletes.
    pub async fn empty(&self, selector: &str) {
        let select = "document.querySelector(arguments[0]).select()";
        self.run_with(select, &json!([selector])).await;
        self.press(&[key::DELETE]).await;
    }

    /// Chooses files, as the browser's dialog would.
    pub async fn choose(&self, selector: &str, files: &[&Path]) {
        let paths: Vec<_> = files.iter().map(|file| file.to_str().unwrap()).collect();
        self.type_into(selector, &paths.join("\n")).await;
    }

    /// Presses and lets go of keys, one after the other, wherever the focus is.
    pub async fn press(&self, keys: &[&str]) {
        self.until(PAINTED).await;
        self.remember().await;
        let strokes = keys
            .iter()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })));
        let strokes: Vec<_> = strokes.collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.driver
            .post("actions", &json!({ "actions": [keyboard] }))
            .await;
    }

    /// Whether pages loaded from now on may run scripts.
    pub async fn allow_scripts(&self, are_allowed: bool) {
        let parameters = json!({ "value": !are_allowed });
        self.devtools("Emulation.setScriptExecutionDisabled", &parameters)
            .await;
    }

    /// Ends the browser. Its console must be empty but for messages that contain one of `expected`:
    /// it tells of every answer that is an error, also of those that a test is about.
    pub async fn close(self, expected: &[&str]) {
        let messages = self
            .driver
            .post("se/log", &json!({ "type": "browser" }))
            .await;
        let told = messages.as_array().unwrap().iter();
        let surprising: Vec<_> = told
            .map(|entry| entry["message"].as_str().unwrap())
            // The browser's own pages, the empty first one for example, are not ours.
            .filter(|message| !message.starts_with("chrome://"))
            .filter(|message| !expected.iter().any(|text| message.contains(text)))
            .collect();
        assert!(surprising.is_empty(), "the console says {surprising:#?}");
        self.driver.end().await;
    }

    async fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.driver.post("goog/cdp/execute", &body).await
    }

    /// Does something with an element, which is waited for if it is not there yet, and looked for
    /// again if the page was replaced meanwhile.
    async fn with_element(&self, selector: &str, method: &Method, what: &str, body: &str) -> Value {
        let search = json!({ "using": "css selector", "value": selector });
        loop {
            let found = self.driver.post("element", &search).await;
            if *method == Method::POST {
                self.remember().await;
            }
            let command = format!("element/{}/{what}", found[ELEMENT].as_str().unwrap());
            match self.driver.call(method.clone(), &command, body).await {
                Ok(value) => return value,
                Err(refusal) if refusal.is_of_a_page_that_was_left() => {}
                Err(refusal) => panic!("{what} of {selector}: {refusal}"),
            }
        }
    }

    /// Keeps what the page says, before something is done that changes it.
    async fn remember(&self) {
        let said = self.run("return document.body?.innerText ?? ''").await;
        *self.before.lock().unwrap() = said.as_str().unwrap().to_owned();
    }

    async fn element_post(&self, selector: &str, what: &str, body: &Value) {
        self.with_element(selector, &Method::POST, what, &body.to_string())
            .await;
    }
}
