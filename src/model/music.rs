//! Musical keys as people write them.

/// Pitch classes from C upwards, sharps only, as they are stored.
pub const PITCH_CLASSES: [&str; 12] =
    ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];

/// The name of a pitch class: `Db`, `d♭` and `C♯` are `C#`; `None` if it is no pitch.
pub fn pitch_class(text: &str) -> Option<&'static str> {
    let mut letters = text.trim().chars();
    let natural = match letters.next()?.to_ascii_uppercase() {
        'C' => 0,
        'D' => 2,
        'E' => 4,
        'F' => 5,
        'G' => 7,
        'A' => 9,
        'B' => 11,
        _ => return None,
    };
    let index = match letters.as_str() {
        "" => natural,
        "#" | "♯" => natural + 1,
        "b" | "♭" => natural + 11,
        _ => return None,
    };
    Some(PITCH_CLASSES[index % 12])
}

/// Major or minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Major,
    Minor,
}

impl Mode {
    pub const ALL: [Self; 2] = [Self::Major, Self::Minor];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Major => "major",
            Self::Minor => "minor",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::pitch_class;

    #[test]
    fn every_spelling_of_a_pitch_has_one_name() {
        for (text, name) in [("Db", "C#"), ("c♯", "C#"), ("Cb", "B"), ("B#", "C"), (" a ", "A")] {
            assert_eq!(pitch_class(text), Some(name), "{text}");
        }
        for text in ["", "H", "A minor", "C##", "7"] {
            assert_eq!(pitch_class(text), None, "{text}");
        }
    }
}
