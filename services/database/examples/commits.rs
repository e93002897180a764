//! What group commit costs: concurrent writers through a `Writer`, beside a bare loop of the same statements.
//!
//! Usage: `cargo run --release -p database --example commits [DIRECTORY]`; `TEST_POSTGRES_URL` names a server of one's
//! own for the second half. Both sides take turns, each round with fresh tables; medians are compared.

use std::error::Error;
use std::future::Future;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use database::postgres::{self, Postgres, tokio_postgres};
use database::sqlite::{self, Sqlite, rusqlite};
use database::{Context, Migrations, PostgresUrl, Statement, Step, Writer};
use nix::time::{ClockId, clock_gettime};
use tokio_postgres::NoTls;

// The allocator of the services: what is measured is what runs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WRITERS: i64 = 64;
// Short and many: what else the machine does hits both sides alike.
const ROUND: Duration = Duration::from_millis(500);
const ROUNDS: usize = 25;

const CREATE: &str = "CREATE TABLE messages (id BIGINT NOT NULL PRIMARY KEY, body TEXT NOT NULL);
    CREATE TABLE outbox (id BIGINT NOT NULL PRIMARY KEY, available_at BIGINT NOT NULL);
    CREATE INDEX outbox_available_at ON outbox (available_at);";
const SCHEMA: Migrations = Migrations { steps: &[Step { version: 1, oldest_program: 1, sql: CREATE }] };
const INSERT: Statement = Statement { operation: "INSERT", table: "messages" };
const MESSAGE: &str = "INSERT INTO messages (id, body) VALUES (?1, ?2)";
const OUTBOX: &str = "INSERT INTO outbox (id, available_at) VALUES (?1, ?1)";
const BOTH: &str = "WITH message AS (INSERT INTO messages (id, body) SELECT * FROM unnest($1::bigint[], $2::text[])) \
    INSERT INTO outbox (id, available_at) SELECT id, id FROM unnest($1::bigint[]) AS id";

type Failure = Box<dyn Error + Send + Sync>;

struct Row {
    id: i64,
    body: String,
}

struct Store;

impl sqlite::Apply<Row, ()> for Store {
    fn apply(&mut self, transaction: &rusqlite::Transaction<'_>, rows: &mut [Row]) -> rusqlite::Result<Vec<()>> {
        insert(transaction, rows)
    }
}

fn insert(connection: &rusqlite::Connection, rows: &[Row]) -> rusqlite::Result<Vec<()>> {
    let mut message = connection.prepare_cached(MESSAGE)?;
    let mut outbox = connection.prepare_cached(OUTBOX)?;
    rows.iter()
        .map(|row| {
            message.execute((row.id, &row.body))?;
            outbox.execute([row.id]).map(drop)
        })
        .collect()
}

impl postgres::Apply<Row, ()> for Store {
    async fn apply(
        &mut self,
        transaction: &postgres::Transaction<'_>,
        rows: &mut [Row],
    ) -> Result<Vec<()>, tokio_postgres::Error> {
        let (ids, bodies) = columns(rows);
        transaction.execute(BOTH, &[&ids, &bodies]).await?;
        Ok(vec![(); rows.len()])
    }
}

fn columns(rows: &[Row]) -> (Vec<i64>, Vec<&str>) {
    rows.iter().map(|row| (row.id, row.body.as_str())).unzip()
}

fn row(id: i64) -> Row {
    Row { id, body: format!(r#"{{"key":"value","number":{id},"text":"{}"}}"#, "x".repeat(150)) }
}

/// What one round did.
#[derive(Clone, Copy, Debug)]
struct Figure {
    /// Rows a second.
    rate: f64,
    /// Microseconds of the process's CPU a row.
    cpu: f64,
}

fn main() -> Result<(), Failure> {
    let directory = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    // One thread, as the services have.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let path = directory.join(format!("commits-{}.sqlite3", std::process::id()));
    let measured = runtime.block_on(measure(&path));
    clear(&path);
    measured
}

async fn measure(path: &Path) -> Result<(), Failure> {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        clear(path);
        ours.push(sqlite_ours(path).await?);
        clear(path);
        bare.push(sqlite_bare(path)?);
    }
    report("SQLite", &mut ours, &mut bare)?;
    let Ok(url) = std::env::var("TEST_POSTGRES_URL") else {
        return say("Postgres: not measured; TEST_POSTGRES_URL is not set");
    };
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(on_postgres(&url, postgres_ours).await?);
        bare.push(on_postgres(&url, postgres_bare).await?);
    }
    report("Postgres", &mut ours, &mut bare)
}

fn say(line: &str) -> Result<(), Failure> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

