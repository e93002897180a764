//! A batch of writes, statement by statement: each is a function call here, not a round trip.

use std::time::Duration;

use database::sqlite::{self, rusqlite};
use outbox::{Claim, Claimed, Expiry, Outgoing, Settled, Settlement, Sweep};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use uuid::Uuid;

use super::sql;
use crate::store::kept::{DEAD, state};
use crate::store::{Accepted, Done, KEY_LIFE, Key, New, Redelivery, Write};

/// Applies A's writes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Apply;

impl sqlite::Apply<Write, Done> for Apply {
    fn apply(&mut self, transaction: &Transaction<'_>, writes: &mut [Write]) -> rusqlite::Result<Vec<Done>> {
        // The machine's clock: all processes that share the file have it.
        let now = outbox::time::now();
        let step = Step { transaction, now };
        writes.iter().map(|write| step.apply(write)).collect()
    }
}

/// One write in its transaction.
struct Step<'a> {
    transaction: &'a Transaction<'a>,
    now: i64,
}

impl Step<'_> {
    fn apply(&self, write: &Write) -> rusqlite::Result<Done> {
        Ok(match write {
            Write::Accept(new) => Done::Accepted(self.accept(new)?),
            Write::Settle(settlement) => {
                self.settle(settlement)?;
                Done::Settled
            }
            Write::Claim(claim) => Done::Claimed(self.claim(claim)?),
            Write::GiveBack { owner, ids } => {
                for id in ids {
                    self.execute(sql::GIVE_BACK, params![id.as_bytes(), owner.as_bytes(), self.now])?;
                }
                Done::GivenBack
            }
            Write::Expire(expiry) => Done::Expired(self.expire(expiry)?),
            Write::Redeliver { id, not_before, now } => Done::Redelivered(self.redeliver(*id, *not_before, *now)?),
            Write::Purge(sweep) => Done::Purged(self.purge(sweep)?),
            Write::ForgetKeys(limit) => {
                Done::Forgotten(self.execute(sql::FORGET_KEYS, params![self.now, count(*limit)])?)
            }
        })
    }

    fn accept(&self, new: &New) -> rusqlite::Result<Accepted> {
        if let Some(key) = &new.key {
            if let Some(accepted) = known(self.transaction, key, self.now)? {
                return Ok(accepted);
            }
            let expiry = self.after(KEY_LIFE);
            self.execute(sql::INSERT_KEY, params![key.text, key.body_hash, new.id.as_bytes(), expiry])?;
        }
        let id = new.id.as_bytes();
        let message = params![id, new.created_at, new.traceparent, new.tracestate, new.body.as_str()];
        self.execute(sql::INSERT_MESSAGE, message)?;
        let owner = new.lease.as_ref().map(|lease| *lease.owner.as_bytes());
        let available_at = new.lease.map_or(self.now, |lease| self.after(lease.time));
        self.execute(sql::INSERT_OUTBOX, params![id, available_at, owner, 0, new.created_at, None::<&str>])?;
        Ok(Accepted::New)
    }

    fn claim(&self, claim: &Claim) -> rusqlite::Result<Claimed> {
        let mut select = self.transaction.prepare_cached(sql::CLAIM)?;
        let due = params![self.now, self.after(claim.ahead), count(claim.limit)];
        let (mut found, mut rows, mut bytes, mut cut) = (select.query(due)?, Vec::new(), 0, false);
        while let Some(row) = found.next()? {
            let row = outgoing(row)?;
            bytes += row.body.as_str().len();
            if bytes > claim.bytes && !rows.is_empty() {
                cut = true;
                break;
            }
            rows.push(row);
        }
        drop(found);
        for row in &rows {
            let lease = params![row.id.as_bytes(), self.after(claim.lease), claim.owner.as_bytes()];
            self.execute(sql::LEASE, lease)?;
        }
        Ok(Claimed { rows, cut })
    }

    fn settle(&self, settlement: &Settlement) -> rusqlite::Result<()> {
        let (id, owner) = (settlement.id.as_bytes(), settlement.owner.as_bytes());
        match &settlement.settled {
            Settled::Delivered => {
                let mut delete = self.transaction.prepare_cached(sql::DELETE_OUTBOX)?;
                let attempts: Option<i64> = delete.query_row([id], |row| row.get(0)).optional()?;
                self.execute(sql::DELIVERED, params![id, settlement.at, attempts])?;
            }
            Settled::Again { error, after } => {
                self.execute(sql::AGAIN, params![id, owner, self.after(*after), error])?;
            }
            Settled::Dead { error, attempts } => {
                if self.execute(sql::DELETE_OWN, params![id, owner])? > 0 {
                    self.execute(sql::DEAD, params![id, attempts, error])?;
                }
            }
        }
        Ok(())
    }

    fn expire(&self, expiry: &Expiry) -> rusqlite::Result<Vec<Uuid>> {
        let mut select = self.transaction.prepare_cached(sql::EXPIRED)?;
        let row = |row: &Row<'_>| {
            let found: ([u8; 16], i64, Option<String>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(found)
        };
        let found = select.query_map(params![expiry.before, self.now, count(expiry.limit)], row)?;
        let found = found.collect::<rusqlite::Result<Vec<_>>>()?;
        for (id, attempts, error) in &found {
            self.execute(sql::EXPIRE, [id])?;
            self.execute(sql::DEAD, params![id, attempts, error.as_ref().unwrap_or(&expiry.error)])?;
        }
        Ok(found.into_iter().map(|(id, ..)| Uuid::from_bytes(id)).collect())
    }

    fn redeliver(&self, id: Uuid, not_before: i64, now: i64) -> rusqlite::Result<Redelivery> {
        let mut select = self.transaction.prepare_cached(sql::GIVEN_UP)?;
        let row = |row: &Row<'_>| {
            let found: (i16, i64, i64, Option<String>) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok(found)
        };
        let Some((found, created_at, attempts, last_error)) = select.query_row([id.as_bytes()], row).optional()? else {
            return Ok(Redelivery::Unknown);
        };
        if found != DEAD {
            return Ok(Redelivery::NotDead(state(found)));
        }
        if created_at <= not_before {
            return Ok(Redelivery::TooOld);
        }
        self.execute(sql::PENDING_AGAIN, [id.as_bytes()])?;
        let unleased = None::<[u8; 16]>;
        self.execute(sql::INSERT_OUTBOX, params![id.as_bytes(), self.now, unleased, attempts, now, last_error])?;
        Ok(Redelivery::Pending)
    }

    fn purge(&self, sweep: &Sweep) -> rusqlite::Result<Option<Uuid>> {
        let mut select = self.transaction.prepare_cached(sql::OLD)?;
        let range = params![sweep.after.as_bytes(), sweep.before.as_bytes(), count(sweep.limit)];
        let ids = select.query_map(range, |row| row.get::<_, [u8; 16]>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
        let Some(last) = ids.last() else { return Ok(None) };
        self.execute(sql::PURGE, params![sweep.after.as_bytes(), last])?;
        Ok((ids.len() == sweep.limit).then(|| Uuid::from_bytes(*last)))
    }

    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<usize> {
        self.transaction.prepare_cached(sql)?.execute(params)
    }

    fn after(&self, time: Duration) -> i64 {
        self.now.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
    }
}

fn outgoing(row: &Row<'_>) -> rusqlite::Result<Outgoing> {
    let attempts: i64 = row.get(4)?;
    Ok(Outgoing {
        id: Uuid::from_bytes(row.get(0)?),
        body: row.get::<_, String>(1)?.into(),
        created_at: row.get(2)?,
        enqueued_at: row.get(3)?,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        traceparent: row.get(5)?,
        tracestate: row.get(6)?,
    })
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Whether a key is used at that time, and what for.
pub(super) fn known(connection: &Connection, key: &Key, now: i64) -> rusqlite::Result<Option<Accepted>> {
    let mut select = connection.prepare_cached(sql::KEY)?;
    let known = |row: &Row<'_>| {
        let (hash, id): ([u8; 32], [u8; 16]) = (row.get(0)?, row.get(1)?);
        Ok(key.stands_for(&hash, Uuid::from_bytes(id)))
    };
    select.query_row(params![key.text, now], known).optional()
}
