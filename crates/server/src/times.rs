//! Instants as the database keeps them and as each interface writes them.

use jiff::Timestamp;
use jiff::civil;

/// Microseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Time(pub(crate) i64);

const SECOND: i64 = 1_000_000;

impl Time {
    /// `2021-06-08T13:55:13`: UTC without a zone, as the management plane writes times.
    pub(crate) fn text(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%S")
    }

    /// `2018-08-16T10:15:14+0000`, as links say when they expire.
    pub(crate) fn with_offset(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%S+0000")
    }

    /// `20210608135513`, the stamp in backup names.
    pub(crate) fn stamp(self) -> String {
        self.format("%Y%m%d%H%M%S")
    }

    /// `2020-01-04T09:05:22.701000Z`, as identity writes times.
    pub(crate) fn precise(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%S.%6fZ")
    }

    /// Milliseconds since 1970.
    pub(crate) fn millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This many seconds later.
    pub(crate) fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(SECOND)))
    }

    /// Whole seconds from `earlier` until now; 0 when a clock went back.
    pub(crate) fn seconds_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).max(0) / SECOND
    }

    /// Midnight UTC at the begin of a day given as `yyyy-MM-dd`.
    pub(crate) fn day(text: &str) -> Option<Self> {
        let day: civil::Date = text.parse().ok().filter(|_| text.len() == 10)?;
        Self::of(day.at(0, 0, 0, 0))
    }

    /// The instant that `X-Sdk-Date` names: `20240601T120000Z`.
    pub(crate) fn signing_date(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let digits = |range: std::ops::Range<usize>| bytes[range].iter().all(u8::is_ascii_digit);
        let shaped =
            bytes.len() == 16 && bytes[8] == b'T' && bytes[15] == b'Z' && digits(0..8) && digits(9..15);
        if !shaped {
            return None;
        }
        let number = |from: usize, to: usize| text[from..to].parse::<i16>().ok();
        let small = |from: usize, to: usize| text[from..to].parse::<i8>().ok();
        let day = civil::Date::new(number(0, 4)?, small(4, 6)?, small(6, 8)?).ok()?;
        let time = civil::Time::new(small(9, 11)?, small(11, 13)?, small(13, 15)?, 0).ok()?;
        Self::of(day.to_datetime(time))
    }

    fn of(instant: civil::DateTime) -> Option<Self> {
        let zoned = instant.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Self(zoned.timestamp().as_microsecond()))
    }

    fn format(self, form: &str) -> String {
        let instant = Timestamp::from_microsecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH);
        instant.strftime(form).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_one_instant() {
        let time = Time(1_623_160_513_000_000);
        assert_eq!(time.text(), "2021-06-08T13:55:13");
        assert_eq!(time.with_offset(), "2021-06-08T13:55:13+0000");
        assert_eq!(time.stamp(), "20210608135513");
        assert_eq!(time.precise(), "2021-06-08T13:55:13.000000Z");
        assert_eq!(time.millis(), 1_623_160_513_000);
        assert_eq!(Time::signing_date("20210608T135513Z"), Some(time));
        assert_eq!(time.plus_seconds(54).seconds_since(time), 54);
        assert_eq!(time.seconds_since(time.plus_seconds(1)), 0);
    }

    #[test]
    fn days_and_signing_dates_are_read_or_refused() {
        assert_eq!(Time::day("1970-01-02"), Some(Time(86_400 * SECOND)));
        for bad in ["", "2019-3-27", "2019-03-27T00:00", "2019-13-01", "20190327", "2019-02-30"] {
            assert_eq!(Time::day(bad), None, "{bad}");
        }
        for bad in
            ["", "20240601", "20240601T120000", "2024-06-01T12:00Z", "20240601T250000Z", "2024060éT12000Z"]
        {
            assert_eq!(Time::signing_date(bad), None, "{bad}");
        }
    }
}
