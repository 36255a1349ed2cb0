//! The wire format. Resolvers take arguments apart, call one service and wrap what it returns.
//!
//! To add a query: write it in `query/`, list it in `query::Query`, price it in `guard::cost`,
//! and run `UPDATE_SCHEMA=1 cargo test --test tidy schema`.

mod context;
mod error;
pub mod guard;
mod input;
mod loaders;
mod mutation;
mod object;
pub mod order;
mod query;

use async_graphql::{EmptySubscription, SDLExportOptions, Schema};

pub use context::RequestContext;
pub use error::{extensions_code, with_code};

use crate::service::Services;

/// The schema with its services.
pub type KindredSchema = Schema<query::Query, mutation::Mutation, EmptySubscription>;

/// Builds the schema.
///
/// The limits here are a second belt; `guard` refuses what is too large before it gets here.
pub fn schema(services: Services) -> KindredSchema {
    builder().data(services).finish()
}

fn builder() -> async_graphql::SchemaBuilder<query::Query, mutation::Mutation, EmptySubscription> {
    Schema::build(query::Query::default(), mutation::Mutation::default(), EmptySubscription)
        .register_output_type::<object::content::ContentIsNode>()
        .disable_suggestions()
        .limit_depth(25)
        .limit_directives(10)
}

/// The schema in the schema definition language, sorted.
pub fn sdl() -> String {
    let options = SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items();
    let sdl = builder().finish().sdl_with_options(options);
    // The library indents with tabs and leaves blank ends of lines.
    let lines: Vec<String> = sdl.lines().map(|line| line.trim_end().replace('\t', "  ")).collect();
    format!("{}\n", lines.join("\n").trim_end())
}
