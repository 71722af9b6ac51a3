//! A directory for the compiled workers and for what they make, which goes at the end.

use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct Place(PathBuf);

impl Place {
    pub fn new() -> Result<Place, String> {
        let path = std::env::temp_dir().join(format!("unipc-bench-{}", std::process::id()));
        std::fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Place(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// An empty directory for one run of a worker, whatever the last one has left.
    pub fn fresh(&self) -> Result<PathBuf, String> {
        let path = self.0.join("run");
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
