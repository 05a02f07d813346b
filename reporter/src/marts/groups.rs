//! Adding up by keys: names become numbers, rows get the place of their group, and columns are added up one after the other.

use std::hash::{BuildHasher, Hasher};
use std::ops::AddAssign;
use std::sync::Arc;

use arrow::array::{Array, ArrayAccessor, ArrayRef, ArrowPrimitiveType, PrimitiveArray, StringArray};
use arrow::datatypes::ArrowNativeType;
use hashbrown::HashTable;
use rustc_hash::{FxBuildHasher, FxHashMap};

/// The number of what has no name.
pub(super) const NO_NAME: u32 = u32::MAX;

/// Names by number and numbers by name.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: FxHashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
}

impl Names {
    /// The number of a name.
    pub(super) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let (number, name) = (self.names.len() as u32, Arc::<str>::from(name));
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    /// The numbers of a column. Rows that follow each other are often alike.
    pub(super) fn numbers<'a>(&mut self, column: impl ArrayAccessor<Item = &'a str>) -> Vec<u32> {
        let mut last: Option<(&str, u32)> = None;
        let mut numbers = Vec::with_capacity(column.len());
        for row in 0..column.len() {
            if column.is_null(row) {
                numbers.push(NO_NAME);
                continue;
            }
            let name = column.value(row);
            let number = match last {
                Some((same, number)) if same == name => number,
                _ => self.number(name),
            };
            last = Some((name, number));
            numbers.push(number);
        }
        numbers
    }

    /// What all names begin with. Those in brackets are not of the user's making and do not count.
    pub(super) fn shared_beginning(&self) -> &[u8] {
        let mut names = self
            .names
            .iter()
            .map(|name| name.as_bytes())
            .filter(|name| !name.starts_with(b"("));
        let Some(first) = names.next() else { return &[] };
        names.fold(first, |shared, name| {
            let alike = shared.iter().zip(name).take_while(|(left, right)| left == right).count();
            &shared[..alike]
        })
    }

    /// The name of a number.
    pub(super) fn name(&self, number: u32) -> Option<&str> {
        self.names.get(number as usize).map(|name| &**name)
    }

    /// The names of a column of numbers.
    pub(super) fn column(&self, numbers: impl Iterator<Item = u32>) -> ArrayRef {
        Arc::new(numbers.map(|number| self.name(number)).collect::<StringArray>())
    }
}

/// Groups of rows by a key of `WIDTH` numbers, in the order in which they came.
#[derive(Debug)]
pub(super) struct Groups<const WIDTH: usize> {
    keys: Vec<[u32; WIDTH]>,
    places: HashTable<u32>,
    /// Where the row before went.
    last: u32,
}

impl<const WIDTH: usize> Default for Groups<WIDTH> {
    fn default() -> Self {
        Groups {
            keys: Vec::new(),
            places: HashTable::new(),
            last: 0,
        }
    }
}

impl<const WIDTH: usize> Groups<WIDTH> {
    /// The place of a key.
    pub(super) fn place(&mut self, key: [u32; WIDTH]) -> u32 {
        if self.keys.get(self.last as usize) == Some(&key) {
            return self.last;
        }
        let keys = &mut self.keys;
        let entry = self.places.entry(
            hash(&key),
            |place| keys[*place as usize] == key,
            |place| hash(&keys[*place as usize]),
        );
        self.last = match entry {
            hashbrown::hash_table::Entry::Occupied(place) => *place.get(),
            hashbrown::hash_table::Entry::Vacant(place) => {
                let next = keys.len() as u32;
                place.insert(next);
                keys.push(key);
                next
            }
        };
        self.last
    }

    pub(super) fn keys(&self) -> &[[u32; WIDTH]] {
        &self.keys
    }
}

fn hash<const WIDTH: usize>(key: &[u32; WIDTH]) -> u64 {
    let mut hasher = FxBuildHasher.build_hasher();
    key.iter().for_each(|number| hasher.write_u32(*number));
    hasher.finish()
}

/// A column added up by group; NULL where every value is.
#[derive(Debug)]
pub(super) struct Sums<T>(Vec<Option<T>>);

impl<T> Default for Sums<T> {
    fn default() -> Self {
        Sums(Vec::new())
    }
}

impl<T: ArrowNativeType + AddAssign> Sums<T> {
    /// Adds the values of a column, each to its group, of which there are `groups`.
    pub(super) fn add<P: ArrowPrimitiveType<Native = T>>(&mut self, column: &PrimitiveArray<P>, places: &[u32], groups: usize) {
        self.0.resize(groups, None);
        let mut add = |row: usize, value: T| *self.0[places[row] as usize].get_or_insert_default() += value;
        match column.nulls() {
            None => (0..)
                .zip(column.values().iter().copied())
                .for_each(|(row, value)| add(row, value)),
            Some(nulls) => nulls.valid_indices().for_each(|row| add(row, column.value(row))),
        }
    }

    /// Adds a value to a group.
    pub(super) fn add_one(&mut self, place: u32, value: Option<T>) {
        let place = place as usize;
        if self.0.len() <= place {
            self.0.resize(place + 1, None);
        }
        if let Some(value) = value {
            *self.0[place].get_or_insert_default() += value;
        }
    }

    /// The sums in the order of the groups.
    pub(super) fn take<P: ArrowPrimitiveType<Native = T>>(&mut self) -> PrimitiveArray<P> {
        std::mem::take(&mut self.0).into_iter().collect()
    }
}
