//! Rows of many batches, copied together: plain columns by their bytes.
//!
//! What the kernels of Arrow do for each type, this does for each width, into memory that is there already.

use arrow_buffer::{BooleanBuffer, Buffer};

use super::columns::Nulls;
use super::order::Pick;
use super::window::Picked;

/// Copies rows of `width` bytes, one after the other.
pub(super) fn bytes(out: &mut [u8], width: usize, batches: &[Buffer], picked: &Picked<'_>) {
    match picked {
        Picked::Run(rows) => {
            if let Some(batch) = batches.first() {
                out.copy_from_slice(&batch[rows.start * width..rows.end * width]);
            }
        }
        Picked::Mixed(picks) => match width {
            1 => fixed::<1>(out, batches, picks),
            2 => fixed::<2>(out, batches, picks),
            4 => fixed::<4>(out, batches, picks),
            8 => fixed::<8>(out, batches, picks),
            16 => fixed::<16>(out, batches, picks),
            _ => {
                for (out, pick) in out.chunks_exact_mut(width).zip(*picks) {
                    let start = pick.row as usize * width;
                    out.copy_from_slice(&batches[pick.batch as usize][start..start + width]);
                }
            }
        },
    }
}

/// As [`bytes`], for a width that the compiler knows: each row is a load and a store.
fn fixed<const WIDTH: usize>(out: &mut [u8], batches: &[Buffer], picks: &[Pick]) {
    let (out, _) = out.as_chunks_mut::<WIDTH>();
    for (out, pick) in out.iter_mut().zip(picks) {
        let (rows, _) = batches[pick.batch as usize].as_slice().as_chunks::<WIDTH>();
        *out = rows[pick.row as usize];
    }
}

/// Bits as bytes of 0 and 1.
pub(super) fn bools(out: &mut [u8], batches: &[BooleanBuffer], picked: &Picked<'_>) {
    for (out, pick) in out.iter_mut().zip(picked.each()) {
        *out = u8::from(batches[pick.batch as usize].value(pick.row as usize));
    }
}

/// Adds bits to a list of them.
pub(super) fn bits(out: &mut Vec<bool>, batches: &[BooleanBuffer], picked: &Picked<'_>) {
    out.extend(
        picked
            .each()
            .map(|pick| batches[pick.batch as usize].value(pick.row as usize)),
    );
}

/// Adds to a list whether rows are there.
pub(super) fn valid(out: &mut Vec<bool>, nulls: &Nulls, picked: &Picked<'_>) {
    match nulls.0 {
        None => out.extend(std::iter::repeat_n(true, picked.len())),
        Some(_) => out.extend(
            picked
                .each()
                .map(|pick| nulls.is_valid(pick.batch, pick.row)),
        ),
    }
}
