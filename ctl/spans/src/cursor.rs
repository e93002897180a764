//! Reading bytes from the front, as protobuf writes them and as the store packs them.

/// What is left to read. A read that finds too little, or a number that is none, gives `None`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn fixed32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn fixed64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn fixed128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }

    /// Base-128, the lowest seven bits first: at most ten bytes, and 64 bits.
    /// <https://protobuf.dev/programming-guides/encoding/#varints>
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            // The tenth byte has room for one bit.
            if shift == 63 && byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// A varint whose lowest bit is the sign.
    pub(crate) fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// A varint that counts or numbers things.
    pub(crate) fn number(&mut self) -> Option<usize> {
        self.varint().and_then(|value| usize::try_from(value).ok())
    }
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_byte(value) | 0x80);
        value >>= 7;
    }
    out.push(low_byte(value));
}

pub(crate) fn put_zigzag(out: &mut Vec<u8>, value: i64) {
    put_varint(out, (value << 1 ^ value >> 63).cast_unsigned());
}

/// Lengths and counts of what is in memory.
pub(crate) fn put_number(out: &mut Vec<u8>, value: usize) {
    put_varint(out, value as u64);
}

fn low_byte(value: u64) -> u8 {
    value.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_were_put() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            let mut cursor = Cursor::new(&out);
            assert_eq!((cursor.varint(), cursor.is_empty()), (Some(value), true));
        }
        for value in [0, -1, 1, 63, -64, 64, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            put_zigzag(&mut out, value);
            assert_eq!(Cursor::new(&out).zigzag(), Some(value));
        }
    }

    #[test]
    fn what_breaks_off_or_does_not_fit_is_no_number() {
        assert_eq!(Cursor::new(&[]).varint(), None);
        assert_eq!(Cursor::new(&[0x80]).varint(), None);
        assert_eq!(Cursor::new(&[0xff; 11]).varint(), None);
        let mut above = [0xff; 10];
        above[9] = 2;
        assert_eq!(Cursor::new(&above).varint(), None);
        assert_eq!(Cursor::new(&[1, 2, 3]).fixed32(), None);
        assert_eq!(Cursor::new(&[1, 2, 3]).take(4), None);
    }

    #[test]
    fn a_longer_form_of_a_number_is_the_same_number() {
        assert_eq!(Cursor::new(&[0x85, 0x80, 0x80, 0x00]).varint(), Some(5));
    }
}
