//! One value of a row, and the readers that every kind shares.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::Fields;

/// A field that a file can give, and how it is read.
#[derive(Debug)]
pub struct Column {
    /// The name in GraphQL.
    pub field: &'static str,
    pub need: Need,
    /// Other names for it, best first, in lower case with letters and digits only.
    pub synonyms: &'static [&'static str],
    /// Puts what the cell says into the row; an empty cell puts nothing.
    pub read: fn(&Cell<'_>, &mut Fields) -> Result<(), String>,
}

/// Whether a row can do without a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Required,
    Optional,
}

/// A value, the field it is for, and the name of the column it stands in.
#[derive(Debug)]
pub struct Cell<'a> {
    pub field: &'static str,
    pub column: &'a str,
    pub value: CellValue<'a>,
}

/// CSV knows only texts; JSON has lists too.
#[derive(Debug)]
pub enum CellValue<'a> {
    Text(Cow<'a, str>),
    List(Vec<String>),
}

const SHOWN_CHARS: usize = 60;

impl Cell<'_> {
    /// The value as one trimmed text; a list is joined with commas.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match &self.value {
            CellValue::Text(text) => match quoted_list(text) {
                Some(items) => Cow::Owned(items.join(", ")),
                None => Cow::Borrowed(text.trim()),
            },
            CellValue::List(items) => Cow::Owned(items.join(", ").trim().to_owned()),
        }
    }

    /// The trimmed text, with what stands for "not known" in a table of numbers read as nothing.
    pub(super) fn known_text(&self) -> Cow<'_, str> {
        let text = self.text();
        let unknown = ["na", "n/a", "#n/a", "null", "nan", "none", "-"];
        if unknown.iter().any(|word| text.eq_ignore_ascii_case(word)) {
            return Cow::Borrowed("");
        }
        text
    }

    /// A reason that names the column and shows the value.
    pub(super) fn problem(&self, rule: &str) -> String {
        let text = self.text();
        let mut shown: String = text.chars().take(SHOWN_CHARS).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        format!("`{}` {rule}, but is `{shown}`", self.column)
    }

    pub(super) fn put(&self, fields: &mut Fields, value: impl Into<Value>) {
        fields.insert(self.field.to_owned(), value.into());
    }

    pub(super) fn put_text(&self, fields: &mut Fields, max_chars: usize) -> Result<(), String> {
        let text = self.text();
        self.check_chars(&text, max_chars)?;
        if !text.is_empty() {
            self.put(fields, text.as_ref());
        }
        Ok(())
    }

    fn check_chars(&self, text: &str, max_chars: usize) -> Result<(), String> {
        let chars = text.chars().count();
        if chars > max_chars {
            return Err(format!(
                "`{}` has {chars} characters; {max_chars} are allowed",
                self.column
            ));
        }
        Ok(())
    }

    /// A number with a decimal point or comma.
    pub(super) fn number(&self) -> Result<Option<f64>, String> {
        let text = self.known_text();
        if text.is_empty() {
            return Ok(None);
        }
        let number = text.parse().or_else(|_| text.replacen(',', ".", 1).parse::<f64>());
        match number {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            Ok(_) | Err(_) => Err(self.problem("must be a number")),
        }
    }

    pub(super) fn number_within(&self, range: RangeInclusive<f64>) -> Result<Option<f64>, String> {
        match self.number()? {
            Some(number) if !range.contains(&number) => {
                let rule = format!("must be between {} and {}", range.start(), range.end());
                Err(self.problem(&rule))
            }
            number => Ok(number),
        }
    }

    pub(super) fn put_number(
        &self,
        fields: &mut Fields,
        range: RangeInclusive<f64>,
    ) -> Result<(), String> {
        if let Some(number) = self.number_within(range)? {
            self.put(fields, number);
        }
        Ok(())
    }

    /// A share from 0 to 1, or a percentage if the column or the value says so.
    pub(super) fn put_share(&self, fields: &mut Fields) -> Result<(), String> {
        let text = self.text();
        let percent = text.strip_suffix('%');
        if percent.is_none() && !self.column.contains('%') {
            return self.put_number(fields, 0.0..=1.0);
        }
        let number = Cell { value: CellValue::Text(percent.unwrap_or(&text).into()), ..*self };
        if let Some(number) = number.number_within(0.0..=100.0)? {
            self.put(fields, number / 100.0);
        }
        Ok(())
    }

    /// A whole number; `66.0` is one.
    pub(super) fn whole_within(&self, range: RangeInclusive<i64>) -> Result<Option<i64>, String> {
        let Some(number) = self.number()? else { return Ok(None) };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a cast saturates, and both are checked"
        )]
        let whole = number as i64;
        #[expect(clippy::cast_precision_loss, reason = "the ranges in use are small")]
        let exact = (whole as f64 - number).abs() < f64::EPSILON;
        if exact && range.contains(&whole) {
            return Ok(Some(whole));
        }
        let rule = format!("must be a whole number between {} and {}", range.start(), range.end());
        Err(self.problem(&rule))
    }

    /// A list, or a text of values between `,`, `;` and `|`; each value once.
    pub(super) fn put_list(
        &self,
        fields: &mut Fields,
        max_items: usize,
        max_chars: usize,
    ) -> Result<(), String> {
        let items = match &self.value {
            CellValue::List(items) => items.clone(),
            CellValue::Text(text) => quoted_list(text)
                .unwrap_or_else(|| text.split([',', ';', '|']).map(str::to_owned).collect()),
        };
        let mut list: Vec<String> = Vec::new();
        for item in items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()) {
            self.check_chars(item, max_chars)?;
            if !list.iter().any(|other| other.eq_ignore_ascii_case(item)) {
                list.push(item.to_owned());
            }
        }
        if list.len() > max_items {
            let count = list.len();
            return Err(format!("`{}` has {count} values; {max_items} are allowed", self.column));
        }
        if !list.is_empty() {
            self.put(fields, list);
        }
        Ok(())
    }
}

