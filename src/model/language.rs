//! The languages that full text knows the stems of.

/// The language of rows that nothing is said about.
pub const DEFAULT: &str = "english";

/// Names of the configurations in migration 000005, with their codes of ISO 639. With `simple` words are
/// taken as they are.
const LANGUAGES: [(&str, &[&str]); 29] = [
    ("english", &["en"]),
    ("simple", &[]),
    ("arabic", &["ar"]),
    ("armenian", &["hy"]),
    ("basque", &["eu"]),
    ("catalan", &["ca"]),
    ("danish", &["da"]),
    ("dutch", &["nl"]),
    ("finnish", &["fi"]),
    ("french", &["fr"]),
    ("german", &["de"]),
    ("greek", &["el"]),
    ("hindi", &["hi"]),
    ("hungarian", &["hu"]),
    ("indonesian", &["id"]),
    ("irish", &["ga"]),
    ("italian", &["it"]),
    ("lithuanian", &["lt"]),
    ("nepali", &["ne"]),
    ("norwegian", &["no", "nb", "nn"]),
    ("portuguese", &["pt"]),
    ("romanian", &["ro"]),
    ("russian", &["ru"]),
    ("serbian", &["sr"]),
    ("spanish", &["es"]),
    ("swedish", &["sv"]),
    ("tamil", &["ta"]),
    ("turkish", &["tr"]),
    ("yiddish", &["yi"]),
];

/// The name of a language that is called by its name or its code: `german` for `German`, `de`, `de-AT`.
pub fn named(text: &str) -> Option<&'static str> {
    let text = text.trim().to_ascii_lowercase();
    let code = text.split(['-', '_']).next().unwrap_or_default();
    let is_meant =
        |(name, codes): &&(&'static str, &[&str])| *name == text || codes.contains(&code);
    LANGUAGES.iter().find(is_meant).map(|(name, _)| *name)
}

/// The names of all languages.
pub fn names() -> impl Iterator<Item = &'static str> {
    LANGUAGES.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_known_by_its_name_and_its_code() {
        for text in ["german", "German ", "de", "DE", "de-AT", "de_CH"] {
            assert_eq!(named(text), Some("german"), "{text}");
        }
        assert_eq!(named("nb"), Some("norwegian"));
        for text in ["", "klingon", "xx", "germa", "-"] {
            assert_eq!(named(text), None, "{text}");
        }
    }
}
