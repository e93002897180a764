//! A batch of writes, as few statements as there are kinds of writes in it: a round trip is most of what one costs.

use database::postgres::{self, Transaction, tokio_postgres};
use outbox::{Claim, Claimed, Expiry, Outgoing, Sweep};
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use super::{accept, settle, sql};
use crate::store::kept::{DEAD, state};
use crate::store::{Done, Redelivery, Write};

/// Applies A's writes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Apply;

impl postgres::Apply<Write, Done> for Apply {
    async fn apply(&mut self, transaction: &Transaction<'_>, writes: &mut [Write]) -> Result<Vec<Done>, Error> {
        let mut outcomes: Vec<Option<Done>> = Vec::new();
        outcomes.resize_with(writes.len(), || None);
        let (mut new, mut settled, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for (index, write) in writes.iter().enumerate() {
            match write {
                Write::Accept(message) => new.push((index, message)),
                Write::Settle(settlement) => {
                    settled.push(settlement);
                    outcomes[index] = Some(Done::Settled);
                }
                other => others.push((index, other)),
            }
        }
        if !settled.is_empty() || !others.is_empty() {
            // Sent with what follows: its answer is nothing to wait for.
            let (_, accepted, ()) = tokio::try_join!(
                transaction.execute(sql::USE_INDEXES, &[]),
                accept::all(transaction, &new),
                settle::all(transaction, &settled),
            )?;
            fill(&mut outcomes, accepted);
            for (index, write) in others {
                outcomes[index] = Some(one(transaction, write).await?);
            }
        } else {
            fill(&mut outcomes, accept::all(transaction, &new).await?);
        }
        // Every index is in exactly one of the three.
        Ok(outcomes.into_iter().flatten().collect())
    }
}

fn fill(outcomes: &mut [Option<Done>], accepted: Vec<(usize, crate::store::Accepted)>) {
    for (index, accepted) in accepted {
        outcomes[index] = Some(Done::Accepted(accepted));
    }
}

/// What is rare.
async fn one(transaction: &Transaction<'_>, write: &Write) -> Result<Done, Error> {
    Ok(match write {
        Write::Claim(claim) => Done::Claimed(self::claim(transaction, claim).await?),
        Write::GiveBack { owner, ids } => {
            transaction.execute(sql::GIVE_BACK, &[owner, ids]).await?;
            Done::GivenBack
        }
        Write::Expire(expiry) => Done::Expired(expire(transaction, expiry).await?),
        Write::Redeliver { id, not_before, now } => {
            Done::Redelivered(redeliver(transaction, *id, *not_before, *now).await?)
        }
        Write::Purge(sweep) => Done::Purged(purge(transaction, sweep).await?),
        Write::ForgetKeys(limit) => {
            let count = transaction.execute(sql::FORGET_KEYS, &[&count(*limit)]).await?;
            Done::Forgotten(usize::try_from(count).unwrap_or(usize::MAX))
        }
        // Both are done together with their like.
        Write::Accept(_) | Write::Settle(_) => Done::Settled,
    })
}

async fn claim(transaction: &Transaction<'_>, claim: &Claim) -> Result<Claimed, Error> {
    let (lease, ahead) = (millis(claim.lease), millis(claim.ahead));
    let (limit, bytes) = (count(claim.limit), count(claim.bytes));
    let rows = transaction.query(sql::CLAIM, &[&claim.owner, &lease, &ahead, &limit, &bytes]).await?;
    let cut = rows.first().map_or(Ok(false), |row| row.try_get(7))?;
    Ok(Claimed { rows: rows.iter().map(outgoing).collect::<Result<_, _>>()?, cut })
}

async fn expire(transaction: &Transaction<'_>, expiry: &Expiry) -> Result<Vec<Uuid>, Error> {
    let rows = transaction.query(sql::EXPIRE, &[&expiry.before, &count(expiry.limit), &expiry.error]).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

async fn redeliver(transaction: &Transaction<'_>, id: Uuid, not_before: i64, now: i64) -> Result<Redelivery, Error> {
    let Some(row) = transaction.query_opt(sql::GIVEN_UP, &[&id]).await? else { return Ok(Redelivery::Unknown) };
    let (found, created_at): (i16, i64) = (row.try_get(0)?, row.try_get(1)?);
    if found != DEAD {
        return Ok(Redelivery::NotDead(state(found)));
    }
    if created_at <= not_before {
        return Ok(Redelivery::TooOld);
    }
    transaction.execute(sql::REDELIVER, &[&id, &now]).await?;
    Ok(Redelivery::Pending)
}

async fn purge(transaction: &Transaction<'_>, sweep: &Sweep) -> Result<Option<Uuid>, Error> {
    let rows = transaction.query(sql::PURGE, &[&sweep.after, &sweep.before, &count(sweep.limit)]).await?;
    match rows.last() {
        Some(last) if rows.len() == sweep.limit => last.try_get(0).map(Some),
        _ => Ok(None),
    }
}

fn outgoing(row: &Row) -> Result<Outgoing, Error> {
    let attempts: i64 = row.try_get(4)?;
    Ok(Outgoing {
        id: row.try_get(0)?,
        body: row.try_get::<_, String>(1)?.into(),
        created_at: row.try_get(2)?,
        enqueued_at: row.try_get(3)?,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        traceparent: row.try_get(5)?,
        tracestate: row.try_get(6)?,
    })
}

pub(super) fn millis(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
