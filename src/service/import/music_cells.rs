//! Readers for what music tables hold: keys, modes, years, lengths.

use crate::model::music::{PITCH_CLASSES, pitch_class};

use super::Fields;
use super::cell::Cell;

const MAJOR: &str = "MAJOR";
const MINOR: &str = "MINOR";
const MAX_DURATION_MS: f64 = 86_400_000.0;
const YEARS: std::ops::RangeInclusive<i64> = 1000..=2100;

/// Beats per minute; 0 is how tables write "not known".
pub(super) fn put_tempo(cell: &Cell<'_>, fields: &mut Fields) -> Result<(), String> {
    if let Some(tempo) = cell.number_within(0.0..=1000.0)?
        && tempo > 0.0
    {
        cell.put(fields, tempo);
    }
    Ok(())
}

/// A key as a pitch class from 0 to 11 or spelled out; a spelling with a mode gives the mode too.
pub(super) fn put_key(cell: &Cell<'_>, fields: &mut Fields) -> Result<(), String> {
    let text = cell.known_text();
    if text.is_empty() {
        return Ok(());
    }
    let rule = "must be a pitch class from 0 to 11 (-1 if not known) or a key such as `C#`, `Db` or `A minor`";
    if text.parse::<f64>().is_ok() {
        let number = cell.whole_within(-1..=11).map_err(|_| cell.problem(rule))?;
        if let Some(number) = number.and_then(|number| usize::try_from(number).ok()) {
            cell.put(fields, PITCH_CLASSES[number]);
        }
        return Ok(());
    }
    let (key, mode) = spelled_key(&text).ok_or_else(|| cell.problem(rule))?;
    cell.put(fields, key);
    if let Some(mode) = mode {
        fields.insert("mode".to_owned(), mode.into());
    }
    Ok(())
}

fn spelled_key(text: &str) -> Option<(&'static str, Option<&'static str>)> {
    // `C#/Db` names one pitch twice.
    let text = text.split_once('/').map_or(text, |(_, second)| second);
    let compact: String =
        text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '_')).collect();
    let mut rest = compact.chars();
    let letter = rest.next()?;
    let rest = rest.as_str();
    let (accidental, tail) = ["sharp", "#", "♯", "flat", "b", "♭"]
        .into_iter()
        .find_map(|word| Some((word, strip_prefix_any_case(rest, word)?)))
        .unwrap_or(("", rest));
    let accidental = match accidental {
        "sharp" => "#",
        "flat" => "b",
        sign => sign,
    };
    let mode = match tail {
        "" => None,
        "M" => Some(MAJOR),
        tail => Some(spelled_mode(tail)?),
    };
    Some((pitch_class(&format!("{letter}{accidental}"))?, mode))
}

fn strip_prefix_any_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

fn spelled_mode(text: &str) -> Option<&'static str> {
    match text.to_lowercase().as_str() {
        "major" | "maj" | "dur" | "true" => Some(MAJOR),
        "minor" | "min" | "m" | "moll" | "false" => Some(MINOR),
        _ => None,
    }
}

/// Major or minor, in words or as 1 and 0.
pub(super) fn put_mode(cell: &Cell<'_>, fields: &mut Fields) -> Result<(), String> {
    let text = cell.known_text();
    if text.is_empty() {
        return Ok(());
    }
    let rule = "must be 1 or `major`, or 0 or `minor`";
    let mode = if text.parse::<f64>().is_ok() {
        match cell.whole_within(-1..=1).map_err(|_| cell.problem(rule))? {
            Some(1) => MAJOR,
            Some(0) => MINOR,
            Some(_) | None => return Ok(()),
        }
    } else {
        spelled_mode(&text).ok_or_else(|| cell.problem(rule))?
    };
    cell.put(fields, mode);
    Ok(())
}

/// A year, or the year of a date; 0 is how tables write "not known".
pub(super) fn put_year(cell: &Cell<'_>, fields: &mut Fields) -> Result<(), String> {
    let text = cell.known_text();
    if text.is_empty() || text.chars().all(|c| matches!(c, '0' | '-' | '/' | '.')) {
        return Ok(());
    }
    let year = if text.parse::<f64>().is_ok() && text.len() != 8 {
        cell.whole_within(YEARS)?
    } else {
        year_of_date(&text)
    };
    match year {
        Some(year) if YEARS.contains(&year) => cell.put(fields, year),
        Some(_) | None => {
            return Err(
                cell.problem("must be a year from 1000 to 2100 or a date such as `2019-06-14`")
            );
        }
    }
    Ok(())
}

/// The year of `2019-06-14`, `14/06/2019`, `20190614`, `June 14, 2019`, `2019-06-14T08:00:00Z`.
fn year_of_date(text: &str) -> Option<i64> {
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text[..4].parse().ok();
    }
    if text.len() > 40 || text.starts_with('-') {
        return None;
    }
    text.split(|c: char| !c.is_ascii_digit()).find(|run| run.len() == 4)?.parse().ok()
}

