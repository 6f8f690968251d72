//! The first start: an account, a project, a user with an access key, and the file that tells of
//! them. The file is written before the database knows them, so a crash in between starts over
//! with what the file says, and nobody is locked out.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, Mac};
use rusqlite::params;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::db::Db;
use crate::identity::password;
use crate::identity::role::{ADMINISTRATOR, FULL};
use crate::system::Ambient;

/// What `credentials.json` says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Credentials {
    pub(crate) domain: String,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) project_name: String,
    pub(crate) project_id: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) region: String,
}

/// The key under which secrets are kept in the database, and one that is derived from it, with
/// which links are signed. A file of its own, mode 0600.
pub(crate) struct InstanceKey {
    cipher: Aes256Gcm,
    links: Hmac<Sha256>,
    /// What the audit's chain is keyed with.
    audit: [u8; 32],
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum BootstrapError {
    #[error("{name} cannot be read or written: {source}")]
    File { name: &'static str, source: std::io::Error },
    #[error("credentials.json is damaged: {0}")]
    Credentials(serde_json::Error),
    #[error("instance.key is damaged: it has 32 bytes")]
    Key,
    #[error("the password cannot be hashed")]
    Hash,
    #[error("the database fails: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl InstanceKey {
    /// Reads the key, or makes it.
    pub(crate) fn load(dir: &Path, ambient: &Ambient) -> Result<Self, BootstrapError> {
        let path = dir.join("instance.key");
        let file = |source| BootstrapError::File { name: "instance.key", source };
        if !path.exists() {
            write_private(&path, &ambient.bytes::<32>()).map_err(file)?;
        }
        let key = fs::read(&path).map_err(file)?;
        let cipher = Aes256Gcm::new_from_slice(&key).map_err(|_| BootstrapError::Key)?;
        // One key for one purpose: a signature tells nothing of what is sealed.
        let derived = mac(&key)?.chain_update(b"gestalt download links").finalize().into_bytes();
        Ok(Self { cipher, links: mac(&derived)?, audit: audit_key(&key) })
    }

    /// Signs a message.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 32] {
        self.links.clone().chain_update(message).finalize().into_bytes().into()
    }

    /// Whether `signature` is what `sign` gave for this message; takes equally long either way.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.sign(message).ct_eq(signature).into()
    }

    /// The key of the audit's chain, derived so that it tells nothing of the instance key.
    pub(crate) fn audit(&self) -> [u8; 32] {
        self.audit
    }

    /// Seals a secret under the name it belongs to: nonce, then ciphertext.
    pub(crate) fn seal(&self, name: &str, secret: &str, nonce: [u8; 12]) -> Option<Vec<u8>> {
        let payload = Payload { msg: secret.as_bytes(), aad: name.as_bytes() };
        let sealed = self.cipher.encrypt(&Nonce::from(nonce), payload).ok()?;
        Some([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what `seal` sealed under the same name.
    pub(crate) fn open(&self, name: &str, sealed: &[u8]) -> Option<String> {
        let (nonce, sealed) = sealed.split_first_chunk::<12>()?;
        let payload = Payload { msg: sealed, aad: name.as_bytes() };
        String::from_utf8(self.cipher.decrypt(&Nonce::from(*nonce), payload).ok()?).ok()
    }
}

fn mac(key: &[u8]) -> Result<Hmac<Sha256>, BootstrapError> {
    Hmac::new_from_slice(key).map_err(|_| BootstrapError::Key)
}

/// Reads the key of the audit's chain from a data directory that may be in use.
pub(crate) fn read_audit_key(dir: &Path) -> std::io::Result<[u8; 32]> {
    fs::read(dir.join("instance.key")).map(|key| audit_key(&key))
}

fn audit_key(instance: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(b"gestalt audit chain v1").chain_update(instance).finalize().into()
}

/// Makes account, project, user and key if there are none yet.
pub(crate) fn first_start(
    dir: &Path,
    db: &Db,
    key: &InstanceKey,
    ambient: &Ambient,
    chosen_password: Option<String>,
) -> Result<(), BootstrapError> {
    let users: i64 = db.read(|db| db.query_row("SELECT count(*) FROM users", [], |row| row.get(0)))?;
    if users > 0 {
        return Ok(());
    }
    let path = dir.join("credentials.json");
    let file = |source| BootstrapError::File { name: "credentials.json", source };
    let credentials = match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(BootstrapError::Credentials)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let fresh = Credentials::fresh(ambient, chosen_password);
            let json = serde_json::to_vec_pretty(&fresh).map_err(BootstrapError::Credentials)?;
            write_private(&path, &json).map_err(file)?;
            fresh
        }
        Err(error) => return Err(file(error)),
    };
    let hash = password::hash(&credentials.password, &ambient.bytes()).ok_or(BootstrapError::Hash)?;
    let sealed = key.seal(&credentials.access_key, &credentials.secret_key, ambient.bytes());
    let sealed = sealed.ok_or(BootstrapError::Key)?;
    let (domain, user) = (ambient.hex_id(), ambient.hex_id());
    db.write(|db| {
        db.execute("INSERT INTO domains VALUES (?1, ?2)", [&domain, &credentials.domain])?;
        let project = [&credentials.project_id, &domain, &credentials.project_name];
        db.execute("INSERT INTO projects (id, domain_id, name) VALUES (?1, ?2, ?3)", project)?;
        let row = [&user, &domain, &credentials.user, &hash];
        db.execute("INSERT INTO users (id, domain_id, name, password_hash) VALUES (?1, ?2, ?3, ?4)", row)?;
        let assign = "INSERT INTO assignments (actor, target, role_id) VALUES (?1, ?2, ?3)";
        db.execute(assign, [user.as_str(), &domain, ADMINISTRATOR])?;
        db.execute(assign, [user.as_str(), &credentials.project_id, FULL])?;
        db.execute(
            "INSERT INTO access_keys (access, user_id, sealed, created) VALUES (?1, ?2, ?3, ?4)",
            params![credentials.access_key, user, sealed, ambient.now()],
        )?;
        Ok(())
    })
}

impl Credentials {
    fn fresh(ambient: &Ambient, password: Option<String>) -> Self {
        Self {
            domain: "default".into(),
            user: "admin".into(),
            password: password.unwrap_or_else(|| hex::encode(ambient.bytes::<12>())),
            project_name: "default".into(),
            project_id: ambient.hex_id(),
            access_key: hex::encode_upper(ambient.bytes::<10>()),
            secret_key: hex::encode(ambient.bytes::<20>()),
            region: "local-1".into(),
        }
    }
}

/// A file that only its owner may read, whole or not there at all.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let tmp = path.with_extension("tmp");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&tmp)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&tmp, path)?;
    match path.parent() {
        Some(dir) => fs::OpenOptions::new().read(true).open(dir)?.sync_all(),
        None => Ok(()),
    }
}
