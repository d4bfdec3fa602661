//! The upload form: `multipart/form-data` (RFC 7578) with the parts `key` and `file`.

mod paced;

use std::io;

use bytes::Bytes;
use http::header::HeaderValue;
use http_body::Body;
use kit::csrf;
use multer::{Field, Multipart};

use crate::form::paced::{Allowance, Paced};
use crate::key::{InvalidKey, Key, LONGEST};
use crate::spool::{Folder, Spool};

/// How many bytes a body may have beyond its file: part headers, the key, parts nobody asked for.
pub const OVERHEAD: u64 = 1024 * 1024;

/// How much of a token is read: more than one of ours has, which is 64 characters.
const LONGEST_TOKEN: usize = 128;

/// What both parts are, for messages.
const RIGHT: &str = "send multipart/form-data with the part \"key\" (text) and the part \"file\" (the photo's bytes), each once";

/// A form read to its end.
#[derive(Debug)]
pub struct Form {
    /// The part `key`; `None` when it is missing.
    pub key: Option<Vec<u8>>,
    /// The name that came with the file, if any: good for a default key, never for anything else.
    pub file_name: Option<String>,
    /// The part `file`.
    pub file: Spool,
    /// The part `csrf-token`, by which a page's own form is known.
    pub csrf: Option<String>,
}

/// Why a form was refused.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    /// Another content type, or none.
    #[error("the body is not a form; {RIGHT}")]
    NotMultipart,
    /// The parts cannot be told apart.
    #[error(
        "the Content-Type names no boundary of 1 to 70 characters; leave it to your client, which writes multipart/form-data; boundary=…"
    )]
    NoBoundary,
    /// The body ended too early.
    #[error("the body ends before its last part does; send all of it")]
    Truncated,
    /// The body is no multipart text.
    #[error("the body is not well-formed multipart/form-data; {RIGHT}")]
    Malformed,
    /// A part is not there.
    #[error("the part \"{0}\" is missing; {RIGHT}")]
    Missing(&'static str),
    /// A part is there more than once.
    #[error("the part \"{0}\" is there more than once; {RIGHT}")]
    Duplicate(&'static str),
    /// The file has no bytes.
    #[error("the part \"file\" is empty; choose a file and send its bytes")]
    EmptyFile,
    /// The key breaks a rule.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// More bytes than this server takes.
    #[error("the file is larger than {0} bytes ({limit} MiB), the most that is taken here; send a smaller one", limit = .0 / (1024 * 1024))]
    TooLarge(u64),
    /// The spool failed.
    #[error(
        "the upload could not be kept on the disk, which may be full; whoever deployed this has to make room"
    )]
    Spool(#[source] io::Error),
}

/// Reads the upload form in `body`, keeping the file in `folder`.
///
/// Parts with other names are read and forgotten, as browsers send the names of buttons.
///
/// # Errors
/// When the form is not what it should be; the body may then have bytes left to read.
pub async fn read<B>(
    content_type: Option<&HeaderValue>,
    body: &mut B,
    file_limit: u64,
    folder: &Folder,
) -> Result<Form, FormError>
where
    B: Body<Data = Bytes> + Unpin + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let boundary = boundary(content_type)?;
    let announced = body.size_hint().exact().unwrap_or(0);
    if announced > file_limit + OVERHEAD {
        return Err(FormError::TooLarge(file_limit));
    }
    let allowance = Allowance::new(file_limit + OVERHEAD);
    let mut parts = Multipart::new(Paced::new(body, allowance.clone()), boundary);
    let mut key = None;
    let mut file = None;
    let mut csrf = None;
    loop {
        allowance.for_headers();
        let Some(part) = parts
            .next_field()
            .await
            .map_err(|error| refused(&error, file_limit))?
        else {
            break;
        };
        allowance.for_content();
        match part.name() {
            Some("key") if key.is_some() => return Err(FormError::Duplicate("key")),
            Some("key") => key = Some(read_key(part, file_limit).await?),
            Some("file") if file.is_some() => return Err(FormError::Duplicate("file")),
            Some("file") => file = Some(read_file(part, file_limit, folder).await?),
            Some(csrf::FIELD) => csrf = read_token(part, file_limit).await?,
            _ => skip(part, file_limit).await?,
        }
    }
    let (file_name, file) = file.ok_or(FormError::Missing("file"))?;
    Ok(Form {
        key,
        file_name,
        file,
        csrf,
    })
}

