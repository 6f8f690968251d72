/// The place of an object: a bucket and a key that stay inside the bucket's folder, whatever
/// anybody wrote. Only this type reaches the file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectPath {
    bucket: String,
    key: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    #[error("a bucket's name has 3 to 63 lower-case letters, digits, hyphens and dots")]
    Bucket,
    #[error("a key has 1 to 1,023 bytes, without control characters, backslashes, and empty, . or .. parts")]
    Key,
}

/// The longest name of a file or folder on common file systems.
const MAX_PART: usize = 255;

impl ObjectPath {
    pub(crate) fn new(bucket: &str, key: &str) -> Result<Self, PathError> {
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let legal = |c: char| letter(c) || c == '-' || c == '.';
        let fits =
            (3..=63).contains(&bucket.len()) && bucket.chars().all(legal) && bucket.starts_with(letter);
        if !fits || bucket.contains("..") {
            return Err(PathError::Bucket);
        }
        let legal = |c: char| !c.is_control() && c != '\\';
        // A draft's name begins with a dot and this, so no object's may.
        let part = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part.len() <= MAX_PART
                && !part.starts_with(super::files::DRAFT)
        };
        if key.len() > 1023 || !key.chars().all(legal) || !key.split('/').all(part) {
            return Err(PathError::Key);
        }
        Ok(Self { bucket: bucket.into(), key: key.into() })
    }

    /// `bucket/dir/file`, as requests name files. A folder may end with `/`.
    pub(crate) fn parse(path: &str) -> Result<Self, PathError> {
        let (bucket, key) = path.split_once('/').ok_or(PathError::Key)?;
        Self::new(bucket, key.strip_suffix('/').unwrap_or(key))
    }

    pub(crate) fn bucket(&self) -> &str {
        &self.bucket
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }
}

/// Whether a path in a request has only the characters that the documents allow.
pub(crate) fn is_legal(path: &str) -> bool {
    let legal = |c: char| {
        c.is_ascii_alphanumeric() || "!-_.*'()/".contains(c) || ('\u{4e00}'..='\u{9fa5}').contains(&c)
    };
    path.chars().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_the_bucket() {
        for good in ["bucket/key", "my.bucket-1/a/b c/d.csv", "data/你好", "data/dir/"] {
            assert!(ObjectPath::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "bucket",
            "/key",
            "bucket/",
            "bucket//key",
            "bucket/../key",
            "bucket/a/./b",
            "../up/e",
            "..a/x",
            "Bucket/key",
            "bu/key",
            "a..b/key",
            "bucket/a\\b",
            "bucket/a\0b",
            "bucket/.gestalt-draft-1",
        ] {
            assert!(ObjectPath::parse(bad).is_err(), "{bad}");
        }
        assert!(ObjectPath::parse(&format!("bucket/{}", "x".repeat(256))).is_err());
    }
}
