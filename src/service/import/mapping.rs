//! Which column of a file gives which field.

use super::cell::{Cell, CellValue, Column, Need};
use super::{Error, Fields};

/// The fields that are read, in the order of the kind's list, and the columns that are not.
#[derive(Debug, Default)]
pub(super) struct Mapping {
    columns: &'static [Column],
    pub(super) assigned: Vec<Assigned>,
    pub(super) unmapped: Vec<String>,
}

/// One field and the column that gives it.
#[derive(Debug)]
pub(super) struct Assigned {
    pub(super) column: &'static Column,
    /// As the file writes it.
    pub(super) name: String,
    /// Place in the header.
    pub(super) index: usize,
}

/// What keeps a row from being taken.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) column: String,
    pub(super) reason: String,
}

const SHOWN_COLUMNS: usize = 60;

/// A name without case, spaces and punctuation: `Track Name` and `track_name` are `trackname`.
pub(super) fn normal(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// How well a name fits a field: 0 for its own name, then its synonyms in order.
fn rank(column: &Column, normal_name: &str) -> Option<usize> {
    if normal(column.field) == normal_name {
        return Some(0);
    }
    column.synonyms.iter().position(|synonym| *synonym == normal_name).map(|place| place + 1)
}

/// Whether a name would be taken for a field.
pub(super) fn is_known(columns: &[Column], name: &str) -> bool {
    let name = normal(name);
    columns.iter().any(|column| rank(column, &name).is_some())
}

impl Mapping {
    /// Maps what the caller says, then guesses the rest.
    pub(super) fn resolve(
        columns: &'static [Column],
        wanted: &[(String, String)],
        header: &[String],
    ) -> Result<Self, Error> {
        let wanted = wanted_columns(columns, wanted, header)?;
        let mut mapping = Self { columns, assigned: Vec::new(), unmapped: Vec::new() };
        let normal_header: Vec<String> = header.iter().map(|name| normal(name)).collect();
        for column in columns {
            let index = wanted
                .iter()
                .find(|(field, _)| *field == column.field)
                .map(|(_, index)| *index)
                .or_else(|| guess(column, &normal_header, &wanted));
            match index {
                Some(index) => {
                    mapping.assigned.push(Assigned { column, name: header[index].clone(), index });
                }
                None if column.need == Need::Required => return Err(no_column(column, header)),
                None => {}
            }
        }
        let read = |index| mapping.assigned.iter().any(|assigned| assigned.index == index);
        mapping.unmapped =
            (0..header.len()).filter(|at| !read(*at)).map(|at| header[at].clone()).collect();
        Ok(mapping)
    }

    /// Takes note of a column that shows up later, which JSON allows.
    pub(super) fn adopt(&mut self, name: &str) {
        let normal_name = normal(name);
        let column = self.columns.iter().find(|column| rank(column, &normal_name).is_some());
        let taken = |column: &Column| self.assigned.iter().any(|a| a.column.field == column.field);
        match column {
            Some(column) if !taken(column) => {
                let index = self.assigned.len() + self.unmapped.len();
                self.assigned.push(Assigned { column, name: name.to_owned(), index });
                let place = |field| self.columns.iter().position(|column| column.field == field);
                self.assigned.sort_by_key(|assigned| place(assigned.column.field));
            }
            Some(_) | None => self.unmapped.push(name.to_owned()),
        }
    }

    /// Reads the cells of one row.
    pub(super) fn read<'a>(
        &self,
        value_of: impl Fn(&Assigned) -> Result<Option<CellValue<'a>>, &'static str>,
    ) -> Result<Fields, Problem> {
        let mut fields = Fields::new();
        for assigned in &self.assigned {
            let problem = |reason| Problem { column: assigned.name.clone(), reason };
            let value = value_of(assigned)
                .and_then(without_nul)
                .map_err(|rule| problem(format!("`{}` {rule}", assigned.name)))?;
            let field = assigned.column.field;
            if let Some(value) = value {
                let cell = Cell { field, column: &assigned.name, value };
                (assigned.column.read)(&cell, &mut fields).map_err(problem)?;
            }
            if assigned.column.need == Need::Required && !fields.contains_key(field) {
                return Err(problem(format!("`{}` must not be empty", assigned.name)));
            }
        }
        Ok(fields)
    }

    pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
        self.assigned.iter().map(|a| (a.column.field, a.name.clone())).collect()
    }
}

fn without_nul(value: Option<CellValue<'_>>) -> Result<Option<CellValue<'_>>, &'static str> {
    let nul = match &value {
        Some(CellValue::Text(text)) => text.contains('\0'),
        Some(CellValue::List(items)) => items.iter().any(|item| item.contains('\0')),
        None => false,
    };
    if nul { Err("holds a NUL character, which cannot be stored") } else { Ok(value) }
}

