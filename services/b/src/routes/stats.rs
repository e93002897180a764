//! `GET /stats`: what is in the database, and what this replica did.

use api::message::Stats;
use axum::Json as Answer;
use axum::extract::State;
use runtime::Failure;

/// Counts messages and events.
///
/// `messages` is what the database holds, for all replicas the same; `applied` and `ignored` are what the replica that
/// answers did since it started. Calls share counts of the database: an answer is as new as its call, and comes some
/// seconds after it where many call and the database is large.
#[cfg_attr(test, utoipa::path(
    get,
    path = api::b::STATS_PATH,
    operation_id = "stats",
    tag = "messages",
    responses(
        (status = 200, description = "The counts.", body = Stats,
            example = json!({"messages": 3, "applied": 3, "ignored": 1})),
        test_openapi::Database,
    ),
))]
pub(crate) async fn show(State(state): State<crate::state::State>) -> Result<Answer<Stats>, Failure> {
    let messages = state.tally.count().await.map_err(|error| Failure::from(error).at(api::b::STATS_PATH))?;
    Ok(Answer(Stats { messages, applied: state.counts.applied(), ignored: state.counts.ignored() }))
}
