//! Owns storage of transactions by small reusable numbers. Knows nothing of SIP.

/// Values by number; a number is never given twice, because each carries its slot's generation.
#[derive(Debug)]
pub(super) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    len: usize,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            len: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.value.as_ref())
    }

    pub(super) fn insert(&mut self, value: T) -> u64 {
        self.len += 1;
        let reused = self
            .free
            .pop()
            .and_then(|place| self.slots.get_mut(place as usize).map(|slot| (place, slot)));
        if let Some((place, slot)) = reused {
            slot.value = Some(value);
            return id(slot.generation, place);
        }
        // 2^32 transactions at once do not fit into memory: the conversion cannot fail.
        let place = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot {
            generation: 0,
            value: Some(value),
        });
        id(0, place)
    }

    pub(super) fn get(&self, id: u64) -> Option<&T> {
        let slot = self.slots.get(place(id))?;
        if slot.generation == generation(id) {
            slot.value.as_ref()
        } else {
            None
        }
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        let slot = self.slots.get_mut(place(id))?;
        if slot.generation == generation(id) {
            slot.value.as_mut()
        } else {
            None
        }
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<T> {
        let slot = self.slots.get_mut(place(id))?;
        if slot.generation != generation(id) {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(u32::try_from(place(id)).unwrap_or(u32::MAX));
        self.len -= 1;
        Some(value)
    }
}

const fn id(generation: u32, place: u32) -> u64 {
    ((generation as u64) << 32) | place as u64
}

const fn place(id: u64) -> usize {
    (id & 0xffff_ffff) as usize
}

const fn generation(id: u64) -> u32 {
    (id >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_number_finds_nothing() {
        let mut slab = Slab::new();
        let first = slab.insert("a");
        assert_eq!(slab.remove(first), Some("a"));
        let second = slab.insert("b");
        assert_ne!(first, second);
        assert_eq!(place(first), place(second), "the slot is reused");
        assert_eq!(slab.get_mut(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get_mut(second), Some(&mut "b"));
        assert_eq!(slab.len(), 1);
    }
}
