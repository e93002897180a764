//! Lines out of files, merged in order of time, read as they are taken.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Seek as _};

use jiff::Timestamp;

use super::{LogLine, Source, line};

/// What is left out.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    /// Of each replica, the last so many.
    pub(super) tail: Option<usize>,
    /// Nothing before this.
    pub(super) since: Option<Timestamp>,
    /// Per replica, nothing up to this: what was read already.
    pub(super) after: BTreeMap<String, Timestamp>,
}

/// The lines of these files in order of time. A file that can't be read is left out: it was removed a moment ago.
pub(super) fn read(sources: Vec<Source>, filter: &Filter) -> impl Iterator<Item = LogLine> {
    let mut readers: Vec<Reader> = sources.into_iter().filter_map(|source| Reader::open(source, filter).ok()).collect();
    let mut next = BinaryHeap::new();
    for (index, reader) in readers.iter_mut().enumerate() {
        next.extend(reader.next().map(|(time, text)| Reverse((time, index, text))));
    }
    std::iter::from_fn(move || {
        let Reverse((time, index, line)) = next.pop()?;
        let reader = &mut readers[index];
        next.extend(reader.next().map(|(time, text)| Reverse((time, index, text))));
        Some(LogLine { service: reader.source.service.clone(), replica: reader.source.replica.clone(), time, line })
    })
}

struct Reader {
    source: Source,
    input: BufReader<File>,
    /// Nothing before this.
    from: Option<Timestamp>,
    /// Nothing up to this.
    after: Option<Timestamp>,
    buffer: Vec<u8>,
}

impl Reader {
    fn open(source: Source, filter: &Filter) -> io::Result<Self> {
        let input = BufReader::new(File::open(&source.path)?);
        let after = filter.after.get(&source.replica).copied();
        let mut reader = Self { source, input, from: filter.since, after, buffer: Vec::new() };
        if let Some(tail) = filter.tail {
            // Counted first and skipped then, so that a long tail takes no memory; the open file is only appended to.
            let surplus = reader.by_ref().count().saturating_sub(tail);
            reader.input.rewind()?;
            for _ in 0..surplus {
                reader.next();
            }
        }
        Ok(reader)
    }
}

impl Iterator for Reader {
    type Item = (Timestamp, String);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.buffer.clear();
            self.input.read_until(b'\n', &mut self.buffer).ok()?;
            // Without its newline it is not whole yet, and comes again later.
            let whole = self.buffer.strip_suffix(b"\n")?;
            let Some((time, text)) = line::parse(whole) else { continue };
            if self.from.is_none_or(|from| time >= from) && self.after.is_none_or(|after| time > after) {
                return Some((time, text));
            }
        }
    }
}
