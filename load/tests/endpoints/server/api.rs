//! The endpoints of the contract, in memory.

use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;

use super::{Fault, State};

/// The connection is dropped instead of an answer.
pub(super) struct Crash;

/// A body, or a status with what is wrong.
type Answer = Result<String, (u16, &'static str)>;

const LIMIT: usize = 300_000 + 1_000;

pub(super) async fn answer(
    state: &Mutex<State>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Crash> {
    let (head, body) = request.into_parts();
    let fault = state.lock().unwrap().fault;
    let is = |wanted| fault == Some(wanted);
    let query = head.uri.query().unwrap_or_default().to_owned();
    if is(Fault::DropsConnectionWhenAskedForNine) && query.contains("numNodes=9") {
        return Err(Crash);
    }
    let kind = head
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let limit = if is(Fault::NoLimit) {
        usize::MAX
    } else {
        LIMIT
    };
    let answer = match Limited::new(body, limit).collect().await {
        Err(_) => Err((413, "the photo is too large")),
        Ok(_) if head.method != Method::POST && !is(Fault::GetAllowed) => Err((405, "use POST")),
        Ok(body) => route(state, head.uri.path(), &query, kind, body.to_bytes()).await,
    };
    Ok(write(fault, answer))
}

fn write(fault: Option<Fault>, answer: Answer) -> Response<Full<Bytes>> {
    let is = |wanted| fault == Some(wanted);
    let mut kind = "application/json";
    let (status, mut body) = match answer {
        Ok(body) => (200, body),
        Err((status, message)) => {
            let message = if is(Fault::EmptyMessage) { "" } else { message };
            let code = if is(Fault::CodeAsText) {
                format!("\"{status}\"")
            } else {
                status.to_string()
            };
            if is(Fault::FailureAsHtml) {
                kind = "text/html";
            }
            let status = if is(Fault::FailureWithStatus200) {
                200
            } else {
                status
            };
            (
                status,
                format!(r#"{{"success":"false","error":{{"code":{code},"message":"{message}"}}}}"#),
            )
        }
    };
    if is(Fault::BooleanSuccess) {
        body = body.replace(r#""success":"true""#, r#""success":true"#);
    }
    if is(Fault::NewlineAtTheEnd) {
        body.push('\n');
    }
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, kind)
        .body(Full::new(body.into()))
        .unwrap()
}

async fn route(
    state: &Mutex<State>,
    path: &str,
    query: &str,
    kind: Option<&str>,
    body: Bytes,
) -> Answer {
    let slashes = !state.lock().unwrap().is(Fault::SlashAtTheEndIsAnotherPath);
    let path = path.strip_suffix('/').filter(|_| slashes).unwrap_or(path);
    let query_refused = !query.is_empty() && !state.lock().unwrap().is(Fault::AcceptsUrlParameters);
    match path {
        "/api/upload" | "/api/list_keys" if query_refused => Err((400, "no parameters in the URL")),
        "/api/upload" => {
            let form = read_form(state, kind, body).await?;
            store(&mut state.lock().unwrap(), form)
        }
        "/api/list_keys" if state.lock().unwrap().is(Fault::NoListing) => {
            Err((404, "no such endpoint"))
        }
        "/api/list_keys" => Ok(list(&state.lock().unwrap())),
        "/api/delete_all" => Ok(delete(&mut state.lock().unwrap())),
        "/api/configure_cache" => {
            let mut state = state.lock().unwrap();
            let in_body = std::str::from_utf8(&body).unwrap_or_default();
            let query = if state.is(Fault::AcceptsBodyParameters) {
                in_body
            } else {
                query
            };
            configure(&mut state, query)
        }
        "/api/getNumNodes" => Ok(nodes(&state.lock().unwrap())),
        "/api/getRate" => rate(&state.lock().unwrap(), query),
        _ => match path.strip_prefix("/api/key/") {
            Some(_) if query_refused => Err((400, "no parameters in the URL")),
            Some(key) => read(state.lock().unwrap(), key),
            None => Err((404, "no such path")),
        },
    }
}

async fn read_form(
    state: &Mutex<State>,
    kind: Option<&str>,
    body: Bytes,
) -> Result<(String, Bytes), (u16, &'static str)> {
    let bad = |_| (400, "not a form");
    let boundary = multer::parse_boundary(kind.unwrap_or_default()).map_err(bad)?;
    let stream = futures::stream::iter([Ok::<_, super::Never>(body)]);
    let mut form = multer::Multipart::new(stream, boundary);
    let (mut key, mut file) = (None, None);
    while let Some(field) = form.next_field().await.map_err(bad)? {
        let is = |fault| state.lock().unwrap().is(fault);
        match field.name() {
            Some("key") if key.is_some() && !is(Fault::AcceptsTwoKeys) => {
                return Err((400, "two keys"));
            }
            Some("key") => {
                let text = field.bytes().await.map_err(bad)?;
                key = Some(String::from_utf8(text.to_vec()).map_err(|_| (400, "no UTF-8"))?);
            }
            Some("file") if file.is_some() => return Err((400, "two files")),
            Some("file") if is(Fault::NeedsFileName) && field.file_name().is_none() => {}
            Some("file") if is(Fault::NeedsKeyFirst) && key.is_none() => {}
            Some("file") => file = Some(field.bytes().await.map_err(bad)?),
            _ => {}
        }
    }
    Ok((key.ok_or((400, "no key"))?, file.ok_or((400, "no file"))?))
}

fn store(state: &mut State, (key, content): (String, Bytes)) -> Answer {
    let longest = if state.is(Fault::AcceptsLongKeys) {
        256
    } else {
        255
    };
    if key.is_empty() || key.len() > longest || key.contains('\0') {
        return Err((400, "the key must have 1 to 255 bytes"));
    }
    if state.is(Fault::ImagesOnly) && content.starts_with(b"not an image") {
        return Err((400, "not an image"));
    }
    let name = stored_name(state, &key);
    if !(state.is(Fault::FirstPhotoStays) && state.cached.contains(&name)) {
        state.photos.insert(name.clone(), content);
        state.cached.remove(&name);
    }
    let extra = if state.is(Fault::ExtraFieldOnUpload) {
        r#","size":1"#
    } else {
        ""
    };
    Ok(format!(
        r#"{{"success":"true","key":{}{extra}}}"#,
        quoted(&key)
    ))
}

fn stored_name(state: &State, key: &str) -> String {
    if state.is(Fault::IgnoresCase) {
        key.to_lowercase()
    } else if state.is(Fault::KeyTrimmed) {
        key.trim().to_owned()
    } else {
        key.to_owned()
    }
}

fn read(mut state: MutexGuard<'_, State>, encoded: &str) -> Answer {
    let mut key = decoded(encoded)?;
    if state.is(Fault::KeyDecodedTwice) {
        key = decoded(&key)?;
    }
    if state.is(Fault::PlusAsSpace) {
        key = key.replace('+', " ");
    }
    if state.is(Fault::SlashEndsTheKey) {
        key = key.split('/').next().unwrap_or_default().to_owned();
    }
    let name = stored_name(&state, &key);
    let content = state
        .photos
        .get(&name)
        .cloned()
        .ok_or((404, "no such key"))?;
    state.lookups += 1;
    if !state.cached.insert(name) {
        state.hits += 1;
    }
    let mut text = if state.is(Fault::UrlSafeContent) {
        base64_simd::URL_SAFE.encode_to_string(&content)
    } else {
        base64_simd::STANDARD.encode_to_string(&content)
    };
    if state.is(Fault::ContentWithLineBreaks) && text.len() > 76 {
        text.insert_str(76, "\\n");
    }
    if state.is(Fault::ContentWithDataPrefix) {
        text.insert_str(0, "data:image/png;base64,");
    }
    let key = quoted(&key);
    Ok(if state.is(Fault::FieldsInAnotherOrder) {
        format!(r#"{{"success":"true","content":"{text}","key":{key}}}"#)
    } else {
        format!(r#"{{"success":"true","key":{key},"content":"{text}"}}"#)
    })
}

fn decoded(text: &str) -> Result<String, (u16, &'static str)> {
    let bytes = percent_encoding::percent_decode_str(text);
    Ok(bytes
        .decode_utf8()
        .map_err(|_| (400, "no UTF-8"))?
        .into_owned())
}

fn list(state: &State) -> String {
    let keys: Vec<&String> = state.photos.keys().collect();
    format!(
        r#"{{"success":"true","keys":{}}}"#,
        serde_json::to_string(&keys).unwrap()
    )
}

fn delete(state: &mut State) -> String {
    if !state.is(Fault::ListsOldKeysAfterDelete) {
        state.photos.clear();
    }
    state.cached.clear();
    r#"{"success":"true"}"#.to_owned()
}

fn configure(state: &mut State, query: &str) -> Answer {
    let mut next = (
        state.mode.clone(),
        state.nodes,
        state.megabytes,
        state.policy.clone(),
    );
    let mut ratios = state.ratios;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let number = || value.parse::<f64>().map_err(|_| (400, "not a number"));
        let most = if state.is(Fault::AcceptsNine) { 9 } else { 8 };
        match (name.as_ref(), value.as_ref()) {
            ("mode", "manual" | "auto") => next.0 = value.into_owned(),
            ("policy", "LRU" | "RR") => next.3 = value.into_owned(),
            ("numNodes", _) => {
                next.1 = value.parse().map_err(|_| (400, "not a number"))?;
                if !(1..=most).contains(&next.1) {
                    return Err((400, "1 to 8"));
                }
            }
            ("cacheSize", _) => {
                let size: u32 = value.parse().map_err(|_| (400, "not a number"))?;
                next.2 = size.into();
            }
            ("expRatio", _) => ratios[0] = number()?,
            ("shrinkRatio", _) => ratios[1] = number()?,
            ("maxMiss", _) => ratios[2] = number()?,
            ("minMiss", _) => ratios[3] = number()?,
            _ => return Err((400, "unknown")),
        }
        if state.is(Fault::PartlyApplied) {
            state.policy.clone_from(&next.3);
        }
    }
    let [expand, shrink, grow_above, shrink_below] = ratios;
    let sound = expand > 1.0
        && expand.is_finite()
        && shrink > 0.0
        && shrink < 1.0
        && (0.0..grow_above).contains(&shrink_below)
        && grow_above <= 1.0;
    if !sound {
        return Err((400, "ratios"));
    }
    state.nodes_before = state.nodes;
    (state.mode, state.nodes, state.megabytes) = (next.0, next.1, next.2);
    if !state.is(Fault::ConfigurationLosesPolicy) {
        state.policy = next.3;
    }
    state.ratios = ratios;
    let quote = if state.is(Fault::NumbersAsText) {
        "\""
    } else {
        ""
    };
    let State {
        mode,
        nodes,
        megabytes,
        policy,
        ..
    } = state;
    Ok(format!(
        r#"{{"success":"true","mode":"{mode}","numNodes":{quote}{nodes}{quote},"cacheSize":{quote}{megabytes}{quote},"policy":"{policy}"}}"#
    ))
}

fn nodes(state: &State) -> String {
    let nodes = if state.is(Fault::SizeToldLate) {
        state.nodes_before
    } else {
        state.nodes
    };
    format!(r#"{{"success":"true","numNodes":{nodes}}}"#)
}

fn rate(state: &State, query: &str) -> Answer {
    let kind = query.strip_prefix("rate=").unwrap_or_default();
    let hits = state.hits as f64 / state.lookups.max(1) as f64;
    let mut value = match kind {
        "hit" => hits,
        "miss" if state.lookups > 0 => 1.0 - hits,
        "miss" => 0.0,
        _ => return Err((400, "miss or hit")),
    };
    if state.is(Fault::RateInPercent) {
        value *= 100.0;
    }
    if state.is(Fault::RateNeverMoves) {
        value = 0.0;
    }
    Ok(format!(
        r#"{{"success":"true","rate":"{kind}","value":{value:?}}}"#
    ))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
