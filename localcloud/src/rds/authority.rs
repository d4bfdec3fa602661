//! localcloud's own certificate authority: who connects to a database can know that it is the one.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};

use crate::home::Home;
use crate::state::write_atomically;

const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca-key.pem";

/// The authority cannot be made, read or used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    /// The certificate or the key cannot be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The files cannot be read or written.
    #[error("cannot keep the certificate authority's key and certificate")]
    File(#[from] io::Error),
}

/// The key that signs the databases' certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Authority")
    }
}

/// A server's certificate and its key, both PEM.
pub(crate) struct ServerIdentity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    /// Reads the authority of a home, or makes it: `ca.pem`, and `ca-key.pem` that only its owner reads.
    ///
    /// # Errors
    /// The files cannot be read, written or understood.
    pub(crate) fn open(home: &Home) -> Result<Self, AuthorityError> {
        let key = match fs::read_to_string(home.join(KEY)) {
            Ok(pem) if home.join(CERTIFICATE).exists() => KeyPair::from_pem(&pem)?,
            Err(failure) if failure.kind() != io::ErrorKind::NotFound => return Err(failure.into()),
            _ => Self::make(home)?,
        };
        Ok(Self {
            issuer: Issuer::new(parameters(), key),
        })
    }

    fn make(home: &Home) -> Result<KeyPair, AuthorityError> {
        let key = KeyPair::generate()?;
        let certificate = parameters().self_signed(&key)?.pem();
        // The key first: a certificate without its key would look complete.
        write_atomically(&home.join(KEY), key.serialize_pem().as_bytes(), true)?;
        write_public(&home.join(CERTIFICATE), certificate.as_bytes())?;
        Ok(key)
    }

    /// A certificate for a server at an address.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn issue(&self, address: Ipv4Addr) -> Result<ServerIdentity, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut server = CertificateParams::default();
        server.distinguished_name = named(&address.to_string());
        server.subject_alt_names = vec![SanType::IpAddress(address.into())];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = server.signed_by(&key, &self.issuer)?;
        Ok(ServerIdentity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

/// What the authority says of itself. Issuing uses the same, so it must not change.
fn parameters() -> CertificateParams {
    let mut authority = CertificateParams::default();
    authority.distinguished_name = named("localcloud");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// Clients of any user read it.
fn write_public(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    write_atomically(path, bytes, true)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_authority_stays_the_same_and_its_key_is_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let home = Home::claim(&folder.path().join("home")).unwrap();
        Authority::open(&home).unwrap();
        let first = fs::read(home.join(CERTIFICATE)).unwrap();
        let again = Authority::open(&home).unwrap();
        assert_eq!(fs::read(home.join(CERTIFICATE)).unwrap(), first);
        assert_eq!(
            fs::metadata(home.join(KEY)).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let identity = again.issue(Ipv4Addr::new(127, 77, 0, 9)).unwrap();
        assert!(
            identity
                .certificate
                .starts_with("-----BEGIN CERTIFICATE-----")
        );
    }
}
