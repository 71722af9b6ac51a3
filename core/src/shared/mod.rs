//! What the structures in shared memory are made of.

pub(crate) mod racing;
