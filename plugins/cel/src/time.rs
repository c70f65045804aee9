//! Points in time and durations, as Go has them.

use std::cmp::Ordering;

use chrono::{DateTime, Datelike as _, FixedOffset, Timelike as _, Utc};

use crate::Failure;
use crate::functions::excerpt;

const SECOND: i64 = 1_000_000_000;
/// The years 1 to 9999, in seconds from 1970.
const FIRST: i64 = -62_135_596_800;
const LAST: i64 = 253_402_300_799;

/// A point in time, within the years 1 to 9999.
#[derive(Debug, Clone, Copy)]
pub struct Timestamp {
    /// From 1970.
    seconds: i64,
    nanoseconds: u32,
    /// How it was written: seconds from UTC. Only a text that is made of it tells.
    offset: i32,
}

impl PartialEq for Timestamp {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Timestamp {}

impl PartialOrd for Timestamp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timestamp {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.seconds, self.nanoseconds).cmp(&(other.seconds, other.nanoseconds))
    }
}

impl Timestamp {
    /// Go's time of nothing.
    pub(crate) const ZERO: Self = Self {
        seconds: FIRST,
        nanoseconds: 0,
        offset: 0,
    };

    /// Seconds from 1970.
    pub(crate) fn from_seconds(seconds: i64) -> Result<Self, Failure> {
        Self::new(seconds, 0, 0)
    }

    fn new(seconds: i64, nanoseconds: u32, offset: i32) -> Result<Self, Failure> {
        match (FIRST..=LAST).contains(&seconds) {
            true => Ok(Self {
                seconds,
                nanoseconds,
                offset,
            }),
            false => Err(Failure::error("timestamp overflow")),
        }
    }

    /// Reads RFC 3339.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        // Go takes no small letters, no blank between date and time, and no leap seconds.
        let is_strict = text.bytes().all(|byte| !matches!(byte, b't' | b'z' | b' '));
        let parsed = DateTime::parse_from_rfc3339(text).ok();
        let time = parsed.filter(|time| is_strict && time.timestamp_subsec_nanos() < 1_000_000_000);
        let time =
            time.ok_or_else(|| Failure::error(format!("`{}` is no time as RFC 3339 has it", excerpt(text))))?;
        Self::new(
            time.timestamp(),
            time.timestamp_subsec_nanos(),
            time.offset().local_minus_utc(),
        )
    }

    /// Whole seconds from 1970.
    pub(crate) fn seconds(self) -> i64 {
        self.seconds
    }

    pub(crate) fn plus(self, nanoseconds: i64) -> Result<Self, Failure> {
        let all = i64::from(self.nanoseconds) + nanoseconds.rem_euclid(SECOND);
        let seconds = self.seconds + nanoseconds.div_euclid(SECOND) + all / SECOND;
        let nanoseconds = u32::try_from(all % SECOND).unwrap_or_default();
        Self::new(seconds, nanoseconds, self.offset)
    }

    /// The duration from another point to this one; none if no duration is so long.
    pub(crate) fn since(self, other: &Self) -> Option<i64> {
        let seconds = self.seconds.checked_sub(other.seconds)?.checked_mul(SECOND)?;
        seconds.checked_add(i64::from(self.nanoseconds) - i64::from(other.nanoseconds))
    }

    /// A part of it, by the name of its function; none for other names. `zone` is an offset.
    pub(crate) fn part(self, name: &str, zone: &str) -> Option<Result<i64, Failure>> {
        let part: fn(&DateTime<FixedOffset>) -> i64 = match name {
            "getFullYear" => |time| i64::from(time.year()),
            "getMonth" => |time| i64::from(time.month0()),
            "getDate" => |time| i64::from(time.day()),
            "getDayOfMonth" => |time| i64::from(time.day0()),
            "getDayOfWeek" => |time| i64::from(time.weekday().num_days_from_sunday()),
            "getDayOfYear" => |time| i64::from(time.ordinal0()),
            "getHours" => |time| i64::from(time.hour()),
            "getMinutes" => |time| i64::from(time.minute()),
            "getSeconds" => |time| i64::from(time.second()),
            "getMilliseconds" => |time| i64::from(time.timestamp_subsec_millis()),
            _ => return None,
        };
        Some(offset(zone).map(|offset| part(&self.utc().with_timezone(&offset))))
    }

    fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.seconds, self.nanoseconds).unwrap_or_default()
    }

    /// As RFC 3339, in UTC, with as much of a second as there is.
    pub fn print(self) -> String {
        self.printed(0)
    }

    /// As [`Self::print`], in the time zone that it was written in.
    pub(crate) fn print_as_written(self) -> String {
        self.printed(self.offset)
    }

    fn printed(self, offset: i32) -> String {
        let zone = FixedOffset::east_opt(offset).unwrap_or(chrono::Offset::fix(&Utc));
        let time = self.utc().with_timezone(&zone);
        let mut text = time.format("%Y-%m-%dT%H:%M:%S").to_string();
        if self.nanoseconds != 0 {
            let fraction = format!(".{:09}", self.nanoseconds);
            text.push_str(fraction.trim_end_matches('0'));
        }
        match offset {
            0 => text.push('Z'),
            _ => text.push_str(&time.format("%:z").to_string()),
        }
        text
    }
}