/// The caller's mapping as fields and places in the header.
fn wanted_columns(
    columns: &'static [Column],
    wanted: &[(String, String)],
    header: &[String],
) -> Result<Vec<(&'static str, usize)>, Error> {
    let mut places: Vec<(&'static str, usize)> = Vec::new();
    for (target, name) in wanted {
        let normal_target = normal(target);
        let column = columns
            .iter()
            .find(|column| rank(column, &normal_target).is_some())
            .ok_or_else(|| Error::UnknownField {
                field: target.clone(),
                fields: listed(columns.iter().map(|column| column.field)),
            })?;
        if places.iter().any(|(field, _)| *field == column.field) {
            return Err(Error::MappedTwice(column.field));
        }
        let exact = header.iter().position(|other| other == name);
        let place = exact.or_else(|| header.iter().position(|o| normal(o) == normal(name)));
        let place = place.ok_or_else(|| Error::UnknownColumn {
            field: column.field,
            column: name.clone(),
            columns: listed(header.iter().map(String::as_str)),
        })?;
        places.push((column.field, place));
    }
    Ok(places)
}

/// The best column that the caller has not given to another field.
fn guess(column: &Column, header: &[String], wanted: &[(&str, usize)]) -> Option<usize> {
    let free = |index: usize| wanted.iter().all(|(_, taken)| *taken != index);
    header
        .iter()
        .enumerate()
        .filter(|(index, _)| free(*index))
        .filter_map(|(index, name)| Some((rank(column, name)?, index)))
        .min()
        .map(|(_, index)| index)
}

fn no_column(column: &Column, header: &[String]) -> Error {
    Error::NoColumn {
        field: column.field,
        columns: listed(header.iter().map(String::as_str)),
        example: header.iter().find(|name| !name.is_empty()).cloned().unwrap_or_default(),
    }
}

fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(SHOWN_COLUMNS);
    let mut list: Vec<String> = names
        .take(SHOWN_COLUMNS)
        .map(|name| format!("`{}`", name.chars().take(SHOWN_COLUMNS).collect::<String>()))
        .collect();
    if more > 0 {
        list.push(format!("and {more} more"));
    }
    list.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::SONG_COLUMNS;
    use super::*;

    fn resolve(header: &str, wanted: &[(&str, &str)]) -> Result<Mapping, String> {
        let header: Vec<String> = header.split(',').map(str::to_owned).collect();
        let wanted: Vec<_> =
            wanted.iter().map(|(f, c)| ((*f).to_owned(), (*c).to_owned())).collect();
        Mapping::resolve(SONG_COLUMNS, &wanted, &header).map_err(|error| error.to_string())
    }

    fn pairs(header: &str, wanted: &[(&str, &str)]) -> String {
        let pairs = resolve(header, wanted).unwrap().pairs();
        pairs.iter().map(|(f, c)| format!("{f}={c}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn columns_are_guessed_by_names_that_people_use() {
        assert_eq!(
            pairs("Track_ID,Track Name,track-artist,playlist_genre,BPM,Duration (ms)", &[]),
            "externalId=Track_ID title=Track Name band=track-artist genre=playlist_genre tempo=BPM durationMs=Duration (ms)"
        );
    }

    #[test]
    fn the_own_name_goes_before_a_synonym_and_an_earlier_synonym_before_a_later() {
        assert_eq!(pairs("name,track_name,title", &[]), "title=title");
        assert_eq!(pairs("song,name,track_name", &[]), "title=track_name");
        assert_eq!(resolve("song,name", &[]).unwrap().unmapped, ["song"]);
    }

    #[test]
    fn what_the_caller_maps_goes_before_every_guess() {
        let wanted = [("name", "song"), ("band", "NAME")];
        assert_eq!(pairs("name,song,title", &wanted), "title=song band=name");
    }

    #[test]
    fn a_wrong_mapping_is_named() {
        assert_eq!(
            resolve("title,x", &[("band", "artist")]).unwrap_err(),
            "`band` is mapped to the column `artist`, which is not there; columns are `title`, `x`"
        );
        let error = resolve("title", &[("colour", "title")]).unwrap_err();
        assert!(
            error.starts_with("`colour` is not a field; fields are `externalId`, `title`, `band`")
        );
        let error = resolve("a,b", &[("title", "a"), ("name", "b")]).unwrap_err();
        assert_eq!(error, "`title` is mapped twice");
    }

    #[test]
    fn a_file_without_a_title_says_how_to_map_one() {
        assert_eq!(
            resolve("a,b", &[]).unwrap_err(),
            "no column gives `title`; columns are `a`, `b`; map one of them, as in `title=a`"
        );
    }

    #[test]
    fn a_column_that_comes_later_is_adopted_in_order() {
        let mut mapping = resolve("title,mode", &[]).unwrap();
        for name in ["key", "name", "shoe size"] {
            mapping.adopt(name);
        }
        let fields: Vec<_> = mapping.pairs().iter().map(|(field, _)| *field).collect();
        assert_eq!(fields, ["title", "key", "mode"]);
        assert_eq!(mapping.unmapped, ["name", "shoe size"]);
    }
}
