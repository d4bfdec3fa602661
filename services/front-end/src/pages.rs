//! The pages that people use: all photos, one photo, and what went wrong. They work without
//! JavaScript; with it, uploads show their progress.

mod query;
mod raw;
mod view;

use std::sync::Arc;

use handlebars::Handlebars;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use kit::assets::{Asset, STYLE};
use kit::body::{Body, Incoming};
use kit::reply;
use serde::Serialize;

use crate::FrontEnd;
use crate::failure::Failure;
use crate::form;
use crate::key::Key;
use crate::settings::Settings;
use query::Query;
use view::{Around, Gallery, Shown, Single, Trouble};

static PHOTOS_SCRIPT: Asset = Asset::new(
    "text/javascript; charset=utf-8",
    include_bytes!("pages/assets/photos.js"),
);
static UPLOAD_SCRIPT: Asset = Asset::new(
    "text/javascript; charset=utf-8",
    include_bytes!("pages/assets/upload.js"),
);
static ICON: Asset = Asset::new("image/svg+xml", include_bytes!("pages/assets/icon.svg"));

/// How many photos a page shows.
const PER_PAGE: u32 = 60;

const TEMPLATES: [(&str, &str); 5] = [
    ("layout", include_str!("pages/templates/layout.hbs")),
    ("upload", include_str!("pages/templates/upload.hbs")),
    ("gallery", include_str!("pages/templates/gallery.hbs")),
    ("single", include_str!("pages/templates/single.hbs")),
    ("trouble", include_str!("pages/templates/trouble.hbs")),
];

/// The compiled pages.
pub(crate) struct Pages {
    templates: Handlebars<'static>,
    deployment: String,
    manager_port: u16,
    upload_limit: u64,
    images_only: bool,
}

impl Pages {
    pub(crate) fn new(settings: &Settings) -> Result<Self, Box<handlebars::TemplateError>> {
        let mut templates = Handlebars::new();
        templates.set_strict_mode(true);
        for (name, text) in TEMPLATES {
            templates
                .register_template_string(name, text)
                .map_err(Box::new)?;
        }
        Ok(Self {
            templates,
            deployment: settings.deployment.clone(),
            manager_port: settings.manager.port,
            upload_limit: settings.front_end.upload_limit,
            images_only: settings.front_end.images_only,
        })
    }

    fn around<'a>(&'a self, headers: &HeaderMap, title: &'a str) -> Around<'a> {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        Around {
            title,
            deployment: &self.deployment,
            manager: host.and_then(|host| view::manager_address(host, self.manager_port)),
            upload_limit: self.upload_limit,
            upload_limit_told: kit::words::size(self.upload_limit),
            images_only: self.images_only,
        }
    }

    fn render<T: Serialize>(&self, status: StatusCode, name: &str, page: &T) -> Response<Body> {
        match self.templates.render(name, page) {
            Ok(text) => reply::html(status, text),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    name,
                    "rendering a page"
                );
                reply::error(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the page could not be made",
                )
            }
        }
    }

    fn trouble(&self, headers: &HeaderMap, failure: &Failure) -> Response<Body> {
        let trouble = Trouble::of(failure, self.around(headers, ""));
        self.render(failure.status, "trouble", &trouble)
    }
}

/// Answers a request whose path is not below `/api`.
pub(crate) async fn answer(
    front_end: &Arc<FrontEnd>,
    request: Request<Incoming>,
) -> Response<Body> {
    let path = request.uri().path().to_owned();
    if path == "/upload" {
        return uploaded(front_end, request).await;
    }
    let headers = request.headers();
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let message = "this address is for looking only";
        let mut response = front_end.pages.trouble(
            headers,
            &Failure::new(StatusCode::METHOD_NOT_ALLOWED, message),
        );
        response.headers_mut().insert(
            http::header::ALLOW,
            http::HeaderValue::from_static("GET, HEAD"),
        );
        return response;
    }
    let answered = match path.as_str() {
        "/" => gallery(front_end, &request).await,
        "/assets/style.css" => Ok(STYLE.respond(headers)),
        "/assets/photos.js" => Ok(PHOTOS_SCRIPT.respond(headers)),
        "/assets/upload.js" => Ok(UPLOAD_SCRIPT.respond(headers)),
        "/assets/icon.svg" | "/favicon.ico" => Ok(ICON.respond(headers)),
        path => below(front_end, &request, path).await,
    };
    answered.unwrap_or_else(|failure| front_end.pages.trouble(headers, &failure))
}

