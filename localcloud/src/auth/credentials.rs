//! Access keys: the account's own, and the temporary ones of instance roles.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use rand::Rng as _;
use rand::distr::{Alphanumeric, SampleString as _};
use serde::{Deserialize, Serialize};

/// Who holds a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The account itself.
    Root,
    /// A role, in a session named after the instance.
    Role {
        /// Name of the role.
        name: String,
        /// Its unique id, `AROA…`.
        id: String,
        /// Name of the session: the instance's id.
        session: String,
    },
}

impl Principal {
    /// ARN of the principal as STS tells it.
    pub fn arn(&self, account: &str) -> String {
        match self {
            Self::Root => format!("arn:aws:iam::{account}:root"),
            Self::Role { name, session, .. } => {
                format!("arn:aws:sts::{account}:assumed-role/{name}/{session}")
            }
        }
    }

    /// `UserId` of the principal as STS tells it.
    pub fn user_id(&self, account: &str) -> String {
        match self {
            Self::Root => account.to_owned(),
            Self::Role { id, session, .. } => format!("{id}:{session}"),
        }
    }
}

/// An access key with its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// `AKIA…` of the account, `ASIA…` of a session.
    pub access_key_id: String,
    /// The secret that signs.
    pub secret_access_key: String,
    /// What a session's requests must carry in `x-amz-security-token`.
    pub session_token: Option<String>,
    /// End of a session's validity.
    pub expires_at: Option<Timestamp>,
    /// When the key was made.
    pub issued_at: Timestamp,
    /// Whose key it is.
    pub principal: Principal,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Credential")
            .field("access_key_id", &self.access_key_id)
            .field("principal", &self.principal)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl Credential {
    /// Whether its time has run out.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// The account's own key, kept on disk.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RootKey {
    /// The account's twelve digits.
    pub account: String,
    /// `AKIA…`.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
}

impl RootKey {
    /// A new account with a key.
    pub fn generate() -> Self {
        Self {
            account: format!(
                "{:012}",
                rand::rng().random_range(100_000_000_000_u64..1_000_000_000_000)
            ),
            access_key_id: format!("AKIA{}", upper_base32(16)),
            secret_access_key: Alphanumeric.sample_string(&mut rand::rng(), 40),
        }
    }
}

/// All keys that are good for something.
#[derive(Debug)]
pub struct Credentials {
    account: String,
    root: Credential,
    sessions: RwLock<HashMap<String, Credential>>,
}

impl Credentials {
    /// The store of an account, which knows the account's own key.
    pub fn new(key: &RootKey) -> Self {
        Self {
            account: key.account.clone(),
            root: Credential {
                access_key_id: key.access_key_id.clone(),
                secret_access_key: key.secret_access_key.clone(),
                session_token: None,
                expires_at: None,
                issued_at: Timestamp::now(),
                principal: Principal::Root,
            },
            sessions: RwLock::default(),
        }
    }

    /// The account's twelve digits.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The account's own key.
    pub fn root(&self) -> &Credential {
        &self.root
    }

    /// The key with that id, expired or not.
    pub fn find(&self, access_key_id: &str) -> Option<Credential> {
        if access_key_id == self.root.access_key_id {
            return Some(self.root.clone());
        }
        self.sessions
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(access_key_id)
            .cloned()
    }

    /// New keys for a session of a role.
    pub fn issue(&self, principal: Principal, validity: SignedDuration) -> Credential {
        let now = Timestamp::now();
        let credential = Credential {
            access_key_id: format!("ASIA{}", upper_base32(16)),
            secret_access_key: Alphanumeric.sample_string(&mut rand::rng(), 40),
            session_token: Some(Alphanumeric.sample_string(&mut rand::rng(), 320)),
            expires_at: now.checked_add(validity).ok(),
            issued_at: now,
            principal,
        };
        let mut sessions = self
            .sessions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        // What ran out a while ago only needs to be told from what never was.
        sessions.retain(|_, old| {
            old.expires_at
                .is_none_or(|end| end + SignedDuration::from_hours(1) > now)
        });
        sessions.insert(credential.access_key_id.clone(), credential.clone());
        credential
    }

    /// Ends every session of a role: it has been deleted.
    pub fn revoke_role(&self, role_id: &str) {
        self.sessions
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, credential| {
                !matches!(&credential.principal, Principal::Role { id, .. } if id == role_id)
            });
    }
}

/// Random text of the alphabet that AWS's ids use.
pub fn upper_base32(length: usize) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut rng = rand::rng();
    (0..length)
        .map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_deleted_role_takes_its_sessions_with_it() {
        let store = Credentials::new(&RootKey::generate());
        let role = |id: &str| Principal::Role {
            name: "r".into(),
            id: id.into(),
            session: "i-1".into(),
        };
        let gone = store.issue(role("AROA1"), SignedDuration::from_hours(1));
        let kept = store.issue(role("AROA2"), SignedDuration::from_hours(1));
        store.revoke_role("AROA1");
        assert_eq!(store.find(&gone.access_key_id), None);
        assert_eq!(store.find(&kept.access_key_id), Some(kept));
    }

    #[test]
    fn no_secret_is_printed() {
        let store = Credentials::new(&RootKey::generate());
        let printed = format!("{store:?}");
        assert!(!printed.contains(&store.root().secret_access_key));
    }
}
