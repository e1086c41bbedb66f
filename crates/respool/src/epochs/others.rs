//! Columns that are not plain: gathered by the kernels of Arrow, and made to share nothing.

use arrow_array::{Array, ArrayRef};

use super::window::Picked;
use crate::error::{Error, Result};
use crate::pack::owned;

/// Rows of several windows, each with the arrays of one column.
pub(super) fn others(parts: &[(&[ArrayRef], Picked<'_>)]) -> Result<ArrayRef> {
    let mut arrays: Vec<&dyn Array> = Vec::new();
    let mut indices = Vec::with_capacity(parts.iter().map(|(_, picked)| picked.len()).sum());
    for (batches, picked) in parts {
        // Of thousands of small batches a step has rows of few.
        let mut places = vec![usize::MAX; batches.len()];
        for pick in picked.each() {
            let place = &mut places[pick.batch as usize];
            if *place == usize::MAX {
                *place = arrays.len();
                arrays.push(batches[pick.batch as usize].as_ref());
            }
            indices.push((*place, pick.row as usize));
        }
    }
    let doing = "cannot gather rows";
    let gathered = arrow_select::interleave::interleave(&arrays, &indices);
    let gathered = gathered.map_err(Error::arrow(doing))?;
    owned(&gathered).map_err(Error::arrow(doing))
}
