use http::Method;
use tokio::time::Instant;

use super::*;
use crate::cluster::double::Double;
use crate::cluster::kinds::Reference;
use crate::output::tests::captured;

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/shop/leases/msctl-service-a";
const LEASE_B: &str = "/apis/coordination.k8s.io/v1/namespaces/shop/leases/msctl-service-b";

fn inventory(kind: &str) -> Inventory {
    [Reference::new("v1", kind, "service-a")].into_iter().collect()
}

#[tokio::test]
async fn a_lease_under_which_nothing_was_done_is_given_back_as_it_was_found() {
    let double = Double::new();
    let (printer, _, _) = captured();
    let mut held = Held::new(&double.cluster());
    held.take("service-a", &inventory("Service"), |_| {}).await.unwrap();
    held.settle("service-a", inventory("Service"));
    held.release(std::future::pending(), &printer).await;
    let mut held = Held::new(&double.cluster());
    held.take("service-a", &inventory("Secret"), |_| {}).await.unwrap();
    held.take("service-b", &inventory("Secret"), |_| {}).await.unwrap();
    held.release(std::future::pending(), &printer).await;
    let noted = double.get(LEASE).unwrap()["metadata"]["annotations"]["msctl.dev/inventory"].clone();
    assert_eq!(noted, inventory("Service").write());
    assert_eq!(double.get(LEASE_B), None);
}

#[tokio::test]
async fn taking_that_was_cut_off_leaves_what_was_there_before() {
    let double = Double::new();
    let (printer, _, _) = captured();
    let mut held = Held::new(&double.cluster());
    held.take("service-a", &Inventory::default(), |_| {}).await.unwrap();
    held.settle("service-a", inventory("Service"));
    held.release(std::future::pending(), &printer).await;
    let mut held = Held::new(&double.cluster());
    let (wanted, name) = (inventory("Secret"), "service-a".to_owned());
    let mut before = Inventory::default();
    let lock = Lock::acquire(&held.cluster, &name, &held.holder, &wanted, &mut before, |_| {}).await.unwrap();
    drop(lock);
    held.taking = Some(Taking { service: name, before });
    held.release(std::future::pending(), &printer).await;
    let noted = double.get(LEASE).unwrap();
    assert_eq!(noted["metadata"]["annotations"]["msctl.dev/inventory"], inventory("Service").write());
    assert!(noted["spec"]["holderIdentity"].is_null());
}

/// Two Leases, one held and one that is being taken, at a server that went silent.
async fn at_a_silent_server(double: &Double) -> Held {
    let mut held = Held::new(&double.cluster());
    held.take("service-a", &inventory("Service"), |_| {}).await.unwrap();
    held.taking = Some(Taking { service: "service-b".to_owned(), before: Inventory::default() });
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        double.silence(method, "/leases/");
    }
    held
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_holds_the_way_out_up_for_two_seconds_in_all() {
    let double = Double::new();
    let (printer, _, err) = captured();
    let held = at_a_silent_server(&double).await;
    let started = Instant::now();
    held.release(std::future::pending(), &printer).await;
    assert!(started.elapsed() <= LIMIT + Duration::from_millis(10), "{:?}", started.elapsed());
    let said = err.text();
    assert!(said.contains("the Lease of service-a expires in 15 s"), "{said}");
    assert!(said.contains("the Lease of service-b expires in 15 s"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_second_interrupt_cuts_the_way_out_short() {
    let double = Double::new();
    let (printer, _, err) = captured();
    let held = at_a_silent_server(&double).await;
    let started = Instant::now();
    held.release(tokio::time::sleep(Duration::from_millis(100)), &printer).await;
    assert!(started.elapsed() < Duration::from_millis(200), "{:?}", started.elapsed());
    assert!(err.text().contains("interrupted"), "{}", err.text());
}
