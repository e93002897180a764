//! What became of deliveries: a statement for each way to end.

use database::postgres::{Transaction, tokio_postgres};
use outbox::{Settled, Settlement};
use tokio_postgres::Error;
use uuid::Uuid;

use super::apply::millis;
use super::sql;

/// Columns of one statement; what is empty is not sent.
#[derive(Debug, Default)]
struct Rows<'a> {
    ids: Vec<Uuid>,
    owners: Vec<Uuid>,
    numbers: Vec<i64>,
    errors: Vec<&'a str>,
}

impl<'a> Rows<'a> {
    fn push(&mut self, settlement: &Settlement, number: i64, error: &'a str) {
        self.ids.push(settlement.id);
        self.owners.push(settlement.owner);
        self.numbers.push(number);
        self.errors.push(error);
    }

    async fn execute(&self, transaction: &Transaction<'_>, sql: &'static str) -> Result<(), Error> {
        if self.ids.is_empty() {
            return Ok(());
        }
        transaction.execute(sql, &[&self.ids, &self.owners, &self.numbers, &self.errors]).await.map(|_| ())
    }
}

/// Writes them; they are about different messages, for a process delivers each in one place only.
pub(super) async fn all(transaction: &Transaction<'_>, settlements: &[&Settlement]) -> Result<(), Error> {
    let (mut delivered, mut again, mut dead) = (Rows::default(), Rows::default(), Rows::default());
    for settlement in settlements {
        match &settlement.settled {
            Settled::Delivered => delivered.push(settlement, settlement.at, ""),
            Settled::Again { error, after } => again.push(settlement, millis(*after), error),
            Settled::Dead { error, attempts } => dead.push(settlement, i64::from(*attempts), error),
        }
    }
    let delivered = async {
        if delivered.ids.is_empty() {
            return Ok(());
        }
        transaction.execute(sql::DELIVERED, &[&delivered.ids, &delivered.numbers]).await.map(|_| ())
    };
    tokio::try_join!(delivered, again.execute(transaction, sql::AGAIN), dead.execute(transaction, sql::DEAD))?;
    Ok(())
}
