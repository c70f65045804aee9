//! `os`: the time, which is the engine's, in UTC. Nothing else of the machine is there.

use crate::engine::Engine;
use crate::library::Arguments;
use crate::number;
use crate::table::Table;
use crate::value::{Outcome, Returned, Value};

const DAY: i64 = 86_400;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// From the day of 1970-01-01 on.
const WEEKDAYS: [&str; 7] = [
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
];

pub(super) fn time(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    if values.first().is_none_or(Value::is_nil) {
        return Ok(Value::Number(engine.now() as f64).into());
    }
    let table = Arguments::of("time", &values).table(engine, 0)?;
    // Beyond that no time is meant, and sums stay within their bounds.
    let within = |number: f64| number.clamp(-1e9, 1e9) as i64;
    let field = |name: &str, default: i64| match engine.at(table).named(name) {
        Value::Number(number) => within(number),
        Value::Text(text) => number::read(&text).map_or(default, within),
        _ => default,
    };
    let days = days(field("year", -1), field("month", -1), field("day", -1));
    let seconds = days * DAY + field("hour", 12) * 3600 + field("min", 0) * 60 + field("sec", 0);
    Ok(Value::Number(seconds as f64).into())
}

/// No time passes during a check.
pub(super) fn clock(_: &mut Engine, _: Vec<Value>) -> Outcome<Returned> {
    Ok(Value::Number(0.0).into())
}

/// There is no environment.
pub(super) fn getenv(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    Arguments::of("getenv", &values).text(engine, 0)?;
    Ok(Value::Nil.into())
}

pub(super) fn difftime(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("difftime", &values);
    let (later, sooner) = (arguments.integer(engine, 0)?, arguments.integer(engine, 1)?);
    Ok(Value::Number(later.saturating_sub(sooner) as f64).into())
}

pub(super) fn date(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("date", &values);
    let format = match arguments.is_set(0) {
        true => arguments.text(engine, 0)?,
        false => b"%c".as_slice().into(),
    };
    let seconds = match values.len() {
        ..2 => engine.now(),
        _ => arguments.integer(engine, 1)?,
    };
    let moment = Moment::of(seconds.clamp(-100_000_000_000_000, 100_000_000_000_000));
    let format = format.strip_prefix(b"!").unwrap_or(&format);
    if format.starts_with(b"*t") {
        let number = |name, number: i64| (Value::text(name), Value::Number(number as f64));
        let mut table = Table::default();
        for (key, value) in [
            number("year", moment.year),
            number("month", moment.month),
            number("day", moment.day),
            number("hour", moment.seconds / 3600),
            number("min", moment.seconds / 60 % 60),
            number("sec", moment.seconds % 60),
            number("wday", moment.weekday() + 1),
            number("yday", 0),
            (Value::text("isdst"), Value::Bool(false)),
        ] {
            table.append(key, value);
        }
        return Ok(engine.table(table)?.into());
    }
    engine.step(format.len() as u64)?;
    engine.charge(format.len().saturating_mul(32))?;
    let mut text = Vec::new();
    let mut bytes = format.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => match bytes.next() {
                Some(flag) => moment.part(flag, &mut text),
                None => text.push(b'%'),
            },
            byte => text.push(byte),
        }
    }
    Ok(engine.text(&text)?.into())
}

/// Days from 1970-01-01 to a day; months beyond a year and days beyond a month count on.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year + (month - 1).div_euclid(12);
    let month = (month - 1).rem_euclid(12) + 1;
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// A moment in UTC.
struct Moment {
    days: i64,
    seconds: i64,
    year: i64,
    month: i64,
    day: i64,
}

impl Moment {
    fn of(seconds: i64) -> Self {
        let days = seconds.div_euclid(DAY);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted - era * 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        Self {
            days,
            seconds: seconds.rem_euclid(DAY),
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day,
        }
    }

    /// From Sunday on.
    fn weekday(&self) -> i64 {
        (self.days + 4).rem_euclid(7)
    }

    /// A part of it, as gopher-lua writes it; what is no part stays as it is.
    fn part(&self, flag: u8, text: &mut Vec<u8>) {
        let (hour, minute, second) = (self.seconds / 3600, self.seconds / 60 % 60, self.seconds % 60);
        let month = MONTHS.get(self.month as usize - 1).copied().unwrap_or_default();
        let weekday = WEEKDAYS[self.days.rem_euclid(7) as usize];
        let short = |name: &str| name.get(..3).unwrap_or_default().to_owned();
        let (year, hour12) = (self.year, (hour + 11) % 12 + 1);
        let part = match flag {
            // Its own slip.
            b'a' => "mon".to_owned(),
            b'A' => weekday.to_owned(),
            b'b' => short(month),
            b'B' => month.to_owned(),
            b'c' => format!(
                "{:02} {} {:02} {hour:02}:{minute:02} UTC",
                self.day,
                short(month),
                year.rem_euclid(100)
            ),
            b'd' => format!("{:02}", self.day),
            b'F' => format!("{year:04}-{:02}-{:02}", self.month, self.day),
            b'H' => format!("{hour:02}"),
            b'I' => format!("{hour12:02}"),
            b'm' => format!("{:02}", self.month),
            b'M' => format!("{minute:02}"),
            b'p' => if hour < 12 { "AM" } else { "PM" }.to_owned(),
            b'P' => if hour < 12 { "am" } else { "pm" }.to_owned(),
            b'S' => format!("{second:02}"),
            b'w' => self.weekday().to_string(),
            b'x' => format!("{hour:02}/{minute:02}/{second:02}"),
            b'X' => format!("{hour:02}:{minute:02}:{second:02}"),
            b'y' => format!("{:02}", year.rem_euclid(100)),
            b'Y' => format!("{year:04}"),
            b'z' => "+0000".to_owned(),
            b'Z' => "UTC".to_owned(),
            b'%' => "%".to_owned(),
            flag => format!("%{}", char::from(flag)),
        };
        text.extend_from_slice(part.as_bytes());
    }
}
