//! Which sources there are, and what each event of the kernel is worth.

use std::collections::HashMap;
use std::os::fd::RawFd;

use super::interest::{Interest, Ready};
use super::probe::Probe;

/// What the kernel gives back for the poller's own eventfd.
pub(super) const WAKE: u64 = u64::MAX;

/// What an event comes from.
pub(super) enum Origin {
    /// In the kernel's table.
    Descriptor(RawFd),
    /// A descriptor that the kernel takes into no such table, since it always is ready: a file, a directory.
    AlwaysReady,
    /// Asked on the schedule.
    Asked(Probe),
    /// It was closed before it was removed.
    Gone,
}

pub(super) struct Entry {
    pub(super) token: u64,
    pub(super) interest: Interest,
    pub(super) origin: Origin,
    /// A source that is told once, and has not been.
    pub(super) armed: bool,
    /// What was told of a source that is asked: an edge is what is new.
    before: Ready,
}

impl Entry {
    pub(super) fn new(token: u64, interest: Interest, origin: Origin) -> Entry {
        Entry { token, interest, origin, armed: true, before: Ready::NOTHING }
    }

    pub(super) fn is_asked(&self) -> bool {
        matches!(self.origin, Origin::AlwaysReady | Origin::Asked(_))
    }

    pub(super) fn rearm(&mut self, interest: Interest) {
        self.interest = interest;
        self.armed = true;
        self.before = Ready::NOTHING;
    }

    fn ask(&self) -> Ready {
        match &self.origin {
            Origin::AlwaysReady => Ready::always(self.interest),
            Origin::Asked(probe) => probe(self.interest).unwrap_or(Ready::ERROR | Ready::HANG_UP).masked(self.interest.told()),
            Origin::Descriptor(_) | Origin::Gone => Ready::NOTHING,
        }
    }
}

/// A place for a source. The generation tells the one that is there now from those that were there before.
struct Slot {
    generation: u32,
    entry: Option<Entry>,
}

/// A source's key is its place and the place's generation.
#[derive(Default)]
pub(super) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// The place of each descriptor that is in the kernel's table.
    by_descriptor: HashMap<RawFd, u32>,
    /// The places of sources that are asked, and who is asked first the next time.
    asked: Vec<u32>,
    first_asked: usize,
    /// A descriptor was closed before it was removed: the kernel may still have it, if there are copies of it.
    pub(super) has_leftovers: bool,
}

impl Table {
    /// The key that the next insertion will give; `None` when there are too many.
    pub(super) fn next_key(&mut self) -> Option<u64> {
        if self.free.is_empty() {
            let place = u32::try_from(self.slots.len()).ok().filter(|place| *place < u32::MAX)?;
            self.slots.push(Slot { generation: 0, entry: None });
            self.free.push(place);
        }
        let place = *self.free.last()?;
        Some(key(place, self.slots[place as usize].generation))
    }

    /// Fills the place of [`next_key`](Table::next_key).
    pub(super) fn insert(&mut self, entry: Entry) {
        let Some(place) = self.free.pop() else { return };
        if let Origin::Descriptor(descriptor) = entry.origin {
            // Another source under the number: it was closed, and the number came again.
            if let Some(superseded) = self.by_descriptor.insert(descriptor, place) {
                self.has_leftovers = true;
                self.by_place(superseded).origin = Origin::Gone;
            }
        }
        if entry.is_asked() {
            self.asked.push(place);
        }
        self.slots[place as usize].entry = Some(entry);
    }

    fn by_place(&mut self, place: u32) -> &mut Entry {
        self.slots[place as usize].entry.as_mut().expect("a registered place is filled")
    }

    pub(super) fn get(&self, key: u64) -> Option<&Entry> {
        let slot = self.slots.get(place(key) as usize)?;
        slot.entry.as_ref().filter(|_| slot.generation == generation(key))
    }

    pub(super) fn get_mut(&mut self, key: u64) -> Option<&mut Entry> {
        let slot = self.slots.get_mut(place(key) as usize)?;
        slot.entry.as_mut().filter(|_| slot.generation == generation(key))
    }

    /// Empties the place: from here on its key is nobody's.
    pub(super) fn remove(&mut self, key: u64) -> Option<Entry> {
        self.get(key)?;
        let slot = &mut self.slots[place(key) as usize];
        let entry = slot.entry.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(place(key));
        match entry.origin {
            Origin::Descriptor(descriptor) => drop(self.by_descriptor.remove(&descriptor)),
            Origin::AlwaysReady | Origin::Asked(_) => self.asked.retain(|asked| *asked != place(key)),
            Origin::Gone => {}
        }
        Some(entry)
    }

    pub(super) fn has_descriptor(&self, descriptor: RawFd) -> bool {
        self.by_descriptor.contains_key(&descriptor)
    }

    pub(super) fn is_asking(&self) -> bool {
        !self.asked.is_empty()
    }

    /// How many sources there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The sources that are in the kernel's table, with their keys.
    pub(super) fn descriptors(&mut self) -> impl Iterator<Item = (u64, RawFd, &mut Entry)> {
        self.slots.iter_mut().enumerate().filter_map(|(place, slot)| {
            let key = key(place as u32, slot.generation);
            let entry = slot.entry.as_mut()?;
            let Origin::Descriptor(descriptor) = entry.origin else { return None };
            Some((key, descriptor, entry))
        })
    }

    /// Notes that a descriptor was closed under us.
    pub(super) fn note_gone(&mut self, gone: &[u64]) {
        for key in gone {
            let Some(entry) = self.get_mut(*key) else { continue };
            if let Origin::Descriptor(descriptor) = std::mem::replace(&mut entry.origin, Origin::Gone) {
                self.by_descriptor.remove(&descriptor);
            }
        }
    }

    /// Asks those that have to be asked; gives at most `most` that are ready, each in its turn.
    pub(super) fn ask(&mut self, most: usize) -> Vec<(u64, Ready)> {
        let count = self.asked.len();
        let mut found = Vec::new();
        for turn in 0..count {
            let index = (self.first_asked + turn) % count;
            let slot = &mut self.slots[self.asked[index] as usize];
            let Some(entry) = slot.entry.as_mut().filter(|entry| entry.armed) else { continue };
            let ready = entry.ask();
            let is_edge = entry.interest.contains(Interest::EDGE);
            // What is no longer so can become so again.
            entry.before = entry.before.masked(ready.bits());
            if ready != Ready::NOTHING && !(is_edge && entry.before == ready) {
                found.push((key(self.asked[index], slot.generation), ready));
                if found.len() == most {
                    break;
                }
            }
        }
        found
    }

    /// Whether this may be handed out; a source that is told once has then been told.
    pub(super) fn accept(&mut self, key: u64, ready: Ready) -> bool {
        let Some(entry) = self.get_mut(key) else { return false };
        let is_once = entry.interest.contains(Interest::ONE_SHOT);
        if is_once && !entry.armed || matches!(entry.origin, Origin::Gone) {
            return false;
        }
        entry.armed = !is_once;
        entry.before = ready;
        if entry.is_asked() {
            // The next turn begins behind it.
            let position = self.asked.iter().position(|asked| *asked == place(key));
            self.first_asked = position.map_or(0, |position| position + 1);
        }
        true
    }
}

fn key(place: u32, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(place)
}

fn place(key: u64) -> u32 {
    key as u32
}

fn generation(key: u64) -> u32 {
    (key >> 32) as u32
}
