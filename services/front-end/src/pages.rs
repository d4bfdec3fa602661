//! The pages that people use: all photos, one photo, and what went wrong. They work without
//! JavaScript; with it, uploads show their progress, and the pool how it stands at the moment.

mod access;
mod login;
mod query;
mod raw;
mod standing;
mod upload;
mod view;

use std::sync::Arc;

use handlebars::Handlebars;
use http::header::{ACCEPT, ALLOW, HOST, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use kit::assets::{Asset, STYLE};
use kit::body::{Body, Incoming};
use kit::events::Listeners;
use kit::reply;
use serde::Serialize;

use crate::failure::Failure;
use crate::key::Key;
use crate::pool::Pool;
use crate::served::Owner;
use crate::settings::Settings;
use crate::{FrontEnd, StartError, api};
use access::Access;
use query::Query;
use standing::Standing;
use view::{Around, Gallery, Node, Shown, Single, Trouble};

static PHOTOS_SCRIPT: Asset = Asset::new(
    "text/javascript; charset=utf-8",
    include_bytes!("pages/assets/photos.js"),
);
static UPLOAD_SCRIPT: Asset = Asset::new(
    "text/javascript; charset=utf-8",
    include_bytes!("pages/assets/upload.js"),
);
static POOL_SCRIPT: Asset = Asset::new(
    "text/javascript; charset=utf-8",
    include_bytes!("pages/assets/pool.js"),
);
static ICON: Asset = Asset::new("image/svg+xml", include_bytes!("pages/assets/icon.svg"));

/// How many photos a page shows.
const PER_PAGE: u32 = 60;

const TEMPLATES: [(&str, &str); 6] = [
    ("layout", include_str!("pages/templates/layout.hbs")),
    ("upload", include_str!("pages/templates/upload.hbs")),
    ("gallery", include_str!("pages/templates/gallery.hbs")),
    ("single", include_str!("pages/templates/single.hbs")),
    ("login", include_str!("pages/templates/login.hbs")),
    ("trouble", include_str!("pages/templates/trouble.hbs")),
];

/// The compiled pages, and who may look at them.
pub(crate) struct Pages {
    templates: Handlebars<'static>,
    access: Access,
    pool: Arc<Pool>,
    listeners: Listeners,
    deployment: String,
    manager_port: u16,
    upload_limit: u64,
    images_only: bool,
}

impl Pages {
    /// Whether who looks at them has to log in.
    pub(crate) const fn need_login(&self) -> bool {
        self.access.is_limited()
    }

    pub(crate) fn new(
        settings: &Settings,
        pool: Arc<Pool>,
        listeners: Listeners,
    ) -> Result<Self, StartError> {
        let mut templates = Handlebars::new();
        templates.set_strict_mode(true);
        for (name, text) in TEMPLATES {
            templates
                .register_template_string(name, text)
                .map_err(Box::new)?;
        }
        Ok(Self {
            templates,
            access: Access::new(settings)?,
            pool,
            listeners,
            deployment: settings.deployment.clone(),
            manager_port: settings.manager.port,
            upload_limit: settings.front_end.upload_limit,
            images_only: settings.front_end.images_only,
        })
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
}

/// One request for a page, without its body, and who asks.
struct Visit<'a> {
    front_end: &'a Arc<FrontEnd>,
    request: &'a Request<()>,
    /// The token that this visitor's forms carry; `None` where nobody needs to log in.
    csrf: Option<String>,
}

impl Visit<'_> {
    fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    fn around<'a>(&'a self, title: &'a str) -> Around<'a> {
        let pages = &self.front_end.pages;
        let host = self.headers().get(HOST);
        let host = host.and_then(|host| host.to_str().ok());
        Around {
            title,
            deployment: &pages.deployment,
            manager: host.and_then(|host| view::manager_address(host, pages.manager_port)),
            pool: self.is_let_in().then(|| Standing::now(&pages.pool).told()),
            csrf: self.csrf.as_deref(),
            upload_limit: pages.upload_limit,
            upload_limit_told: kit::words::size(pages.upload_limit),
            images_only: pages.images_only,
        }
    }

    fn is_let_in(&self) -> bool {
        self.csrf.is_some() || !self.front_end.pages.need_login()
    }

    fn render<T: Serialize>(&self, status: StatusCode, name: &str, page: &T) -> Response<Body> {
        self.front_end.pages.render(status, name, page)
    }

    fn trouble(&self, failure: &Failure) -> Response<Body> {
        let trouble = Trouble::of(failure, self.around(""));
        self.render(failure.status, "trouble", &trouble)
    }

    /// A failure in the form that is asked for: a script shows it by itself.
    fn refused(&self, failure: &Failure) -> Response<Body> {
        if self.wants_json() {
            api::told(failure)
        } else {
            self.trouble(failure)
        }
    }

    fn wants_json(&self) -> bool {
        let accept = self.headers().get(ACCEPT);
        let accept = accept.and_then(|accept| accept.to_str().ok());
        accept.is_some_and(|accept| accept.contains("application/json"))
    }
}

