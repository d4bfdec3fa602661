//! The manager's pages in Chromium: what people do, by mouse and by keyboard, and how each state
//! looks.

mod charts;
mod forms;
mod login;
mod pool;

use browser::{Browser, key};

use crate::world::{MANAGER_PASSWORD, World};

async fn opened(world: &World) -> Browser {
    let browser = Browser::start().await;
    browser.open(&world.url("/")).await;
    browser
}

/// Logs in by keyboard alone: the field has the focus.
async fn logged_in(world: &World) -> Browser {
    let browser = opened(world).await;
    browser
        .until("document.activeElement.id === 'password'")
        .await;
    browser.type_into("#password", MANAGER_PASSWORD).await;
    browser.press(&[key::ENTER]).await;
    browser.until_said("Log out").await;
    browser
}

/// Logs in and goes to a page.
async fn at(world: &World, path: &str) -> Browser {
    let browser = logged_in(world).await;
    browser.open(&world.url(path)).await;
    browser
}

/// Puts another text into a field.
async fn retype(browser: &Browser, field: &str, text: &str) {
    browser.empty(field).await;
    browser.type_into(field, text).await;
}
