//! Nobody reads a row without saying for whom.

use super::source::{self, code, functions, line_of, words};
use super::{assert_tidy, violations};

/// Files of `store` whose functions need no scope.
const UNSCOPED: [(&str, &str); 3] = [
    ("src/store/connect.rs", "opens and migrates the database before there is any viewer"),
    ("src/store/scratch.rs", "makes and drops databases before and after there is any viewer"),
    ("src/store/db.rs", "the handle itself; `begin` takes a scope, `close` reads nothing"),
];

/// Conditions on the owner outside of `visible.rs`: file, how many, why.
const OWNER_CONDITIONS: [(&str, usize, &str); 5] = [
    ("src/store/content_write.rs", 2, "the upsert key: the external id is unique per owner"),
    ("src/store/text/terms.rs", 1, "word statistics come from the shared catalogue alone"),
    ("src/store/filter.rs", 2, "the filter `owned`, which narrows what is visible anyway"),
    ("src/store/space_import.rs", 2, "external ids are unique per owner"),
    ("src/store/space.rs", 1, "whether any row has an owner, which decides the route of a search"),
];

/// Functions that read or write `content` without the visible-to-viewer condition, and why.
const WITHOUT_CONDITION: [(&str, &str, &str); 11] = [
    ("src/store/content_write.rs", "existing", "the upsert key of an owner's rows"),
    ("src/store/content_write.rs", "update", "writes ids that were locked in the same transaction"),
    ("src/store/chunk.rs", "present", "parts of documents that the transaction has locked"),
    ("src/store/chunk.rs", "replace", "removes parts that `present` found in the same transaction"),
    ("src/store/chunk.rs", "follow", "parts of documents that the transaction has locked"),
    (
        "src/store/task.rs",
        "enqueue_statement",
        "queues rows just written, or all for an administrator",
    ),
    ("src/store/lease.rs", "claim", "the worker embeds everybody's rows"),
    ("src/store/lease.rs", "complete", "the worker writes everybody's vectors"),
    ("src/store/tier.rs", "hold", "asks only whether any row is there"),
    ("src/store/tier.rs", "write", "writes vectors of rows that the transaction wrote"),
    ("src/store/space.rs", "leaf_state", "asks only whether any row has an owner"),
];

/// Where work is done that no viewer asked for.
const SYSTEM: [(&str, &str); 10] = [
    ("src/worker/mod.rs", "embeds everybody's rows"),
    ("src/worker/batch.rs", "embeds everybody's rows"),
    ("src/service/tiers.rs", "keeps the space of the bundled model"),
    ("src/service/spaces/mod.rs", "knows which space answers, whoever asks"),
    ("src/service/spaces/index.rs", "keeps indexes and statistics"),
    ("src/service/spaces/backfill.rs", "queues everybody's rows"),
    ("src/service/stats.rs", "asks the database whether it answers"),
    ("src/service/usage.rs", "writes down what the process spent"),
    ("src/service/search/mod.rs", "compares: whoever sees everything needs no narrowing"),
    ("src/cli/doctor.rs", "asks the database for its version"),
];

fn is_store(path: &str) -> bool {
    path.starts_with("src/store/")
}

/// Every public function that awaits the database takes a scope.
fn scope_taken(path: &str, text: &str) -> Vec<String> {
    if !is_store(path) || UNSCOPED.iter().any(|(file, _)| *file == path) {
        return Vec::new();
    }
    let code = code(text);
    let public = functions(&code).into_iter();
    let public = public.filter(|function| function.signature.starts_with("pub async fn "));
    public
        .filter(|function| words(function.signature, "Scope").next().is_none())
        .map(|f| format!("{path}:{}: `{}` takes no `Scope`", f.line, f.name))
        .collect()
}

/// Who sees a row is written in one place.
fn owner_condition(path: &str, text: &str) -> Vec<String> {
    if !is_store(path) || path == "src/store/visible.rs" {
        return Vec::new();
    }
    let allowed = OWNER_CONDITIONS.iter().find(|(file, ..)| *file == path);
    let allowed = allowed.map_or(0, |(_, count, _)| *count);
    let places = owner_conditions(text);
    if places.len() <= allowed {
        return Vec::new();
    }
    let lines: Vec<String> = places.iter().map(ToString::to_string).collect();
    vec![format!(
        "{path}: conditions on the owner in lines {}, of which {allowed} are allowed; `visible` says who sees a row",
        lines.join(", ")
    )]
}

fn owner_conditions(text: &str) -> Vec<usize> {
    let plain = code(text).plain;
    let mut lines: Vec<usize> = words(&plain, "owner_id")
        .filter(|at| {
            let after = plain[at + "owner_id".len()..].trim_start();
            ["IS ", "=", "<> ", "IN ", "\""].iter().any(|with| after.starts_with(with))
        })
        .chain(words(&plain, "OwnerId"))
        .map(|at| line_of(&plain, at))
        .collect();
    lines.sort_unstable();
    lines
}

