//! What failed, said once more below all that is shown of it: a log of which only the end is left still has it.

use std::cell::RefCell;
use std::panic;
use std::sync::Once;

thread_local! {
    /// Of this thread's last panic, with its place.
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// From here on every panic is remembered.
pub(crate) fn remember() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            SAID.set(info.to_string());
            tell(info);
        }));
    });
}

/// When a test has failed: prints what `dump` prints, and then why it was asked.
pub(crate) fn explain(dump: impl FnOnce()) {
    if std::thread::panicking() {
        // `dump` may panic itself, and catch that.
        let said = SAID.take();
        dump();
        eprintln!("--- this is shown because: {said}");
    }
}
