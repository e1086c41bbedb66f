//! Reading a view: one after the other through a reader, one by its number, or all that there is to come.

mod bring;
mod coming;
mod estimate;
mod open;
mod peek;
mod reader;
mod whole;

pub use self::bring::Brought;
pub use self::reader::{Polled, Reader};