/// An offset from UTC: hours and minutes.
fn offset(zone: &str) -> Result<FixedOffset, Failure> {
    if matches!(zone, "" | "UTC") {
        return Ok(chrono::Offset::fix(&Utc));
    }
    let parsed = zone.split_once(':').and_then(|(hours, minutes)| {
        let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
        let minutes = if zone.starts_with('-') { -minutes } else { minutes };
        FixedOffset::east_opt(hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?)
    });
    parsed.ok_or_else(|| {
        Failure::error(format!(
            "`{}` is no time zone that is known here: write its offset, such as `+02:00`",
            excerpt(zone)
        ))
    })
}

/// Reads a duration such as `1h30m`.
pub(crate) fn parse_duration(text: &str) -> Result<i64, Failure> {
    let no_duration = || {
        Failure::error(format!(
            "`{}` is no duration such as `1h30m` or `90s`",
            excerpt(text)
        ))
    };
    duration(text).ok_or_else(no_duration)
}

fn duration(text: &str) -> Option<i64> {
    let (is_negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    // As a negative number, of which there is one more.
    let mut total = 0_i64;
    while !rest.is_empty() {
        let (number, after) = split(rest, |byte| byte.is_ascii_digit() || byte == b'.');
        let (unit, after) = split(after, |byte| !byte.is_ascii_digit() && byte != b'.');
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return None;
        }
        let unit: i64 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => SECOND,
            "m" => 60 * SECOND,
            "h" => 3600 * SECOND,
            _ => return None,
        };
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        // More digits than these are less than a nanosecond, whatever the unit.
        let (mut part, mut scale) = (0_i128, 1_i128);
        for digit in fraction.bytes().take(18) {
            part = part * 10 + i128::from(digit - b'0');
            scale *= 10;
        }
        let part = i64::try_from(part * i128::from(unit) / scale).ok()?;
        total = total.checked_sub(whole.checked_mul(unit)?)?.checked_sub(part)?;
        rest = after;
    }
    match is_negative {
        true => Some(total),
        false => total.checked_neg(),
    }
}

/// The longest start whose bytes fit, and the rest.
fn split(text: &str, fits: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !fits(byte)).unwrap_or(text.len());
    text.split_at(end)
}

/// A duration in seconds, such as `90s`.
pub(crate) fn print_duration(nanoseconds: i64) -> String {
    let seconds = (nanoseconds / SECOND) as f64 + (nanoseconds % SECOND) as f64 / 1e9;
    format!("{seconds}s")
}

/// A duration in one unit, by the name of its function; none for other names.
pub(crate) fn duration_part(nanoseconds: i64, name: &str) -> Option<i64> {
    Some(match name {
        "getHours" => nanoseconds / (3600 * SECOND),
        "getMinutes" => nanoseconds / (60 * SECOND),
        "getSeconds" => nanoseconds / SECOND,
        "getMilliseconds" => nanoseconds / 1_000_000,
        _ => return None,
    })
}
