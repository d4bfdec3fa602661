//! The manager as a browser without JavaScript uses it.

use bytes::Bytes;
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use crate::world::{MANAGER_PASSWORD, World};

/// Somebody with a browser without JavaScript: it keeps the cookie and sends the tokens of the forms it
/// was shown.
pub(crate) struct Person<'a> {
    world: &'a World,
    pub(crate) cookie: Option<HeaderValue>,
    pub(crate) token: String,
}

impl<'a> Person<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        Self {
            world,
            cookie: None,
            token: String::new(),
        }
    }

    pub(crate) async fn logged_in(world: &'a World) -> Self {
        let mut person = Self::new(world);
        person.get("/login").await;
        let answer = person.log_in(MANAGER_PASSWORD).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert_eq!(answer.headers()[LOCATION], "/");
        person.get("/").await;
        person
    }

    pub(crate) fn headers(&self) -> HeaderMap {
        let cookie = self.cookie.iter().map(|cookie| (COOKIE, cookie.clone()));
        cookie.collect()
    }

    fn remember(&mut self, answer: &Response<Bytes>) {
        if let Some(cookie) = answer.headers().get(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            self.cookie = Some(pair.parse().unwrap());
        }
        let body = text(answer);
        if let Some((_, rest)) = body.split_once(r#"name="csrf-token" value=""#) {
            rest.split('"').next().unwrap().clone_into(&mut self.token);
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Response<Bytes> {
        let answer = self
            .world
            .call(Method::GET, path, &self.headers(), "")
            .await;
        self.remember(&answer);
        answer
    }

    pub(crate) async fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Response<Bytes> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("csrf-token", &self.token)
            .extend_pairs(fields)
            .finish();
        let answer = self
            .world
            .call(Method::POST, path, &self.headers(), &form)
            .await;
        self.remember(&answer);
        answer
    }

    pub(crate) async fn log_in(&mut self, password: &str) -> Response<Bytes> {
        self.send("/login", &[("password", password)]).await
    }
}

pub(crate) fn text(answer: &Response<Bytes>) -> String {
    String::from_utf8(answer.body().to_vec()).unwrap()
}

/// What a field of a form holds.
pub(crate) fn hidden(page: &str, name: &str) -> String {
    let (_, rest) = page
        .split_once(&format!(r#"name="{name}" value=""#))
        .unwrap();
    rest.split('"').next().unwrap().replace("&quot;", "\"")
}
