//! Values picked out of an array.

use arrow_array::{Array, ArrayRef, make_array};
use arrow_data::transform::MutableArrayData;

use crate::Result;

/// Copies ranges of an array one after the other.
pub(super) fn gather(values: &ArrayRef, pieces: &[(usize, usize)]) -> Result<ArrayRef> {
    let data = values.to_data();
    let len = pieces.iter().map(|(start, end)| end - start).sum();
    let mut gathered = MutableArrayData::new(vec![&data], false, len);
    for &(start, end) in pieces {
        gathered.try_extend(0, start, end)?;
    }
    Ok(make_array(gathered.freeze()))
}
