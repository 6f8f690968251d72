//! Passwords: argon2id with the parameters that OWASP recommends (19 MiB, 2 passes, 1 lane).

use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordVerifier, Version};

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}

/// The longest name of a user.
pub(crate) const LONGEST_NAME: usize = 64;

/// Why a password may not be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PasswordError {
    #[error("must have 8 to 128 characters.")]
    Length,
    #[error("must have two of: lower-case letters, upper-case letters, digits, others.")]
    Kinds,
    #[error(
        "must not contain the name of the user, forwards or backwards, if it is longer than two characters."
    )]
    Name,
}

/// The rules for passwords that users choose.
pub(crate) fn check_rules(password: &str, user: &str) -> Result<(), PasswordError> {
    if !(8..=128).contains(&password.chars().count()) {
        return Err(PasswordError::Length);
    }
    let kinds: [fn(char) -> bool; 4] = [
        char::is_lowercase,
        char::is_uppercase,
        |c| c.is_ascii_digit(),
        |c| !c.is_lowercase() && !c.is_uppercase() && !c.is_ascii_digit(),
    ];
    if kinds.iter().filter(|kind| password.chars().any(*kind)).count() < 2 {
        return Err(PasswordError::Kinds);
    }
    let (password, user) = (password.to_lowercase(), user.to_lowercase());
    let backwards: String = user.chars().rev().collect();
    // A name of one or two letters stands in half of all passwords.
    let tells = user.chars().count() > 2;
    if tells && (password.contains(&user) || password.contains(&backwards)) {
        return Err(PasswordError::Name);
    }
    Ok(())
}

/// The hash to keep, in PHC form.
pub(crate) fn hash(password: &str, salt: &[u8; 16]) -> Option<String> {
    let hash = argon2().hash_password_with_salt(password.as_bytes(), salt).ok()?;
    Some(hash.to_string())
}

/// Whether a password is right. Without a hash it works as hard, and says no.
pub(crate) fn verify(password: &str, hash: Option<&str>) -> bool {
    let known = hash.is_some();
    let dummy =
        "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(dummy)) else { return false };
    argon2().verify_password(password.as_bytes(), &parsed).is_ok() && known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_fits() {
        let kept = hash("correct horse", &[7; 16]).unwrap();
        assert!(!kept.contains("horse"));
        assert!(verify("correct horse", Some(&kept)));
        assert!(!verify("correct horsf", Some(&kept)));
        assert!(!verify("", Some(&kept)));
        assert!(!verify("correct horse", None));
        assert!(!verify("correct horse", Some("garbage")));
    }

    #[test]
    fn weak_passwords_are_refused() {
        assert_eq!(check_rules("correct horse", "bob"), Ok(()));
        assert_eq!(check_rules("Pässwort", "bob"), Ok(()));
        assert_eq!(check_rules("correct horse", "ho"), Ok(()));
        assert_eq!(check_rules("short 1", "bob"), Err(PasswordError::Length));
        assert_eq!(check_rules(&"a1".repeat(65), "bob"), Err(PasswordError::Length));
        assert_eq!(check_rules("lettersonly", "bob"), Err(PasswordError::Kinds));
        assert_eq!(check_rules("my-Alice-2", "alice"), Err(PasswordError::Name));
        assert_eq!(check_rules("ECILA-7654321", "alice"), Err(PasswordError::Name));
    }
}
