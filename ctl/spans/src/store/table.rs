//! Things that come again and again, kept once and counted.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::size;

/// Values of type `T`, each with a number that stands for it as long as it is used.
#[derive(Debug)]
pub(super) struct Table<T: ?Sized> {
    numbers: HashMap<Arc<T>, u32>,
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    /// Bytes of the values themselves.
    bytes: usize,
}

#[derive(Debug)]
struct Slot<T: ?Sized> {
    /// `None`: the slot is free.
    value: Option<Arc<T>>,
    uses: u32,
}

impl<T: ?Sized> Default for Table<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), slots: Vec::new(), free: Vec::new(), bytes: 0 }
    }
}

impl<T> Table<T>
where
    T: ?Sized + Eq + Hash,
    Arc<T>: for<'a> From<&'a T> + Borrow<T>,
{
    /// The number of a value that is here.
    pub(super) fn known(&self, value: &T) -> Option<u32> {
        self.numbers.get(value).copied()
    }

    /// The number of a value, with one more use; `None` when it is not here.
    pub(super) fn find(&mut self, value: &T) -> Option<u32> {
        let number = self.known(value)?;
        self.retain(number);
        Some(number)
    }

    /// The number of a value, with one more use.
    pub(super) fn put(&mut self, value: &T) -> u32 {
        self.find(value).unwrap_or_else(|| self.add(value))
    }

    fn add(&mut self, value: &T) -> u32 {
        let shared: Arc<T> = value.into();
        self.bytes += weight(value);
        let slot = Slot { value: Some(shared.clone()), uses: 1 };
        let number = if let Some(number) = self.free.pop() {
            self.slots[number as usize] = slot;
            number
        } else {
            self.slots.push(slot);
            // More than memory holds.
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        };
        self.numbers.insert(shared, number);
        number
    }

    /// One more use of a number that is in use.
    pub(super) fn retain(&mut self, number: u32) {
        self.slots[number as usize].uses += 1;
    }

    /// One use less; gives the value when it was the last.
    pub(super) fn release(&mut self, number: u32) -> Option<Arc<T>> {
        let slot = &mut self.slots[number as usize];
        slot.uses -= 1;
        if slot.uses > 0 {
            return None;
        }
        let value = slot.value.take()?;
        self.numbers.remove(&*value);
        self.bytes -= weight(&*value);
        self.free.push(number);
        Some(value)
    }

    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.slots.get(number as usize)?.value.as_deref()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Bytes in use.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + size::map(&self.numbers) + size::list(&self.slots) + size::list(&self.free)
    }
}

/// A value on the heap, with the two counts of an `Arc`.
fn weight<T: ?Sized>(value: &T) -> usize {
    size::block(size_of_val(value) + 2 * size_of::<usize>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_number_until_its_last_use_is_gone() {
        let mut table = Table::<str>::default();
        let number = table.put("http.route");
        assert_eq!(table.put("http.route"), number);
        assert_ne!(table.put("url.path"), number);
        assert_eq!(table.release(number), None);
        assert_eq!(table.get(number), Some("http.route"));
        assert_eq!(table.release(number).as_deref(), Some("http.route"));
        assert_eq!(table.find("http.route"), None);
    }

    #[test]
    fn what_is_gone_takes_no_bytes_and_its_number_is_given_again() {
        let mut table = Table::<str>::default();
        let first = table.put("a value");
        let before = table.bytes;
        let second = table.put(&"x".repeat(1000));
        assert!(table.bytes > before + 1000);
        table.release(second);
        assert_eq!((table.bytes, table.len()), (before, 1));
        assert_eq!(table.put("another"), second);
        assert_ne!(first, second);
    }
}
