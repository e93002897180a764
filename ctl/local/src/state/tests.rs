use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::testing::Folder;

#[tokio::test]
async fn a_second_one_is_told_where_the_first_runs() {
    let folder = Folder::new();
    let path = folder.path().join(FOLDER);
    let first = StateFolder::open(&path, "shop").await.unwrap();
    let error = StateFolder::open(&path, "shop").await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    assert_eq!(error.what, "shop is up already");
    assert!(error.why[0].contains(&format!("process {}", std::process::id())), "{error}");

    drop(first);
    assert_eq!(Running::read(&path), None);
    drop(StateFolder::open(&path, "shop").await.unwrap());
}

#[tokio::test]
async fn only_the_user_reaches_folder_and_socket() {
    let folder = Folder::new();
    let path = folder.path().join(FOLDER);
    let state = StateFolder::open(&path, "shop").await.unwrap();
    let _listener = state.listen().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(state.socket())), (0o700, 0o600));
    assert_eq!(Running::read(&path).unwrap().socket, state.socket());
    UnixStream::connect(state.socket()).unwrap();
    assert_eq!(fs::read_to_string(path.join(".gitignore")).unwrap(), "*\n");
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_gets_another_one() {
    let folder = Folder::new();
    let deep = folder.path().join("x".repeat(120));
    fs::create_dir(&deep).unwrap();
    let state = StateFolder::open(&deep.join(FOLDER), "shop").await.unwrap();
    assert!(!state.socket().starts_with(&deep), "{:?}", state.socket());
    let _listener = state.listen().unwrap();
    UnixStream::connect(state.socket()).unwrap();
    let socket = state.socket().to_owned();
    drop(state);
    assert!(!socket.exists());
}

#[tokio::test]
async fn what_an_earlier_guard_still_ends_is_waited_for() {
    let folder = Folder::new();
    let path = folder.path().join(FOLDER);
    drop(StateFolder::open(&path, "shop").await.unwrap());
    let guard = File::create(path.join("guard.lock")).unwrap();
    guard.lock().unwrap();
    let mut opened = Box::pin(StateFolder::open(&path, "shop"));
    timeout(Duration::from_millis(50), &mut opened).await.unwrap_err();
    drop(guard);
    opened.await.unwrap();
}

#[tokio::test]
async fn data_outlives_all_but_an_explicit_removal() {
    let folder = Folder::new();
    let path = folder.path().join(FOLDER);
    let state = StateFolder::open(&path, "shop").await.unwrap();
    assert_eq!(remove(&path, Keep::Data).await.unwrap_err().kind, Kind::Conflict);
    fs::write(state.data().join("rows"), "1").unwrap();
    fs::write(state.logs().join("a-1-x.log"), "1").unwrap();
    drop(state);

    assert!(remove(&path, Keep::Data).await.unwrap());
    let mut left: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [".gitignore", "data"]);
    assert_eq!(fs::read_to_string(path.join("data/rows")).unwrap(), "1");
    assert!(remove(&path, Keep::Nothing).await.unwrap());
    assert!(!path.exists());
    assert!(!remove(&path, Keep::Nothing).await.unwrap());
}

#[tokio::test]
async fn a_link_is_not_followed() {
    let folder = Folder::new();
    let (target, path) = (folder.path().join("target"), folder.path().join(FOLDER));
    fs::create_dir_all(target.join("data")).unwrap();
    fs::write(target.join("data/rows"), "1").unwrap();
    fs::write(target.join("thesis"), "1").unwrap();
    std::os::unix::fs::symlink(&target, &path).unwrap();
    for keep in [Keep::Data, Keep::Nothing] {
        let error = remove(&path, keep).await.unwrap_err();
        assert!(error.why[0].contains("symbolic link"), "{error}");
    }
    assert!(StateFolder::open(&path, "shop").await.unwrap_err().why[0].contains("symbolic link"));
    assert!(target.join("thesis").exists() && target.join("data/rows").exists());
    assert_eq!(fs::read_dir(&target).unwrap().count(), 2);
}

#[tokio::test]
async fn what_is_not_ours_stays_and_the_folder_is_closed_to_others() {
    let folder = Folder::new();
    let path = folder.path().join(FOLDER);
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(path.join("thesis"), "1").unwrap();
    drop(StateFolder::open(&path, "shop").await.unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    fs::write(path.join("up.log"), "1").unwrap();
    assert!(remove(&path, Keep::Nothing).await.unwrap());
    let mut left: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [".gitignore", "thesis"]);
}
