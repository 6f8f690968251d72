//! Reading a server's log for what should not be there.

/// The lines of a log that report a warning, an error or a panic, without those that contain
/// one of the `expected` words.
pub fn complaints<'a>(log: &'a str, expected: &[String]) -> Vec<&'a str> {
    let is_expected = |line: &str| expected.iter().any(|word| line.contains(word.as_str()));
    log.lines().filter(|line| is_complaint(line) && !is_expected(line)).collect()
}

/// The level stands among the first words of a line; later ones are the message's own.
fn is_complaint(line: &str) -> bool {
    let level = |word: &str| matches!(word.trim_matches(|c: char| !c.is_alphabetic()), "WARN" | "ERROR");
    line.split_whitespace().take(2).any(level) || line.contains("panicked at")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unannounced_complaints_are_found() {
        let log = "2026-11-23T09:00:00Z  INFO server: started\n\
                   2026-11-23T09:00:01Z  WARN server: a job was interrupted\n\
                   2026-11-23T09:00:02Z ERROR store: disk full\n\
                   thread 'main' panicked at src/main.rs:1:1:\n\
                   2026-11-23T09:00:03Z  INFO server: no ERROR at all\n";
        assert_eq!(complaints(log, &[]).len(), 3);
        assert_eq!(complaints(log, &["interrupted".into(), "panicked".into()]).len(), 1);
    }
}
