//! Columns that are not plain: gathered by the kernels of Arrow, and made to share nothing.

use arrow_array::{Array, ArrayRef};

use super::shape::check_large;
use super::window::Picked;
use crate::error::{Error, Result};
use crate::pack::owned;

/// Rows from which on is looked whether the system has the memory for them: that costs a little for each array.
const MANY: usize = 1 << 14;

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
    if indices.len() >= MANY {
        check_large(indices.len() as u64, bytes_of(&arrays, &indices))?;
    }
    let doing = "cannot gather rows";
    let gathered = arrow_select::interleave::interleave(&arrays, &indices);
    let gathered = gathered.map_err(Error::arrow(doing))?;
    owned(&gathered).map_err(Error::arrow(doing))
}

/// Bytes that these rows take, about: an allocation that fails ends the process.
fn bytes_of(arrays: &[&dyn Array], indices: &[(usize, usize)]) -> u128 {
    let mut rows = vec![0u64; arrays.len()];
    for (array, _) in indices {
        rows[*array] += 1;
    }
    let each = arrays.iter().zip(rows).map(|(array, rows)| {
        // Of a type whose size nobody can say, its own is looked at where it is gathered.
        let bytes = array.to_data().get_slice_memory_size().unwrap_or(0) as u128;
        bytes * u128::from(rows) / array.len().max(1) as u128
    });
    each.sum()
}