/// Milliseconds, from `m:ss` or from a number in the unit that the column's name says.
///
/// Where the name says none, a number under 10,000 is seconds: no song has so few milliseconds and
/// none so many seconds.
pub(super) fn put_duration(cell: &Cell<'_>, fields: &mut Fields) -> Result<(), String> {
    let text = cell.known_text();
    let milliseconds = if text.contains(':') {
        let seconds = clock_seconds(&text);
        Some(seconds.ok_or_else(|| cell.problem("must be a time such as `3:25`"))? * 1000.0)
    } else {
        cell.number()?.map(|number| number * milliseconds_per_unit(cell.column, number))
    };
    let Some(milliseconds) = milliseconds else { return Ok(()) };
    if !(0.0..=MAX_DURATION_MS).contains(&milliseconds) {
        return Err(cell.problem("must be between 0 and 24 hours"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    let whole = milliseconds.round() as i64;
    cell.put(fields, whole);
    Ok(())
}

fn milliseconds_per_unit(column: &str, number: f64) -> f64 {
    let name = super::mapping::normal(column);
    if name.ends_with("ms") || name.contains("msec") || name.contains("milli") {
        1.0
    } else if name.contains("sec") || name == "durations" || name == "lengths" {
        1000.0
    } else if name.contains("min") {
        60_000.0
    } else if number < 10_000.0 {
        1000.0
    } else {
        1.0
    }
}

fn clock_seconds(text: &str) -> Option<f64> {
    let parts: Vec<f64> =
        text.split(':').map(|part| part.trim().parse().ok()).collect::<Option<_>>()?;
    let in_range = parts.iter().skip(1).all(|part| (0.0..60.0).contains(part)) && parts[0] >= 0.0;
    let whole = parts[..parts.len() - 1].iter().all(|part| part.fract() == 0.0);
    (in_range && whole && parts.len() <= 3)
        .then(|| parts.iter().fold(0.0, |sum, part| sum * 60.0 + part))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::cell::CellValue;
    use super::*;

    type Put = fn(&Cell<'_>, &mut Fields) -> Result<(), String>;

    fn read(put: Put, column: &str, text: &str) -> Value {
        let mut fields = Fields::new();
        let cell = Cell { field: "it", column, value: CellValue::Text(text.into()) };
        put(&cell, &mut fields).map_or_else(Value::from, |()| Value::Object(fields))
    }

    #[test]
    fn keys_are_numbers_or_spellings() {
        for (text, key) in [
            ("0", "C"),
            ("11.0", "B"),
            ("Db", "C#"),
            ("F♯", "F#"),
            ("B", "B"),
            ("bb", "A#"),
            ("C#/Db", "C#"),
            ("E flat", "D#"),
        ] {
            assert_eq!(read(put_key, "key", text), json!({ "it": key }), "{text}");
        }
        for (text, key, mode) in [
            ("Am", "A", MINOR),
            ("A minor", "A", MINOR),
            ("c# maj", "C#", MAJOR),
            ("Bbm", "A#", MINOR),
            ("CM", "C", MAJOR),
            ("A-Flat Major", "G#", MAJOR),
        ] {
            assert_eq!(read(put_key, "key", text), json!({ "it": key, "mode": mode }), "{text}");
        }
        for text in ["-1", "", "NA"] {
            assert_eq!(read(put_key, "key", text), json!({}), "{text}");
        }
        for text in ["12", "H", "A mixolydian", "1.5", "é", "-2"] {
            assert!(read(put_key, "key", text).as_str().unwrap().ends_with(&format!("`{text}`")));
        }
    }

    #[test]
    fn modes_are_numbers_or_words() {
        for (text, mode) in [("1", MAJOR), ("0.0", MINOR), ("Major", MAJOR), ("MIN", MINOR)] {
            assert_eq!(read(put_mode, "mode", text), json!({ "it": mode }), "{text}");
        }
        assert_eq!(read(put_mode, "mode", "-1"), json!({}));
        let reason = "`mode` must be 1 or `major`, or 0 or `minor`, but is `2`";
        assert_eq!(read(put_mode, "mode", "2"), json!(reason));
    }

    #[test]
    fn a_year_is_taken_from_a_date() {
        for text in [
            "2019",
            "2019.0",
            "2019-06-14",
            "2019-06",
            "14/06/2019",
            "20190614",
            "June 14, 2019",
            "2019-06-14T00:00:00Z",
        ] {
            assert_eq!(read(put_year, "released", text), json!({ "it": 2019 }), "{text}");
        }
        for text in ["", "NA", "0", "0000", "0000-00-00"] {
            assert_eq!(read(put_year, "released", text), json!({}), "{text}");
        }
        for text in ["19", "3000", "2019.5", "-2019", "14/06/19", "soon"] {
            assert!(read(put_year, "y", text).is_string(), "{text}");
        }
    }

    #[test]
    fn a_length_knows_its_unit() {
        for (column, text) in [
            ("duration_ms", "205000"),
            ("duration", "205"),
            ("duration", "205000"),
            ("length", "3:25"),
            ("Duration (sec)", "205.0"),
            ("minutes", "3.4166667"),
            ("duration_ms", "3:25"),
            ("time", "0:03:25"),
        ] {
            assert_eq!(
                read(put_duration, column, text),
                json!({ "it": 205_000 }),
                "{column} {text}"
            );
        }
        for text in ["3:75", "a:b", "1:2:3:4", "-5", "1.5:00"] {
            assert!(read(put_duration, "duration", text).is_string(), "{text}");
        }
    }

    #[test]
    fn a_tempo_of_zero_is_not_known() {
        assert_eq!(read(put_tempo, "bpm", "0"), json!({}));
        assert_eq!(read(put_tempo, "bpm", "122.036"), json!({ "it": 122.036 }));
        assert_eq!(
            read(put_tempo, "bpm", "-5"),
            json!("`bpm` must be between 0 and 1000, but is `-5`")
        );
    }
}
