//! Anonymous pages that a test shares with the children it forks.

/// A zeroed value in pages shared with children.
pub struct SharedPages<T> {
    address: *mut T,
}

// SAFETY: the value is only reached by shared reference, so it may be where `&T` may be.
unsafe impl<T: Sync> Sync for SharedPages<T> {}

impl<T> SharedPages<T> {
    /// Maps zeroed pages with room for a `T`, whose zero bytes must be valid.
    pub fn zeroed() -> SharedPages<T> {
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size_of::<T>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(address, libc::MAP_FAILED);
        SharedPages { address: address.cast() }
    }

    /// The bytes, as they are now.
    #[allow(dead_code, reason = "only the tests of some objects copy")]
    pub fn bytes(&self) -> Vec<u8> {
        // SAFETY: mapped with this size; the caller has nobody write meanwhile.
        unsafe { std::slice::from_raw_parts(self.address.cast::<u8>(), size_of::<T>()) }.to_vec()
    }

    /// Writes such bytes.
    #[allow(dead_code, reason = "only the tests of some objects copy")]
    pub fn fill(&self, bytes: &[u8]) {
        assert_eq!(bytes.len(), size_of::<T>());
        // SAFETY: mapped with this size, and nobody uses the value yet.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.address.cast(), bytes.len()) };
    }

    /// The address, for `init` functions.
    pub fn as_ptr(&self) -> *mut T {
        self.address
    }
}

impl<T> std::ops::Deref for SharedPages<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: mapped, aligned to a page, zeroed, and only used through shared references.
        unsafe { &*self.address }
    }
}

impl<T> Drop for SharedPages<T> {
    fn drop(&mut self) {
        // SAFETY: the pages were mapped by us with this size, and no reference is left.
        unsafe { libc::munmap(self.address.cast(), size_of::<T>()) };
    }
}
