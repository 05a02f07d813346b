//! Small numbers as Parquet packs levels and dictionary indices: runs of one number, and groups of eight in as many bits as
//! the greatest needs (`RLE/Bit-Packing Hybrid` of the format).
//!
//! Takes runs and not single numbers: what a batch repeats is told once.

/// Repetitions from which a run of its own is shorter than bits.
const WORTH_A_RUN: usize = 8;

/// Numbers of one page on their way into bytes. How many bits each takes may be known when the last one has come.
#[derive(Debug, Default)]
pub(super) struct Hybrid {
    /// The numbers that no run holds.
    single: Vec<u32>,
    /// Runs: after how many single numbers, of which number, how often. Those between two runs are groups of eight.
    runs: Vec<(usize, u32, usize)>,
    /// The run that may still grow.
    open: (u32, usize),
}

impl Hybrid {
    #[inline]
    pub(super) fn put(&mut self, number: u32, count: usize) {
        if self.open.0 == number {
            self.open.1 += count;
        } else if count > 0 {
            match self.open {
                (before, 1) => self.single.push(before),
                _ => self.close_run(),
            }
            self.open = (number, count);
        }
    }

    fn close_run(&mut self) {
        let (number, count) = self.open;
        // The group before the run is filled from it.
        let filling = self.single.len().next_multiple_of(8) - self.single.len();
        if count < filling + WORTH_A_RUN {
            self.single.extend(std::iter::repeat_n(number, count));
        } else {
            self.single.extend(std::iter::repeat_n(number, filling));
            self.runs.push((self.single.len(), number, count - filling));
        }
    }

    /// About how many bytes it takes.
    pub(super) fn size(&self) -> usize {
        self.single.len() * 2 + self.runs.len() * 4
    }

    /// Appends the numbers so far, none of more than `bits` bits; the next page begins.
    pub(super) fn finish(&mut self, bits: u8, into: &mut Vec<u8>) {
        let (number, count) = std::mem::take(&mut self.open);
        let mut out = Out { bits, into };
        let mut at = 0;
        for (end, number, count) in self.runs.drain(..) {
            out.pack(&self.single[at..end]);
            out.run(number, count);
            at = end;
        }
        if at == self.single.len() {
            out.run(number, count);
        } else {
            self.single.extend(std::iter::repeat_n(number, count));
            out.pack(&self.single[at..]);
        }
        self.single.clear();
    }
}

struct Out<'x> {
    bits: u8,
    into: &'x mut Vec<u8>,
}

impl Out<'_> {
    fn run(&mut self, number: u32, count: usize) {
        if count > 0 {
            self.header(count << 1);
            let width = usize::from(self.bits.div_ceil(8));
            self.into.extend_from_slice(&number.to_le_bytes()[..width]);
        }
    }

    fn pack(&mut self, numbers: &[u32]) {
        if numbers.is_empty() {
            return;
        }
        self.header(numbers.len().div_ceil(8) << 1 | 1);
        let (groups, rest) = numbers.as_chunks::<8>();
        groups.iter().for_each(|group| self.group(group));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.group(&last);
        }
    }

    /// Eight numbers are whole bytes.
    #[inline]
    fn group(&mut self, numbers: &[u32; 8]) {
        let (mut word, mut used) = (0_u64, 0_u32);
        for number in numbers {
            word |= u64::from(*number) << used;
            used += u32::from(self.bits);
            if used >= 32 {
                self.into.extend_from_slice(&(word as u32).to_le_bytes());
                word >>= 32;
                used -= 32;
            }
        }
        self.into.extend_from_slice(&word.to_le_bytes()[..used as usize / 8]);
    }

    fn header(&mut self, mut number: usize) {
        while number >= 0x80 {
            self.into.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.into.push(number as u8);
    }
}

/// Bits that hold every number up to `greatest`.
pub(super) fn bits_of(greatest: usize) -> u8 {
    (usize::BITS - greatest.leading_zeros()) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The reading side, as the format says it.
    fn read(bits: u8, bytes: &[u8], count: usize) -> Vec<u32> {
        let (mut at, mut numbers) = (0, Vec::new());
        while numbers.len() < count {
            let (mut header, mut shift) = (0_usize, 0);
            loop {
                header |= usize::from(bytes[at] & 0x7f) << shift;
                shift += 7;
                at += 1;
                if bytes[at - 1] < 0x80 {
                    break;
                }
            }
            if header & 1 == 0 {
                let width = usize::from(bits.div_ceil(8));
                let mut word = [0; 4];
                word[..width].copy_from_slice(&bytes[at..at + width]);
                numbers.extend(std::iter::repeat_n(u32::from_le_bytes(word), header >> 1));
                at += width;
            } else {
                for number in 0..(header >> 1) * 8 {
                    let mut value = 0;
                    for bit in 0..usize::from(bits) {
                        let place = number * usize::from(bits) + bit;
                        value |= u32::from(bytes[at + place / 8] >> (place % 8) & 1) << bit;
                    }
                    numbers.push(value);
                }
                at += (header >> 1) * usize::from(bits);
            }
        }
        assert_eq!(at, bytes.len());
        numbers.truncate(count);
        numbers
    }

    proptest! {
        #[test]
        fn what_is_put_is_read(bits in 0_u8..=32, runs in prop::collection::vec((any::<u32>(), 0_usize..40), 0..60)) {
            let mask = if bits == 0 { 0 } else { u32::MAX >> (32 - bits) };
            let mut hybrid = Hybrid::default();
            // Twice: a page leaves nothing to the next.
            for _ in 0..2 {
                let mut expected = Vec::new();
                for (number, count) in &runs {
                    hybrid.put(number & mask, *count);
                    expected.extend(std::iter::repeat_n(number & mask, *count));
                }
                let mut bytes = Vec::new();
                hybrid.finish(bits, &mut bytes);
                prop_assert_eq!(read(bits, &bytes, expected.len()), expected);
            }
        }
    }

    #[test]
    fn bits_hold_the_greatest() {
        for (greatest, bits) in [(0, 0), (1, 1), (2, 2), (3, 2), (255, 8), (256, 9)] {
            assert_eq!(bits_of(greatest), bits);
        }
    }
}