fn report(name: &str, ours: &mut [Figure], bare: &mut [Figure]) -> Result<(), Failure> {
    let median = |figures: &mut [Figure], of: fn(&Figure) -> f64| {
        figures.sort_by(|a, b| of(a).total_cmp(&of(b)));
        of(&figures[figures.len() / 2])
    };
    let (rate, bare_rate) = (median(ours, |f| f.rate), median(bare, |f| f.rate));
    let (cpu, bare_cpu) = (median(ours, |f| f.cpu), median(bare, |f| f.cpu));
    say(&format!(
        "{name}: {rate:.0} rows/s with {WRITERS} writers, {bare_rate:.0} in the bare loop: {:.2} of it; CPU {cpu:.1} and \
         {bare_cpu:.1} us a row",
        rate / bare_rate
    ))
}

fn context() -> Result<Context, Failure> {
    let identity = telemetry::Identity { service_name: "commits", service_version: "0" };
    let telemetry = telemetry::Telemetry::new(identity, &telemetry::Settings::default(), None)?;
    Ok(Context { health: runtime::Health::new(), telemetry })
}

/// The writers' rows until the round is over.
async fn written(writer: &Writer<Row, ()>) -> Result<Figure, Failure> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Err(error) = writer.write(INSERT, row(-1)).await {
        if Instant::now() > deadline {
            return Err(error.into());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (started, cpu) = (Instant::now(), cpu()?);
    let tasks: Vec<_> = (0..WRITERS)
        .map(|number| {
            let writer = writer.clone();
            tokio::spawn(async move {
                let mut id = number;
                while started.elapsed() < ROUND {
                    writer.write(INSERT, row(id)).await?;
                    id += WRITERS;
                }
                Ok::<_, database::Error>(id / WRITERS)
            })
        })
        .collect();
    let mut rows = 0;
    for task in tasks {
        rows += task.await??;
    }
    figure(rows, started, cpu)
}

fn figure(rows: i64, started: Instant, cpu_before: Duration) -> Result<Figure, Failure> {
    let rows = f64::from(u32::try_from(rows)?);
    Ok(Figure {
        rate: rows / started.elapsed().as_secs_f64(),
        cpu: cpu()?.saturating_sub(cpu_before).as_secs_f64() * 1e6 / rows,
    })
}

fn cpu() -> Result<Duration, Failure> {
    Ok(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?.into())
}

async fn sqlite_ours(path: &Path) -> Result<Figure, Failure> {
    let db = Sqlite::open(path.to_owned(), SCHEMA, Store, context()?);
    let figure = written(db.writer()).await;
    db.close().await;
    figure
}

fn sqlite_bare(path: &Path) -> Result<Figure, Failure> {
    let connection = rusqlite::Connection::open(path)?;
    connection.execute_batch("PRAGMA journal_mode = wal; PRAGMA synchronous = full; PRAGMA foreign_keys = on")?;
    connection.execute_batch(CREATE)?;
    let (started, cpu) = (Instant::now(), cpu()?);
    let mut id = 0;
    while started.elapsed() < ROUND {
        let rows: Vec<_> = (id..id + WRITERS).map(row).collect();
        let transaction = rusqlite::Transaction::new_unchecked(&connection, rusqlite::TransactionBehavior::Immediate)?;
        insert(&transaction, &rows)?;
        transaction.commit()?;
        id += WRITERS;
    }
    figure(id, started, cpu)
}

fn clear(path: &Path) {
    for ending in ["", "-wal", "-shm", ".lock"] {
        let _ = std::fs::remove_file(format!("{}{ending}", path.display()));
    }
}

/// `measured` with a database that is made for it.
async fn on_postgres<F>(server: &str, measured: impl FnOnce(String) -> F) -> Result<Figure, Failure>
where
    F: Future<Output = Result<Figure, Failure>>,
{
    let name = format!("commits_{}", std::process::id());
    let (admin, connection) = tokio_postgres::connect(server, NoTls).await?;
    tokio::spawn(connection);
    admin.batch_execute(&format!("CREATE DATABASE {name}")).await?;
    let figure = measured(format!("{}/{name}", server.trim_end_matches('/'))).await;
    admin.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await?;
    figure
}

async fn postgres_ours(url: String) -> Result<Figure, Failure> {
    let url = PostgresUrl::parse(&url).ok_or("the URL can't be read")?;
    let db = Postgres::open(url, SCHEMA, Store, context()?);
    let figure = written(db.writer()).await;
    db.close().await;
    figure
}

async fn postgres_bare(url: String) -> Result<Figure, Failure> {
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute(CREATE).await?;
    let statement = client.prepare(BOTH).await?;
    let (started, cpu) = (Instant::now(), cpu()?);
    let mut id = 0;
    while started.elapsed() < ROUND {
        let rows: Vec<_> = (id..id + WRITERS).map(row).collect();
        let (ids, bodies) = columns(&rows);
        client.batch_execute("BEGIN").await?;
        client.execute(&statement, &[&ids, &bodies]).await?;
        client.batch_execute("COMMIT").await?;
        id += WRITERS;
    }
    figure(id, started, cpu)
}
