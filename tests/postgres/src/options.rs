//! What a private server is started with.

/// Whether the server waits for its disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// A crash of the machine may lose commits; the death of a process never does. Many times as fast.
    #[default]
    Off,
    On,
}

/// How a private server is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub fsync: Fsync,
    /// Names and values of further settings, as in `postgresql.conf`.
    pub settings: Vec<(&'static str, String)>,
}

impl Options {
    /// `-c NAME=VALUE` for `postgres`, without those that say where it is.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let (fsync, full_page_writes) = match self.fsync {
            Fsync::Off => ("off", "off"),
            Fsync::On => ("on", "on"),
        };
        let ours = [
            ("fsync", fsync),
            ("full_page_writes", full_page_writes),
            ("listen_addresses", "127.0.0.1"),
            // The path of a temporary directory may be longer than a socket's may be.
            ("unix_socket_directories", ""),
            ("max_connections", "200"),
            // Files in the data directory, so that a killed server leaves nothing in /dev/shm.
            ("dynamic_shared_memory_type", "mmap"),
            ("shared_buffers", "32MB"),
        ];
        let theirs = self.settings.iter().map(|(name, value)| format!("{name}={value}"));
        let all = ours.iter().map(|(name, value)| format!("{name}={value}")).chain(theirs);
        all.flat_map(|setting| ["-c".to_owned(), setting]).collect()
    }
}
