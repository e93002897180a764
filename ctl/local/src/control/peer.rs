//! Whose connection it is.

use nix::unistd::geteuid;
use tokio::net::UnixStream;

/// Whether the other end is ours: the folder's mode keeps others out already, and this does where it was changed.
pub(super) fn is_ours(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| may_speak(peer.uid(), geteuid().as_raw()))
}

/// Root may do anything to our processes in any case.
fn may_speak(peer: u32, own: u32) -> bool {
    peer == own || peer == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_user_and_root_may_speak_and_others_may_not() {
        assert!(may_speak(1000, 1000));
        assert!(may_speak(0, 1000));
        assert!(!may_speak(1001, 1000));
        assert!(!may_speak(1000, 0), "an `up` of root's is not for everybody");
    }

    #[tokio::test]
    async fn the_other_end_of_a_pair_is_ours() {
        let (one, _other) = UnixStream::pair().unwrap();
        assert!(is_ours(&one));
    }
}