/// The boundary out of the content type.
fn boundary(content_type: Option<&HeaderValue>) -> Result<String, FormError> {
    let content_type = content_type
        .and_then(|value| value.to_str().ok())
        .ok_or(FormError::NotMultipart)?;
    match multer::parse_boundary(content_type) {
        Ok(boundary) if (1..=70).contains(&boundary.len()) => Ok(boundary),
        Ok(_) | Err(multer::Error::NoBoundary) => Err(FormError::NoBoundary),
        // "boundary=" with nothing behind it is no media type at all to the parser.
        Err(_)
            if content_type
                .trim_start()
                .to_ascii_lowercase()
                .starts_with("multipart/form-data") =>
        {
            Err(FormError::NoBoundary)
        }
        Err(_) => Err(FormError::NotMultipart),
    }
}

/// Reads a key, no further than it takes to know that it is too long.
async fn read_key(mut part: Field<'_>, file_limit: u64) -> Result<Vec<u8>, FormError> {
    let mut key = Vec::new();
    while let Some(chunk) = part
        .chunk()
        .await
        .map_err(|error| refused(&error, file_limit))?
    {
        key.extend_from_slice(&chunk);
        if key.len() > LONGEST {
            return Err(InvalidKey::TooLong.into());
        }
    }
    // An empty key stays, for the page that takes the file's name instead.
    if !key.is_empty() {
        Key::from_bytes(&key)?;
    }
    Ok(key)
}

/// Reads a token, and no more of it than could be one of ours.
async fn read_token(mut part: Field<'_>, file_limit: u64) -> Result<Option<String>, FormError> {
    let mut token = Vec::new();
    while let Some(chunk) = part
        .chunk()
        .await
        .map_err(|error| refused(&error, file_limit))?
    {
        let room = LONGEST_TOKEN.saturating_sub(token.len());
        token.extend(chunk.iter().take(room));
    }
    Ok(String::from_utf8(token).ok())
}

async fn read_file(
    mut part: Field<'_>,
    file_limit: u64,
    folder: &Folder,
) -> Result<(Option<String>, Spool), FormError> {
    let name = part.file_name().map(str::to_owned);
    let mut spool = folder.begin();
    while let Some(chunk) = part
        .chunk()
        .await
        .map_err(|error| refused(&error, file_limit))?
    {
        if spool.length() + chunk.len() as u64 > file_limit {
            return Err(FormError::TooLarge(file_limit));
        }
        spool.push(&chunk).await.map_err(FormError::Spool)?;
    }
    if spool.length() == 0 {
        return Err(FormError::EmptyFile);
    }
    let spool = spool.finish().await.map_err(FormError::Spool)?;
    Ok((name, spool))
}

async fn skip(mut part: Field<'_>, file_limit: u64) -> Result<(), FormError> {
    while part
        .chunk()
        .await
        .map_err(|error| refused(&error, file_limit))?
        .is_some()
    {}
    Ok(())
}

/// What the parser's complaint means to the client.
fn refused(error: &multer::Error, file_limit: u64) -> FormError {
    match error {
        multer::Error::IncompleteFieldData { .. }
        | multer::Error::IncompleteHeaders
        | multer::Error::IncompleteStream => FormError::Truncated,
        multer::Error::StreamReadFailed(source) => match source.downcast_ref::<paced::Exceeded>() {
            Some(paced::Exceeded::Body) => FormError::TooLarge(file_limit),
            Some(paced::Exceeded::Headers) => FormError::Malformed,
            None => FormError::Truncated,
        },
        _ => FormError::Malformed,
    }
}

#[cfg(test)]
mod tests;
