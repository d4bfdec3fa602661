//! Logging in and out, where the pages need it. The manager alone knows the password, counts wrong
//! ones and keeps the sessions: what was typed is passed on to it.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use kit::body::{self, Body, Incoming};
use kit::reply;
use kit::server::{CLIENT, Peer};
use kit::token;

use super::Visit;
use super::access::{Access, Denied, Logins};
use super::view::Login;
use crate::failure::Failure;

/// The longest form: a password, a token and an address.
const FORM_LIMIT: u64 = 16 * 1024;

/// The manager looks into the database.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// What somebody is told who may not look at what they asked for.
pub(super) fn denied(visit: &Visit<'_>, denied: Denied) -> Response<Body> {
    let request = visit.request;
    let path = request.uri().path();
    let failure = match denied {
        Denied::Unknown(failure) => failure,
        Denied::NotLoggedIn if is_page(request.method(), path) => {
            let to = request.uri().path_and_query().map_or("/", |to| to.as_str());
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("to", to);
            return reply::redirect(&format!("/login?{}", query.finish()));
        }
        Denied::NotLoggedIn => Failure::new(
            StatusCode::UNAUTHORIZED,
            "you are not logged in any more; load the page again and log in",
        ),
    };
    visit.refused(&failure)
}

/// Whether a person sees what is answered as a page of its own.
fn is_page(method: &Method, path: &str) -> bool {
    let is_read = [Method::GET, Method::HEAD].contains(method);
    is_read && (path == "/" || path.starts_with("/view/"))
}

/// Answers `/login`.
pub(super) async fn log_in(visit: &Visit<'_>, body: Incoming) -> Response<Body> {
    let Access::LoggedIn(logins) = &visit.front_end.pages.access else {
        return reply::redirect("/");
    };
    if visit.request.method() != Method::POST {
        let query = visit.request.uri().query().unwrap_or_default();
        let to = destination(query.as_bytes());
        return form(visit, logins, StatusCode::OK, &to, None);
    }
    let form_sent = match body::read_limited(body, FORM_LIMIT).await {
        Ok(form_sent) => form_sent,
        Err(refused) => {
            return visit.trouble(&Failure::new(refused.status(), refused.to_string()));
        }
    };
    let to = destination(&form_sent);
    let answer = match ask(visit, "/login", form_sent).await {
        Ok(answer) => answer,
        Err(failure) => return visit.trouble(&failure),
    };
    let wait = answer.headers().get(RETRY_AFTER).cloned();
    let problem = match answer.status() {
        StatusCode::SEE_OTHER => return moved(&to, answer.headers()),
        StatusCode::UNAUTHORIZED => "That is not the password.".to_owned(),
        StatusCode::FORBIDDEN => {
            "The form was too old, or the browser keeps no cookies. Try once more.".to_owned()
        }
        StatusCode::TOO_MANY_REQUESTS => {
            let seconds = wait.as_ref().and_then(|wait| wait.to_str().ok());
            let seconds = seconds.unwrap_or("60");
            format!("Too many wrong passwords. Try again in {seconds} s.")
        }
        _ => return visit.trouble(&not_now()),
    };
    let mut response = form(visit, logins, answer.status(), &to, Some(&problem));
    if let Some(wait) = wait {
        response.headers_mut().insert(RETRY_AFTER, wait);
    }
    response
}

/// Answers `/logout`.
pub(super) async fn log_out(visit: &Visit<'_>, body: Incoming) -> Response<Body> {
    if visit.request.method() != Method::POST {
        return reply::redirect("/");
    }
    let asked = match body::read_limited(body, FORM_LIMIT).await {
        Ok(form_sent) => ask(visit, "/logout", form_sent).await,
        Err(refused) => Err(Failure::new(refused.status(), refused.to_string())),
    };
    match asked {
        Ok(answer) if answer.status() == StatusCode::SEE_OTHER => moved("/login", answer.headers()),
        Ok(answer) if answer.status() == StatusCode::FORBIDDEN => {
            let message = "this form is too old; load the page again";
            visit.trouble(&Failure::new(StatusCode::FORBIDDEN, message))
        }
        Ok(_) => visit.trouble(&not_now()),
        Err(failure) => visit.trouble(&failure),
    }
}

fn form(
    visit: &Visit<'_>,
    logins: &Logins,
    status: StatusCode,
    to: &str,
    problem: Option<&str>,
) -> Response<Body> {
    let (visitor, begun) = logins.visitor(visit.headers());
    let login = Login {
        around: visit.around("Log in"),
        token: logins.token(&visitor),
        to,
        problem,
    };
    let mut response = visit.render(status, "login", &login);
    if let Some(begun) = begun {
        response.headers_mut().insert(SET_COOKIE, begun.cookie);
    }
    response
}

/// Where to go afterwards: an address of ours, whatever was asked for.
fn destination(form: &[u8]) -> String {
    let asked = form_urlencoded::parse(form).find(|(name, _)| name == "to");
    let asked = asked.map(|(_, to)| to.into_owned()).unwrap_or_default();
    let is_ours = asked == "/" || asked.starts_with("/?") || asked.starts_with("/view/");
    if is_ours && asked.bytes().all(|byte| byte.is_ascii_graphic()) {
        asked
    } else {
        "/".to_owned()
    }
}

/// Sends a form to the manager with the browser's cookies.
async fn ask(visit: &Visit<'_>, path: &str, form: Bytes) -> Result<Response<Bytes>, Failure> {
    let mut request = Request::post(format!("http://{}{path}", visit.front_end.manager))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    for cookie in visit.headers().get_all(COOKIE) {
        request = request.header(COOKIE, cookie);
    }
    // Wrong passwords are counted by who sends them, and to the manager all of these come from here.
    if let (Access::LoggedIn(logins), Some(Peer(client))) = (
        &visit.front_end.pages.access,
        visit.request.extensions().get(),
    ) {
        request = request
            .header(CLIENT, client.to_string())
            .header(token::HEADER, logins.internal_token());
    }
    let request = request.body(body::full(form)).map_err(|_| not_now())?;
    let sent = visit.front_end.http.send(request, ANSWER_TIME).await;
    sent.map_err(|error| {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            path,
            "the manager does not answer"
        );
        not_now()
    })
}

fn not_now() -> Failure {
    Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "the manager, which knows who may log in, does not answer; try again in a moment",
    )
}

/// Elsewhere, with the cookies that the manager gave.
fn moved(to: &str, given: &HeaderMap) -> Response<Body> {
    let mut response = reply::redirect(to);
    for cookie in given.get_all(SET_COOKIE) {
        response.headers_mut().append(SET_COOKIE, cookie.clone());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_our_own_pages_only() {
        let to = |form: &str| destination(form.as_bytes());
        assert_eq!(to("to=%2Fview%2Fa%2520b&password=x"), "/view/a%20b");
        assert_eq!(to("to=%2F%3Fq%3Dlake"), "/?q=lake");
        for foreign in [
            "",
            "to=",
            "to=%2F%2Fevil.example",
            "to=%2F%5Cevil.example",
            "to=http%3A%2F%2Fevil.example",
            "to=javascript%3Aalert(1)",
            "to=%2Fview%2Fa%0D%0Aset-cookie%3A+x",
            "to=%2Flogout",
            "to=%FF",
        ] {
            assert_eq!(to(foreign), "/", "{foreign}");
        }
    }
}
