//! How a Memory is made or opened.

use std::path::PathBuf;

use pyo3::prelude::*;
use unipc::Wait;
use unipc::memory::{self, Access, Advice, HugePages, MemoryOptions, Seals};

use crate::error::invalid;
use crate::memory::Memory;
use crate::wait::waiting;

type OpenNamed = fn(&str, &MemoryOptions<'_>) -> unipc::Result<memory::Memory>;

/// The constructors differ in the core's function alone.
pub(crate) fn named(py: Python<'_>, name: String, patience: Option<f64>, options: MemoryOptions<'_>, open: OpenNamed) -> PyResult<Memory> {
    let mut memory = made(py, patience, options, |options| open(&name, options))?;
    memory.name = Some(name);
    Ok(memory)
}

/// Of a path.
pub(crate) fn of_file(
    py: Python<'_>,
    path: PathBuf,
    patience: Option<f64>,
    options: MemoryOptions<'_>,
    open: OpenNamed,
) -> PyResult<Memory> {
    let path = path.into_os_string().into_string().map_err(|_| invalid("the path is not UTF-8"))?;
    made(py, patience, options, |options| open(&path, options))
}

/// Makes or opens without the interpreter's lock.
pub(crate) fn made(
    py: Python<'_>,
    patience: Option<f64>,
    options: MemoryOptions<'_>,
    make: impl FnOnce(&MemoryOptions<'_>) -> unipc::Result<memory::Memory> + Send,
) -> PyResult<Memory> {
    let (any_owner, temporary) = (options.any_owner, options.temporary);
    let memory = waiting(py, patience, &|| true, |wait_for_creator: Wait<'_>| make(&MemoryOptions { wait_for_creator, ..options }))?;
    let mut memory = Memory::of(memory, None);
    memory.any_owner = any_owner;
    if temporary {
        memory.handle.remove_at_exit(py)?;
    }
    Ok(memory)
}

pub(crate) fn access(read_only: bool, copy_on_write: bool) -> PyResult<Access> {
    match (read_only, copy_on_write) {
        (false, false) => Ok(Access::ReadWrite),
        (true, false) => Ok(Access::ReadOnly),
        (false, true) => Ok(Access::CopyOnWrite),
        (true, true) => Err(invalid("a memory is read_only or copy_on_write, not both")),
    }
}

pub(crate) fn huge(huge_pages: Option<&str>) -> PyResult<HugePages> {
    match huge_pages {
        None => Ok(HugePages::No),
        Some("try") => Ok(HugePages::Try),
        Some("require") => Ok(HugePages::Require),
        Some(_) => Err(invalid("huge_pages is None, \"try\" or \"require\"")),
    }
}

pub(crate) fn seals(bits: u32) -> PyResult<Seals> {
    Seals::from_bits(bits).ok_or_else(|| invalid("a seal that this version does not know"))
}

pub(crate) fn advice(advice: &str) -> PyResult<Advice> {
    match advice {
        "normal" => Ok(Advice::Normal),
        "random" => Ok(Advice::Random),
        "sequential" => Ok(Advice::Sequential),
        "will need" => Ok(Advice::WillNeed),
        "don't need" => Ok(Advice::DontNeed),
        _ => Err(invalid("advice is \"normal\", \"random\", \"sequential\", \"will need\" or \"don't need\"")),
    }
}