/// What reads or writes `content` adds the condition of `visible`.
fn condition_added(path: &str, text: &str) -> Vec<String> {
    if !is_store(path) || path == "src/store/visible.rs" {
        return Vec::new();
    }
    let code = code(text);
    let found = functions(&code).into_iter();
    let found =
        found.filter(|function| touches_content(function.body) && !is_narrowed(function.body));
    let excused = |name: &str| {
        WITHOUT_CONDITION.iter().any(|(file, function, _)| *file == path && *function == name)
    };
    found
        .filter(|function| !excused(function.name))
        .map(|f| format!("{path}:{}: `{}` reads `content` without `visible`", f.line, f.name))
        .collect()
}

fn touches_content(body: &str) -> bool {
    words(body, "content").any(|at| {
        let before = body[..at].trim_end();
        ["FROM", "JOIN", "UPDATE", "USING vectors,"].iter().any(|with| before.ends_with(with))
    }) || body.contains("entity::content::Entity")
}

fn is_narrowed(body: &str) -> bool {
    ["visible::", "push_all(", "push_matching("].iter().any(|with| body.contains(with))
}

/// The scope that sees everything is taken only where nobody asked.
fn system_scope(path: &str, text: &str) -> Vec<String> {
    if SYSTEM.iter().any(|(file, _)| *file == path) {
        return Vec::new();
    }
    system_scopes(text)
        .map(|line| format!("{path}:{line}: may not take `Scope::system()`"))
        .collect()
}

fn system_scopes(text: &str) -> impl Iterator<Item = usize> {
    let plain = code(text).plain;
    let places: Vec<usize> =
        plain.match_indices("Scope::system(").map(|(at, _)| line_of(&plain, at)).collect();
    places.into_iter()
}

#[test]
fn every_function_of_the_store_takes_a_scope() {
    assert_tidy(&violations(&source::rust("src/store"), scope_taken));
}

#[test]
fn who_sees_a_row_is_written_in_one_place() {
    assert_tidy(&violations(&source::rust("src/store"), owner_condition));
}

#[test]
fn whatever_reads_content_adds_the_condition() {
    assert_tidy(&violations(&source::rust("src/store"), condition_added));
}

#[test]
fn the_scope_of_the_system_is_taken_only_where_nobody_asked() {
    assert_tidy(&violations(&source::rust("src"), system_scope));
}

#[test]
fn no_exception_of_the_store_is_left_over() {
    for (path, count, _) in OWNER_CONDITIONS {
        let text = source::read(path).unwrap_or_default();
        assert_eq!(owner_conditions(&text).len(), count, "{path}: lower the number");
    }
    for (path, name, _) in WITHOUT_CONDITION {
        let code = code(&source::read(path).unwrap_or_default());
        let is_needed = functions(&code).into_iter().any(|function| {
            function.name == name && touches_content(function.body) && !is_narrowed(function.body)
        });
        assert!(is_needed, "{path}: `{name}` needs no exception any more");
    }
    for (path, _) in SYSTEM {
        let text = source::read(path).unwrap_or_default();
        assert!(system_scopes(&text).next().is_some(), "{path}: needs no exception any more");
    }
}

#[test]
fn a_function_without_a_scope_is_found() {
    let path = "src/store/song.rs";
    let bad = "pub async fn all(\n    db: &Db,\n    limit: i64,\n) -> Result<()> {\n}";
    assert_eq!(scope_taken(path, bad), ["src/store/song.rs:1: `all` takes no `Scope`"]);
    assert!(scope_taken(path, "pub async fn all(db: &Db, _scope: Scope) {}").is_empty());
    assert!(scope_taken(path, "async fn helper(db: &Db) {}").is_empty());
}

#[test]
fn a_second_condition_on_the_owner_is_found() {
    let bad = "let sql = \"SELECT id FROM content WHERE owner_id IS NULL\";";
    assert_eq!(owner_condition("src/store/text.rs", bad).len(), 1);
    assert!(owner_condition("src/store/visible.rs", bad).is_empty());
    assert_eq!(owner_condition("src/store/text.rs", "Column::OwnerId.eq(user)").len(), 1);
    assert_eq!(owner_condition("src/store/text.rs", "\"WHERE content.owner_id = $1\"").len(), 1);
    assert_eq!(owner_condition("src/store/text.rs", "push(\"WHERE owner_id \").push(a)").len(), 1);
    assert!(owner_condition("src/store/text.rs", "// owner_id IS NULL\nowner_id: a").is_empty());
}

#[test]
fn a_statement_without_the_condition_is_found() {
    let bad = "async fn all() { query(\"SELECT id FROM content WHERE kind = $1\") }";
    assert_eq!(condition_added("src/store/text.rs", bad).len(), 1);
    let good =
        "fn all() { q.push(\"SELECT 1 FROM content WHERE true\"); visible::push(q, scope); }";
    assert!(condition_added("src/store/text.rs", good).is_empty());
    assert!(condition_added("src/store/text.rs", "fn a() { \"FROM content_x\" }").is_empty());
}

#[test]
fn a_resolver_that_takes_the_scope_of_the_system_is_found() {
    let bad = "fn f() {\n    stats(Scope::system());\n}";
    assert_eq!(system_scope("src/graphql/query/stats.rs", bad).len(), 1);
    assert!(system_scope("src/worker/mod.rs", bad).is_empty());
}