/// Answers a request whose path is not below `/api`.
pub(crate) async fn answer(
    front_end: &Arc<FrontEnd>,
    request: Request<Incoming>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let request = Request::from_parts(head, ());
    let mut visit = Visit {
        front_end,
        request: &request,
        csrf: None,
    };
    if let Err(foreign) = kit::origin::check(&request) {
        return visit.refused(&Failure::new(StatusCode::FORBIDDEN, foreign.to_string()));
    }
    match request.uri().path() {
        "/login" => return login::log_in(&visit, body).await,
        "/logout" => return login::log_out(&visit, body).await,
        _ => {}
    }
    if let Some(asset) = asset(request.uri().path()) {
        return looked_at(&visit, async || Ok(asset.respond(request.headers()))).await;
    }
    let catalog = front_end.store.catalog();
    match front_end
        .pages
        .access
        .check(catalog, request.headers())
        .await
    {
        Ok(csrf) => visit.csrf = csrf,
        Err(denied) => return login::denied(&visit, denied),
    }
    match request.uri().path() {
        "/upload" => upload::uploaded(&visit, body).await,
        path => looked_at(&visit, async || page(&visit, path).await).await,
    }
}

/// What is for looking only, or what went wrong with it.
async fn looked_at(
    visit: &Visit<'_>,
    look: impl AsyncFnOnce() -> Result<Response<Body>, Failure>,
) -> Response<Body> {
    if [Method::GET, Method::HEAD].contains(visit.request.method()) {
        return look()
            .await
            .unwrap_or_else(|failure| visit.trouble(&failure));
    }
    let message = "this address is for looking only";
    let mut response = visit.trouble(&Failure::new(StatusCode::METHOD_NOT_ALLOWED, message));
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn asset(path: &str) -> Option<&'static Asset> {
    match path {
        "/assets/style.css" => Some(&STYLE),
        "/assets/photos.js" => Some(&PHOTOS_SCRIPT),
        "/assets/pool.js" => Some(&POOL_SCRIPT),
        "/assets/upload.js" => Some(&UPLOAD_SCRIPT),
        "/assets/icon.svg" | "/favicon.ico" => Some(&ICON),
        _ => None,
    }
}

async fn page(visit: &Visit<'_>, path: &str) -> Result<Response<Body>, Failure> {
    if path == "/" {
        let query = Query::read(visit.request.uri().query())?;
        show_gallery(visit, &query, StatusCode::OK, None).await
    } else if path == "/pool/events" {
        let pages = &visit.front_end.pages;
        Ok(pages.listeners.answer(standing::changes(&pages.pool)))
    } else if let Some(rest) = path.strip_prefix("/view/") {
        let key = Key::from_path(rest)?;
        show_single(visit, &key, StatusCode::OK, None).await
    } else if let Some(rest) = path.strip_prefix("/photos/") {
        raw::photo(visit, rest).await
    } else if let Some(rest) = path.strip_prefix("/exists/") {
        exists(visit.front_end, rest).await
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

/// A page of photos, with what went wrong with an upload where there was one.
async fn show_gallery(
    visit: &Visit<'_>,
    query: &Query,
    status: StatusCode,
    problem: Option<&str>,
) -> Result<Response<Body>, Failure> {
    let catalog = visit.front_end.store.catalog()?;
    let listing = catalog
        .list_photos(&query.search, query.place, PER_PAGE)
        .await?;
    let gallery = Gallery::new(query, &listing, problem, visit.around("Photos"));
    Ok(visit.render(status, "gallery", &gallery))
}

async fn show_single(
    visit: &Visit<'_>,
    key: &Key,
    status: StatusCode,
    problem: Option<&str>,
) -> Result<Response<Body>, Failure> {
    let store = &visit.front_end.store;
    let row = store.row(key).await?;
    let table = store.pool.table();
    let owner = table.and_then(|table| Owner::of(&table, key.as_str()));
    let single = Single {
        around: visit.around(key.as_str()),
        photo: Shown::of(&row),
        node: owner.map(Node::of),
        problem,
    };
    Ok(visit.render(status, "single", &single))
}
