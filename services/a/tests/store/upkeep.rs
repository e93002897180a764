//! What is deleted for its age.

use outbox::{Settled, Storage as _, Sweep};
use service_a::store::Backend;
use uuid::Uuid;

use crate::fixture::{Fixture, LONG, dead};

crate::on_both!(old_messages_are_deleted_a_few_at_a_time_and_pending_ones_never);

async fn old_messages_are_deleted_a_few_at_a_time_and_pending_ones_never<B: Backend>(fixture: Fixture<B>) {
    let owner = Uuid::now_v7();
    let (mut pending, mut ended) = (Vec::new(), Vec::new());
    for n in 0..20 {
        let id = fixture.accept(Some((owner, LONG))).await.id;
        match n % 4 {
            0 => pending.push(id),
            1 => {
                fixture.settle(id, owner, dead()).await;
                ended.push(id);
            }
            _ => {
                fixture.settle(id, owner, Settled::Delivered).await;
                ended.push(id);
            }
        }
    }
    let young = fixture.accept(Some((owner, LONG))).await.id;
    fixture.settle(young, owner, Settled::Delivered).await;

    let mut after = Some(Uuid::nil());
    let mut sweeps = 0;
    while let Some(next) = after {
        after = fixture.store.purge(Sweep { after: next, before: young, limit: 7 }).await.unwrap();
        sweeps += 1;
    }
    assert_eq!(sweeps, 3);
    for id in ended {
        assert_eq!(fixture.store.0.get(id).await.unwrap(), None);
    }
    for id in pending.into_iter().chain([young]) {
        fixture.get(id).await;
    }
}