/// Answers a path that ends in a key.
async fn below(
    front_end: &FrontEnd,
    request: &Request<Incoming>,
    path: &str,
) -> Result<Response<Body>, Failure> {
    let headers = request.headers();
    if let Some(rest) = path.strip_prefix("/view/") {
        single(front_end, headers, rest).await
    } else if let Some(rest) = path.strip_prefix("/photos/") {
        raw::photo(front_end, request.method(), headers, rest).await
    } else if let Some(rest) = path.strip_prefix("/exists/") {
        exists(front_end, rest).await
    } else {
        let message = "there is no page at this address";
        Err(Failure::new(StatusCode::NOT_FOUND, message))
    }
}

/// `true` or `false`, so that the upload form can say that a photo will be replaced.
async fn exists(front_end: &FrontEnd, rest: &str) -> Result<Response<Body>, Failure> {
    let key = Key::from_path(rest)?;
    let photo = front_end.store.catalog()?.photo(key.as_str()).await?;
    Ok(reply::json(StatusCode::OK, &photo.is_some()))
}

async fn gallery(
    front_end: &FrontEnd,
    request: &Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    let query = Query::read(request.uri().query())?;
    show_gallery(front_end, request.headers(), &query, StatusCode::OK, None).await
}

/// A page of photos, with what went wrong with an upload where there was one.
async fn show_gallery(
    front_end: &FrontEnd,
    headers: &HeaderMap,
    query: &Query,
    status: StatusCode,
    problem: Option<&str>,
) -> Result<Response<Body>, Failure> {
    let catalog = front_end.store.catalog()?;
    let listing = catalog
        .list_photos(&query.search, query.place, PER_PAGE)
        .await?;
    let around = front_end.pages.around(headers, "Photos");
    let gallery = Gallery::new(query, &listing, problem, around);
    Ok(front_end.pages.render(status, "gallery", &gallery))
}

async fn single(
    front_end: &FrontEnd,
    headers: &HeaderMap,
    rest: &str,
) -> Result<Response<Body>, Failure> {
    let key = Key::from_path(rest)?;
    show_single(front_end, headers, &key, StatusCode::OK, None).await
}

async fn show_single(
    front_end: &FrontEnd,
    headers: &HeaderMap,
    key: &Key,
    status: StatusCode,
    problem: Option<&str>,
) -> Result<Response<Body>, Failure> {
    let row = front_end.store.row(key).await?;
    let around = front_end.pages.around(headers, key.as_str());
    let single = Single {
        around,
        photo: Shown::of(&row),
        problem,
    };
    Ok(front_end.pages.render(status, "single", &single))
}

/// The form of a browser without JavaScript: ends on the photo's page, or where it was sent from with
/// what went wrong.
async fn uploaded(front_end: &Arc<FrontEnd>, request: Request<Incoming>) -> Response<Body> {
    let (head, mut body) = request.into_parts();
    let request = Request::from_parts(head, ());
    let headers = request.headers();
    if request.method() != Method::POST {
        return reply::redirect("/");
    }
    if let Err(foreign) = kit::origin::check(&request) {
        return front_end.pages.trouble(
            headers,
            &Failure::new(StatusCode::FORBIDDEN, foreign.to_string()),
        );
    }
    let replaced = request
        .uri()
        .query()
        .and_then(|query| query.strip_prefix("replace="));
    let replaced = replaced.and_then(|key| Key::from_path(key).ok());
    let stored = store(front_end, headers, &mut body, replaced.clone()).await;
    drop(body);
    let failure = match stored {
        Ok(key) => return reply::redirect(&format!("/view/{}", key.path_segment())),
        Err(failure) => failure,
    };
    let problem = Some(failure.message.as_str());
    let shown = match &replaced {
        Some(key) => show_single(front_end, headers, key, failure.status, problem).await,
        None => {
            let query = Query::default();
            show_gallery(front_end, headers, &query, failure.status, problem).await
        }
    };
    // With the database away there is no page to show the problem on.
    shown.unwrap_or_else(|_| front_end.pages.trouble(headers, &failure))
}

/// Stores the form's photo under the key it replaces, the key that was typed, or the file's name.
async fn store(
    front_end: &Arc<FrontEnd>,
    headers: &HeaderMap,
    body: &mut Incoming,
    replaced: Option<Key>,
) -> Result<Key, Failure> {
    let form = form::read(
        headers.get(CONTENT_TYPE),
        body,
        front_end.upload_limit,
        &front_end.folder,
    )
    .await?;
    let typed = form.key.filter(|key| !key.is_empty());
    let key = match (replaced, typed, form.file_name) {
        (Some(key), _, _) => key,
        (None, Some(typed), _) => Key::from_bytes(&typed)?,
        (None, None, name) => Key::from_bytes(name.unwrap_or_default().as_bytes())?,
    };
    front_end.store_photo(key.clone(), form.file).await?;
    Ok(key)
}
