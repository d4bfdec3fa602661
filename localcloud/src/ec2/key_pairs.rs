//! Key pairs: a public key that was brought. No instance here lets anybody in by one.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImportKeyPair.html>

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::filters::Filters;
use super::model::KeyPair;
use super::{Ec2, ids, tags};
use crate::auth::Caller;
use crate::wire::{ApiError, Params, Xml};

impl Ec2 {
    pub(super) fn import_key_pair(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let name = params.required("KeyName")?.to_owned();
        let fingerprint = fingerprint(params.required("PublicKeyMaterial")?)?;
        let own_tags = tags::specified(params, "key-pair", &["key-pair"])?;
        let pair = self.change(caller, params, |region| {
            if region.key_pairs.values().any(|pair| pair.name == name) {
                return Err(ApiError::new(
                    "InvalidKeyPair.Duplicate",
                    format!("The keypair already exists: {name}"),
                ));
            }
            let pair = KeyPair {
                id: ids::new("key"),
                name,
                fingerprint,
                created_at: Timestamp::now(),
                tags: own_tags,
            };
            region.key_pairs.insert(pair.id.clone(), pair.clone());
            Ok(pair)
        })?;
        let mut xml = Xml::fragment();
        xml.text("keyName", &pair.name)
            .text("keyFingerprint", &pair.fingerprint)
            .text("keyPairId", &pair.id);
        tags::write(&mut xml, &pair.tags);
        Ok(xml.finish())
    }

    /// "If the key pair does not exist, the request succeeds."
    pub(super) fn delete_key_pair(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let (id, name) = (params.get("KeyPairId"), params.get("KeyName"));
        if id.is_none() && name.is_none() {
            return Err(ApiError::new(
                "MissingParameter",
                "The request must contain the parameter KeyName or KeyPairId",
            ));
        }
        let gone = self.change(caller, params, |region| {
            let is_it = |pair: &KeyPair| {
                id.is_none_or(|id| pair.id == id) && name.is_none_or(|name| pair.name == name)
            };
            let found = region.key_pairs.values().find(|pair| is_it(pair));
            let gone = found.map(|pair| pair.id.clone());
            if let Some(id) = &gone {
                region.key_pairs.remove(id);
            }
            Ok(gone)
        })?;
        let mut xml = Xml::fragment();
        xml.text("return", true).optional("keyPairId", gone);
        Ok(xml.finish())
    }

    pub(super) fn describe_key_pairs(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let region = self.region(&caller.region);
        let wanted = params.list("KeyPairId");
        let names = params.list("KeyName");
        ids::KEY_PAIR.check_all(&wanted, |id| region.key_pairs.contains_key(id))?;
        let known = |name: &String| region.key_pairs.values().any(|pair| pair.name == *name);
        if let Some(unknown) = names.iter().find(|name| !known(name)) {
            return Err(ApiError::new(
                "InvalidKeyPair.NotFound",
                format!("The key pair '{unknown}' does not exist"),
            ));
        }
        let filters = Filters::read(params, &["key-pair-id", "key-name", "fingerprint"])?;
        let found = region.key_pairs.values().filter(|pair| {
            let values = [
                ("key-pair-id", vec![pair.id.clone()]),
                ("key-name", vec![pair.name.clone()]),
                ("fingerprint", vec![pair.fingerprint.clone()]),
            ];
            (wanted.is_empty() || wanted.contains(&pair.id))
                && (names.is_empty() || names.contains(&pair.name))
                && filters.pass(&values.into(), &pair.tags)
        });
        let mut xml = Xml::fragment();
        xml.list("keySet", "item", found, |xml, pair| {
            xml.text("keyPairId", &pair.id)
                .text("keyName", &pair.name)
                .text("keyFingerprint", &pair.fingerprint)
                .text("keyType", "ed25519")
                .text("createTime", format!("{:.3}", pair.created_at));
            tags::write(xml, &pair.tags);
        });
        Ok(xml.finish())
    }
}

/// The fingerprint of an ED25519 key in OpenSSH's form, which comes in base64: SHA-256 of the key
/// itself, in base64.
fn fingerprint(material: &str) -> Result<String, ApiError> {
    let refused = || {
        ApiError::new(
            "InvalidKey.Format",
            "Key is not in valid OpenSSH public key format",
        )
    };
    let base64 = base64_simd::STANDARD;
    let line = base64.decode_to_vec(material).map_err(|_| refused())?;
    let line = String::from_utf8(line).map_err(|_| refused())?;
    let mut parts = line.split_whitespace();
    let (Some("ssh-ed25519"), Some(key)) = (parts.next(), parts.next()) else {
        return Err(refused());
    };
    let key = base64.decode_to_vec(key).map_err(|_| refused())?;
    Ok(base64.encode_to_string(Sha256::digest(key)))
}
