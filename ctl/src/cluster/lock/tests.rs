use http::Method;
use serde_json::json;

use super::renewal::RENEWAL;
use super::*;
use crate::cluster::double::Double;
use crate::cluster::kinds::Reference;

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/shop/leases/msctl-service-a";

fn inventory(kinds: &[&str]) -> Inventory {
    kinds.iter().map(|kind| Reference::new("v1", kind, "service-a")).collect()
}

fn silent(_: String) {}

async fn acquire(
    double: &Double,
    wanted: &Inventory,
    waiting: impl Fn(String),
) -> Result<(Lock, Inventory), LockError> {
    acquire_in(&double.cluster(), wanted, waiting).await
}

async fn acquire_in(
    cluster: &Cluster,
    wanted: &Inventory,
    waiting: impl Fn(String),
) -> Result<(Lock, Inventory), LockError> {
    let mut before = Inventory::default();
    let lock = Lock::acquire(cluster, "service-a", &Holder::new(cluster), wanted, &mut before, waiting).await?;
    Ok((lock, before))
}

fn held_by(holder: &str, renewed: Timestamp) -> Value {
    json!({
        "metadata": { "annotations": { inventory::ANNOTATION: inventory(&["Service"]).write() } },
        "spec": { "holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": MicroTime(renewed) },
    })
}

#[tokio::test]
async fn a_first_deploy_makes_the_lease_and_gives_it_back_with_the_inventory() {
    let double = Double::new();
    let wanted = inventory(&["Service"]);
    let (lock, before) = acquire(&double, &wanted, silent).await.unwrap();
    assert!(before.is_empty());
    let spec = double.get(LEASE).unwrap()["spec"].clone();
    assert!(spec["holderIdentity"].as_str().unwrap().contains(&std::process::id().to_string()), "{spec}");
    lock.release(&wanted).await.unwrap();
    let lease = double.get(LEASE).unwrap();
    assert!(lease["spec"]["holderIdentity"].is_null());
    assert_eq!(lease["metadata"]["annotations"][inventory::ANNOTATION], wanted.write());
}

#[tokio::test]
async fn nothing_is_left_behind_when_nothing_was_made() {
    let double = Double::new();
    let (lock, _) = acquire(&double, &inventory(&["Service"]), silent).await.unwrap();
    lock.release(&Inventory::default()).await.unwrap();
    assert_eq!(double.get(LEASE), None);
}

#[tokio::test]
async fn while_it_is_held_what_may_exist_is_noted_in_it() {
    let double = Double::new();
    double.put(LEASE, held_by("", Timestamp::now()));
    let (lock, before) = acquire(&double, &inventory(&["Secret"]), silent).await.unwrap();
    assert_eq!(before, inventory(&["Service"]));
    let noted = double.get(LEASE).unwrap()["metadata"]["annotations"][inventory::ANNOTATION].clone();
    assert_eq!(noted, inventory(&["Secret", "Service"]).write());
    drop(lock);
}

