//! Encrypted connections to a server with a certificate made for the test.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use database::Error;
use database::postgres::tokio_postgres::{self, NoTls};
use test_postgres::{Database, Options, Server};

use crate::store::{Db, Dir, SELECT, postgres, row, until};

/// A server for `localhost`, and the certificate of the authority that signed its own.
struct Encrypted {
    server: Server,
    authority: PathBuf,
}

/// One for all tests; it goes with the process, the directory too.
static SERVER: LazyLock<Option<Encrypted>> = LazyLock::new(start);

/// Whoever has the right password may come in with it alone.
const RULES: &str = "host all with_password 127.0.0.1/32 scram-sha-256\nhostnossl all encrypted 127.0.0.1/32 reject\n\
    hostssl all not_encrypted 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 trust\n";

fn start() -> Option<Encrypted> {
    let server = test_postgres::private(Options::default())?;
    let data = server.data().unwrap();
    certify(&data);
    let owner = fs::metadata(&data).unwrap();
    for name in ["server.key", "server.crt"] {
        chown(data.join(name), Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    fs::set_permissions(data.join("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(data.join("pg_hba.conf"), RULES).unwrap();
    let url = server.url().to_owned();
    // The caller is inside a runtime, where blocking on another is not possible.
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(set_up(url));
    })
    .join()
    .unwrap();
    Some(Encrypted { server, authority: data.join("authority.crt") })
}

async fn set_up(url: String) {
    let (admin, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let roles = "CREATE ROLE with_password SUPERUSER LOGIN PASSWORD 'secret'; \
        CREATE ROLE encrypted SUPERUSER LOGIN; CREATE ROLE not_encrypted SUPERUSER LOGIN";
    for sql in [roles, "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"] {
        admin.batch_execute(sql).await.unwrap();
    }
    until("it encrypts", async || {
        let row = admin.query_one("SHOW ssl", &[]).await.unwrap();
        row.get::<_, &str>(0) == "on"
    })
    .await;
}

/// An authority, and a certificate of it for `localhost`.
fn certify(folder: &Path) {
    openssl(
        folder,
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout authority.key -out authority.crt",
    );
    openssl(folder, "req -new -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr");
    fs::write(folder.join("extensions"), "subjectAltName=DNS:localhost").unwrap();
    openssl(
        folder,
        "x509 -req -days 2 -in server.csr -CA authority.crt -CAkey authority.key -CAcreateserial -extfile extensions \
         -out server.crt",
    );
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// `database`, at `host`, with `options`.
fn at(database: &Database, role: &str, host: &str, options: &str) -> String {
    let whole = database.url();
    let port_and_name = whole.strip_prefix("postgres://postgres@127.0.0.1").unwrap();
    let url = format!("postgres://{role}@{host}{port_and_name}");
    // `localhost` may be an address of version 6 first, where nobody listens.
    format!("{url}?hostaddr=127.0.0.1&{options}")
}

/// Whether connections for reads and for writes are encrypted.
async fn is_encrypted(db: &Db) -> bool {
    const SSL: &str = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
        WHERE datname = current_database() AND application_name LIKE 'database-%'";
    let Db::Postgres(db) = db else { panic!() };
    let rows = db.read(SELECT, async |session| session.query(SSL, &[]).await).await.unwrap();
    rows[0].get(0)
}

/// Why the database can't be used, once that is more than that it was not tried.
async fn refusal(db: &Db) -> String {
    let told = std::sync::Mutex::new(String::new());
    until("it is told", async || match db.write(row(1)).await {
        Err(Error::Unavailable { detail }) => {
            let is_tried = !detail.contains("being opened");
            *told.lock().unwrap() = detail;
            is_tried
        }
        other => panic!("{other:?}"),
    })
    .await;
    told.into_inner().unwrap()
}

#[tokio::test]
async fn a_server_that_can_is_spoken_to_in_tls_unless_it_is_disabled() {
    let Some(Encrypted { server, .. }) = SERVER.as_ref() else { return };
    for (options, expected) in
        [("", true), ("sslmode=prefer", true), ("sslmode=require", true), ("sslmode=disable", false)]
    {
        let database = server.database();
        let db = postgres(&at(&database, "postgres", "localhost", options)).opened().await;
        db.write(row(1)).await.unwrap();
        assert_eq!(is_encrypted(&db).await, expected, "{options:?}");
        db.close().await;
    }
}

#[tokio::test]
async fn prefer_goes_without_where_the_server_wants_that_and_require_does_not() {
    let Some(Encrypted { server, .. }) = SERVER.as_ref() else { return };
    let database = server.database();
    let db = postgres(&at(&database, "not_encrypted", "localhost", "")).opened().await;
    assert!(!is_encrypted(&db).await);
    db.close().await;
    let told = refusal(&postgres(&at(&database, "not_encrypted", "localhost", "sslmode=require"))).await;
    assert!(told.contains("pg_hba.conf rejects connection"), "{told}");
    let told = refusal(&postgres(&at(&database, "encrypted", "localhost", "sslmode=disable"))).await;
    assert!(told.contains("no encryption"), "{told}");
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_it_is_required_and_used_where_it_is_preferred() {
    let Some(server) = test_postgres::shared() else { return };
    let database = server.database();
    let told = refusal(&postgres(&at(&database, "postgres", "localhost", "sslmode=require"))).await;
    assert!(told.ends_with("server does not support TLS (sslmode=require)"), "{told}");
    let db = postgres(&at(&database, "postgres", "localhost", "sslmode=prefer")).opened().await;
    assert!(!is_encrypted(&db).await);
    db.close().await;
}

#[tokio::test]
async fn the_chain_and_the_name_are_verified_where_that_is_asked_for() {
    let Some(Encrypted { server, authority }) = SERVER.as_ref() else { return };
    let database = server.database();
    let roots = authority.display();
    for (host, mode) in [("localhost", "verify-full"), ("127.0.0.1", "verify-ca"), ("127.0.0.1", "require")] {
        let db =
            postgres(&at(&database, "postgres", host, &format!("sslmode={mode}&sslrootcert={roots}"))).opened().await;
        assert!(is_encrypted(&db).await);
        db.close().await;
    }
    let other_name = at(&database, "postgres", "127.0.0.1", &format!("sslmode=verify-full&sslrootcert={roots}"));
    let told = refusal(&postgres(&other_name)).await;
    assert!(told.contains("certificate not valid for name \"127.0.0.1\""), "{told}");
}

#[tokio::test]
async fn another_authority_is_refused_and_its_file_is_read_again() {
    let Some(Encrypted { server, authority }) = SERVER.as_ref() else { return };
    let (database, dir) = (server.database(), Dir::new());
    certify(dir.path());
    let roots = dir.path().join("roots.pem");
    let url =
        |mode: &str| at(&database, "postgres", "localhost", &format!("sslmode={mode}&sslrootcert={}", roots.display()));

    let told = refusal(&postgres(&url("verify-full"))).await;
    assert!(told.contains(&format!("can't read sslrootcert={}", roots.display())), "{told}");
    fs::write(&roots, "nothing").unwrap();
    assert!(refusal(&postgres(&url("verify-full"))).await.ends_with("holds no certificate"));
    fs::copy(dir.path().join("authority.crt"), &roots).unwrap();
    for mode in ["require", "verify-ca", "verify-full"] {
        let told = refusal(&postgres(&url(mode))).await;
        let expected = format!(
            "no authority of sslrootcert has signed the server's certificate (sslmode={mode}, sslrootcert={})",
            roots.display()
        );
        assert!(told.contains("can't connect to postgres://localhost") && told.ends_with(&expected), "{told}");
    }

    let db = postgres(&url("verify-full"));
    refusal(&db).await;
    fs::copy(authority, &roots).unwrap();
    let db = db.opened().await;
    db.write(row(1)).await.unwrap();
    db.close().await;
}

#[tokio::test]
async fn a_password_is_bound_to_the_servers_certificate() {
    let Some(Encrypted { server, .. }) = SERVER.as_ref() else { return };
    let database = server.database();
    let url = |mode: &str| {
        at(&database, "with_password:secret", "localhost", &format!("channel_binding=require&sslmode={mode}"))
    };
    let db = postgres(&url("require")).opened().await;
    assert!(is_encrypted(&db).await);
    db.close().await;
    let told = refusal(&postgres(&url("disable"))).await;
    assert!(told.contains("channel binding") && !told.contains("secret"), "{told}");
}

#[tokio::test]
async fn an_encrypted_connection_that_breaks_is_made_anew() {
    let Some(Encrypted { server, .. }) = SERVER.as_ref() else { return };
    let database = server.database();
    let db = postgres(&at(&database, "postgres", "localhost", "sslmode=require")).opened().await;
    db.write(row(1)).await.unwrap();
    let (admin, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    crate::postgres::terminate(&admin).await;
    until("it is used", async || db.write(row(2)).await.is_ok()).await;
    until("reads too", async || db.ids().await == Ok(vec![1, 2])).await;
    assert!(is_encrypted(&db).await);
    db.close().await;
}
