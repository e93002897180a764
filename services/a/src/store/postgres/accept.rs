//! New messages: one statement for those without keys, one for those with.

use std::collections::{BTreeMap, HashMap, HashSet};

use database::postgres::{Transaction, tokio_postgres};
use tokio_postgres::Error;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::apply::millis;
use super::sql;
use crate::store::{Accepted, KEY_LIFE, Key, New};

/// The columns of [`sql::INSERT`].
#[derive(Debug, Default)]
struct Columns<'a> {
    ids: Vec<Uuid>,
    created_at: Vec<i64>,
    traceparents: Vec<Option<&'a str>>,
    tracestates: Vec<Option<&'a str>>,
    bodies: Vec<&'a str>,
    owners: Vec<Option<Uuid>>,
    leases: Vec<i64>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, new: &'a New) {
        self.ids.push(new.id);
        self.created_at.push(new.created_at);
        self.traceparents.push(new.traceparent.as_deref());
        self.tracestates.push(new.tracestate.as_deref());
        self.bodies.push(new.body.as_str());
        self.owners.push(new.lease.map(|lease| lease.owner));
        self.leases.push(new.lease.map_or(0, |lease| millis(lease.time)));
    }

    fn params(&self) -> [&(dyn ToSql + Sync); 7] {
        [&self.ids, &self.created_at, &self.traceparents, &self.tracestates, &self.bodies, &self.owners, &self.leases]
    }
}

/// A message with its place in the batch.
type Placed<'a> = (usize, &'a New);

/// Writes them; what became of each, by its place in the batch.
pub(super) async fn all(
    transaction: &Transaction<'_>,
    messages: &[Placed<'_>],
) -> Result<Vec<(usize, Accepted)>, Error> {
    let mut plain = Columns::default();
    let mut outcomes = Vec::with_capacity(messages.len());
    // In the order of the keys; of those with the same key, the one that came first.
    let mut by_key: BTreeMap<&str, Vec<(Placed<'_>, &Key)>> = BTreeMap::new();
    for (index, new) in messages {
        match &new.key {
            None => {
                plain.push(new);
                outcomes.push((*index, Accepted::New));
            }
            Some(key) => by_key.entry(&key.text).or_default().push(((*index, new), key)),
        }
    }
    let insert = async {
        if plain.ids.is_empty() {
            return Ok(());
        }
        transaction.execute(sql::INSERT, &plain.params()).await.map(|_| ())
    };
    let ((), keyed) = tokio::try_join!(insert, keyed(transaction, &by_key))?;
    outcomes.extend(keyed);
    Ok(outcomes)
}

async fn keyed(
    transaction: &Transaction<'_>,
    by_key: &BTreeMap<&str, Vec<(Placed<'_>, &Key)>>,
) -> Result<Vec<(usize, Accepted)>, Error> {
    let firsts: Vec<_> = by_key.values().filter_map(|same| same.first()).collect();
    if firsts.is_empty() {
        return Ok(Vec::new());
    }
    let mut columns = Columns::default();
    let (mut keys, mut hashes) = (Vec::new(), Vec::new());
    for ((_, new), key) in &firsts {
        columns.push(new);
        keys.push(key.text.as_str());
        hashes.push(key.body_hash.as_slice());
    }
    let life = millis(KEY_LIFE);
    let mut params = columns.params().to_vec();
    params.extend([&keys as &(dyn ToSql + Sync), &hashes, &life]);
    let rows = transaction.query(sql::INSERT_KEYED, &params).await?;
    let written: HashSet<Uuid> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;

    let used: Vec<&str> =
        firsts.iter().filter(|((_, new), _)| !written.contains(&new.id)).map(|(_, key)| key.text.as_str()).collect();
    let known = known(transaction, &used).await?;
    let mut outcomes = Vec::new();
    for (text, same) in by_key {
        // What the key stands for: what was there before, or else the first of those that came with it now.
        let mut owner = known.get(*text).cloned();
        for ((index, new), key) in same {
            let accepted = match &owner {
                None if written.contains(&new.id) => {
                    owner = Some((key.body_hash.to_vec(), new.id));
                    Accepted::New
                }
                Some((hash, id)) => key.stands_for(hash, *id),
                // Without an owner it was not written either: nothing may be promised.
                None => Accepted::KeyUsed,
            };
            outcomes.push((*index, accepted));
        }
    }
    Ok(outcomes)
}

/// What keys stand for. Their rows are locked, so none of them can have gone.
async fn known(transaction: &Transaction<'_>, keys: &[&str]) -> Result<HashMap<String, (Vec<u8>, Uuid)>, Error> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = transaction.query(sql::KEYS, &[&keys]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?)))).collect()
}