#[tokio::test]
async fn a_holder_whose_time_is_over_is_no_obstacle() {
    let double = Double::new();
    double.put(LEASE, held_by("bob@host/1/2", Timestamp::now() - Duration::from_secs(16)));
    let (lock, before) = acquire(&double, &Inventory::default(), silent).await.unwrap();
    assert_eq!(before, inventory(&["Service"]));
    lock.release(&before).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_dies_is_waited_out_and_no_longer() {
    let double = Double::new();
    // Its clock is ahead of ours: it counts that it gives no sign of life, not what it wrote.
    double.put(LEASE, held_by("bob@host/1/2", Timestamp::now() + Duration::from_hours(1)));
    let started = tokio::time::Instant::now();
    let told = Mutex::new(Vec::new());
    let waiting = |line: String| told.lock().unwrap().push(line);
    acquire(&double, &Inventory::default(), waiting).await.unwrap();
    assert!(told.lock().unwrap()[0].contains("bob@host (process 1)"));
    assert!((DURATION..DURATION + Duration::from_secs(1)).contains(&started.elapsed()), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_holder_that_lives_is_named_in_the_error() {
    let double = Double::new();
    let cluster = double.cluster();
    double.put(LEASE, held_by("bob@host/1/2", Timestamp::now()));
    let renewing = double.clone();
    // Called when the wait begins; the renewal comes through the watch that begins after it.
    let waiting = move |_| {
        let double = renewing.clone();
        tokio::spawn(async move {
            double.put(LEASE, held_by("bob@host/1/2", Timestamp::now()));
        });
    };
    let error = acquire_in(&cluster, &Inventory::default(), waiting).await.unwrap_err();
    let text = error.explain(&cluster).to_string();
    assert!(text.contains("bob@host (process 1) is changing service-a right now"), "{text}");
}

#[tokio::test]
async fn losing_a_race_for_it_is_tried_again() {
    let double = Double::new();
    double.put(LEASE, held_by("", Timestamp::now()));
    double.fail(Method::PATCH, "/leases/", 2, 409, "the object has been modified");
    assert!(acquire(&double, &Inventory::default(), silent).await.is_ok());
}

#[tokio::test]
async fn a_lease_that_was_taken_over_is_left_to_its_new_holder() {
    let double = Double::new();
    let (lock, _) = acquire(&double, &Inventory::default(), silent).await.unwrap();
    double.put(LEASE, held_by("bob@host/1/2", Timestamp::now()));
    lock.release(&Inventory::default()).await.unwrap();
    assert_eq!(double.get(LEASE).unwrap()["spec"]["holderIdentity"], "bob@host/1/2");
}

#[tokio::test(start_paused = true)]
async fn the_holder_renews_it_and_notices_when_it_is_lost() {
    let double = Double::new();
    let (lock, _) = acquire(&double, &Inventory::default(), silent).await.unwrap();
    let taken = double.get(LEASE).unwrap()["spec"]["renewTime"].clone();
    tokio::time::sleep(RENEWAL + Duration::from_millis(1)).await;
    assert_ne!(double.get(LEASE).unwrap()["spec"]["renewTime"], taken);
    double.put(LEASE, held_by("bob@host/1/2", Timestamp::now()));
    let error = tokio::time::timeout(Duration::from_mins(1), lock.lost()).await.unwrap();
    assert!(error.to_string().contains("lost the Lease of service-a"), "{error}");
}

#[tokio::test]
async fn a_namespace_that_is_missing_stays_an_error() {
    let double = Double::new();
    let mut cluster = double.cluster();
    cluster.namespace = "nowhere".to_owned();
    let error = acquire_in(&cluster, &Inventory::default(), silent).await.unwrap_err();
    assert!(error.explain(&cluster).to_string().contains("namespace nowhere does not exist"));
}

#[tokio::test]
async fn a_lease_whose_taking_was_cut_off_is_given_back() {
    let double = Double::new();
    let cluster = double.cluster();
    let (ours, others) = (Holder::new(&cluster), Holder("bob@host/1/2".to_owned()));
    let (wanted, mut before) = (inventory(&["Service"]), Inventory::default());
    let lock = Lock::acquire(&cluster, "service-a", &ours, &wanted, &mut before, silent).await.unwrap();
    drop(lock);
    abandon(&cluster, "service-a", &others, &before).await.unwrap();
    assert!(double.get(LEASE).is_some(), "it is not theirs to give back");
    abandon(&cluster, "service-a", &ours, &before).await.unwrap();
    assert_eq!(double.get(LEASE), None, "it was new, and nothing was made under it");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_whose_answer_was_lost_is_no_loss() {
    let double = Double::new();
    let (lock, _) = acquire(&double, &Inventory::default(), silent).await.unwrap();
    // The server took a write of ours, and we did not hear of its new version.
    double.put(LEASE, double.get(LEASE).unwrap());
    let before = double.get(LEASE).unwrap()["spec"]["renewTime"].clone();
    assert!(tokio::time::timeout(DURATION * 4, lock.lost()).await.is_err(), "it is still ours");
    assert_ne!(double.get(LEASE).unwrap()["spec"]["renewTime"], before, "and it is renewed again");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_could_not_be_renewed_counts_as_lost_when_its_time_is_over() {
    let double = Double::new();
    let (lock, _) = acquire(&double, &Inventory::default(), silent).await.unwrap();
    double.silence(Method::PATCH, "/leases/");
    let started = tokio::time::Instant::now();
    let error = tokio::time::timeout(Duration::from_mins(1), lock.lost()).await.unwrap();
    assert!(error.to_string().contains("could not be renewed for 15 s"), "{error}");
    assert!(started.elapsed() <= DURATION + Duration::from_millis(10), "{:?}", started.elapsed());
    let tries = double.requests().iter().filter(|request| request.starts_with("PATCH")).count();
    assert_eq!(tries, 2, "a renewal that hangs does not take the time of the next");
}
