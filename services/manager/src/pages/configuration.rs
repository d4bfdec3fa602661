//! The page of the configuration: what can be set, what would change, and what has changed.
//!
//! A form is answered with a review; only what was reviewed is saved, and only if nobody changed
//! anything in between.

mod draft;

use catalog::By;
use http::{Response, StatusCode};
use kit::body::Body;
use kit::words::sentence;
use serde_json::{Value, json};

use super::form::Form;
use super::history;
use super::visit::Visit;
use super::{Notice, told};
use crate::api::{self, Expected, WishError};
use crate::bucket::Bucket;
use crate::keeper::ChangeError;
use draft::Draft;
pub(super) use draft::{label, value_told};

/// The page. What somebody goes back to edit comes in the address.
pub(super) async fn page<B: Bucket>(visit: &Visit<'_, B>) -> Response<Body> {
    let draft = current(visit).map(|draft| draft.with(|name| visit.parameter(name)));
    let notice = visit.manager.pages.take_notice(&visit.session);
    form(visit, StatusCode::OK, draft.ok(), notice).await
}

/// Answers the form: what would change.
pub(super) async fn review<B: Bucket>(visit: &Visit<'_, B>, sent: &Form) -> Response<Body> {
    let draft = match current(visit) {
        Ok(draft) => draft,
        Err(error) => return refused(visit, None, &error).await,
    };
    let given = |name: &str| sent.given(name);
    let seen = sent.field("seen");
    // Without it the form was made by a program, which has seen nothing.
    let Ok(shown) = serde_json::from_str(seen) else {
        return reviewed(visit, draft.with(given), None).await;
    };
    let is_outdated = seen != api::told_choices(draft.pool());
    let said = is_outdated.then(|| {
        let text = "The configuration was changed since this form was opened. \
                    This is what would change now.";
        (StatusCode::OK, Notice::warn(text))
    });
    reviewed(visit, draft.with_form(&shown, given), said).await
}

/// Saves what was reviewed.
pub(super) async fn save<B: Bucket>(visit: &Visit<'_, B>, sent: &Form) -> Response<Body> {
    let draft = match current(visit) {
        Ok(draft) => draft.with(|name| sent.given(name)),
        Err(error) => return refused(visit, None, &error).await,
    };
    let Ok(wish) = draft.wish() else {
        // What was reviewed is right: only a form that somebody has made up comes here.
        return reviewed(visit, draft, None).await;
    };
    let seen = Expected::Choices(sent.field("seen").to_owned());
    match api::grant(visit.manager, By::Page, &wish, &seen).await {
        Ok(()) => visit.on_to(
            "/configuration",
            Notice::good("The configuration is saved."),
        ),
        Err(error @ WishError::Outdated) => {
            let text = "The configuration was changed in the meantime, so nothing was saved. \
                        This is what would change now.";
            let notice = Notice::bad(text);
            reviewed(visit, draft, Some((api::wish_status(&error), notice))).await
        }
        Err(error) => refused(visit, Some(draft), &error).await,
    }
}

/// The configuration as it is.
fn current<B>(visit: &Visit<'_, B>) -> Result<Draft, WishError> {
    let state = visit.manager.keeper.state();
    let state = state.ok_or(WishError::Change(ChangeError::NotLeading))?;
    Ok(Draft::of(&state.pool))
}

/// The page that shows what would change, or the form if that cannot be.
async fn reviewed<B: Bucket>(
    visit: &Visit<'_, B>,
    draft: Draft,
    said: Option<(StatusCode, Notice)>,
) -> Response<Body> {
    let changes = match draft.changes() {
        Ok(changes) => changes,
        Err(draft) => return form(visit, StatusCode::BAD_REQUEST, Some(*draft), None).await,
    };
    if changes.is_empty() {
        let notice = Notice::good("Nothing would change: this is the configuration already.");
        return form(visit, StatusCode::OK, Some(draft), Some(notice)).await;
    }
    let (status, notice) = said.map_or((StatusCode::OK, None), |(status, notice)| {
        (status, Some(notice))
    });
    let content = json!({
        "title": "Review the changes",
        "section": "configuration",
        "changes": changes,
        "fields": draft.pairs(),
        "edit": draft.address(),
        "seen": api::told_choices(draft.pool()),
    });
    visit.page_saying(status, "review", content, notice)
}

async fn refused<B: Bucket>(
    visit: &Visit<'_, B>,
    draft: Option<Draft>,
    error: &WishError,
) -> Response<Body> {
    let notice = Notice::bad(sentence(&api::wish_message(error)));
    form(visit, api::wish_status(error), draft, Some(notice)).await
}

async fn form<B: Bucket>(
    visit: &Visit<'_, B>,
    status: StatusCode,
    draft: Option<Draft>,
    notice: Option<Notice>,
) -> Response<Body> {
    let content = json!({
        "title": "Configuration",
        "section": "configuration",
        "scripts": ["form"],
        "form": draft.as_ref().map_or(Value::Null, Draft::shown),
        "size": draft.as_ref().map(|draft| told::nodes(draft.pool().wanted)),
        "history": history::shown(visit).await,
    });
    visit.page_saying(status, "configuration", content, notice)
}