/// The items of a list as Python prints it, which many public tables hold: `['a', "b's"]`.
fn quoted_list(text: &str) -> Option<Vec<String>> {
    let mut rest = text.trim().strip_prefix('[')?.strip_suffix(']')?.trim();
    let mut items = Vec::new();
    while let Some(quote @ ('\'' | '"')) = rest.chars().next() {
        let (item, behind) = rest[1..].split_once(quote)?;
        items.push(item.to_owned());
        rest = behind.trim_start();
        if rest.is_empty() {
            return Some(items);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
    (rest.is_empty() && items.is_empty()).then_some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell<'a>(column: &'a str, text: &'a str) -> Cell<'a> {
        Cell { field: "field", column, value: CellValue::Text(text.into()) }
    }

    #[test]
    fn numbers_are_read_as_tables_write_them() {
        for (text, number) in [("0.5", 0.5), (" 7 ", 7.0), ("0,748", 0.748), ("2.33e-5", 2.33e-5)] {
            assert_eq!(cell("c", text).number(), Ok(Some(number)), "{text}");
        }
        for text in ["", "  ", "NA", "n/a", "null", "NaN"] {
            assert_eq!(cell("c", text).number(), Ok(None), "{text}");
        }
        for text in ["fast", "inf", "1e999", "1,234,5"] {
            let reason = format!("`c` must be a number, but is `{text}`");
            assert_eq!(cell("c", text).number(), Err(reason));
        }
    }

    #[test]
    fn a_number_out_of_range_is_named_with_its_column_and_bounds() {
        let reason = "`Energy` must be between 0 and 1, but is `1.2`";
        assert_eq!(cell("Energy", "1.2").number_within(0.0..=1.0), Err(reason.into()));
        let reason = "`pop` must be a whole number between 0 and 100, but is `66.5`";
        assert_eq!(cell("pop", "66.5").whole_within(0..=100), Err(reason.into()));
        assert_eq!(cell("pop", "66.0").whole_within(0..=100), Ok(Some(66)));
        assert!(cell("pop", "1e300").whole_within(0..=100).is_err());
    }

    #[test]
    fn a_share_may_be_a_percentage() {
        for (column, text, share) in
            [("energy", "0.8", 0.8), ("energy_%", "80", 0.8), ("e", "80%", 0.8)]
        {
            let mut fields = Fields::new();
            cell(column, text).put_share(&mut fields).unwrap();
            assert_eq!(fields["field"], share, "{column} {text}");
        }
        assert!(cell("energy", "80").put_share(&mut Fields::new()).is_err());
    }

    #[test]
    fn a_list_is_split_trimmed_and_free_of_repeats() {
        for text in ["calm, Dark;calm |", "['calm', \"Dark\"]", "calm|dark|Dark"] {
            let mut fields = Fields::new();
            cell("moods", text).put_list(&mut fields, 2, 10).unwrap();
            assert_eq!(fields["field"].as_array().unwrap().len(), 2, "{text}");
        }
        let reason = cell("moods", "a,b,c").put_list(&mut Fields::new(), 2, 10).unwrap_err();
        assert_eq!(reason, "`moods` has 3 values; 2 are allowed");
    }

    #[test]
    fn a_printed_list_becomes_a_text() {
        assert_eq!(cell("artists", "[\"Guns N' Roses\", 'AC/DC']").text(), "Guns N' Roses, AC/DC");
        for text in ["[Intro]", "['open]", "['a' 'b']", "[]x"] {
            assert_eq!(cell("title", text).text(), text);
        }
        assert_eq!(cell("artists", "[]").text(), "");
    }

    #[test]
    fn a_text_past_its_limit_is_refused_by_characters() {
        let reason = cell("title", "ééé").put_text(&mut Fields::new(), 2).unwrap_err();
        assert_eq!(reason, "`title` has 3 characters; 2 are allowed");
    }
}
