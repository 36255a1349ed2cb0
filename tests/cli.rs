//! The program as people start it: its commands, their output, their exit codes, and what becomes
//! of the data when it is stopped in every way there is.

#[path = "cli/commands.rs"]
mod commands;
#[path = "cli/crash.rs"]
mod crash;
#[path = "cli/documents.rs"]
mod documents;
#[path = "cli/eval.rs"]
mod eval;
#[path = "cli/ingest.rs"]
mod ingest;
#[path = "cli/kill.rs"]
mod kill;
#[path = "cli/model.rs"]
mod model;
#[path = "support/openai_server.rs"]
mod openai_server;
#[path = "cli/real_data.rs"]
mod real_data;
#[path = "cli/serve.rs"]
mod serve;
#[path = "cli/space.rs"]
mod space;
#[path = "cli/support.rs"]
mod support;
#[path = "cli/usage.rs"]
mod usage;
