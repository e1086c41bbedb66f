//! Dense unions.

use arrow_array::{Array, ArrayRef, UnionArray};
use arrow_buffer::{ArrowNativeType, Buffer, ScalarBuffer};

use super::gather::gather;
use crate::Result;

/// The offsets and the children of a dense union, without the values it does not show.
pub(in crate::encode) fn dense_union(
    union: &UnionArray,
    offsets: &ScalarBuffer<i32>,
) -> Result<Option<(Buffer, Vec<ArrayRef>)>> {
    #[derive(Clone, Copy)]
    struct Used {
        shown: usize,
        start: usize,
        end: usize,
    }
    let slot = |id: i8| usize::from(id.cast_unsigned());
    let mut used = [Used {
        shown: 0,
        start: usize::MAX,
        end: 0,
    }; 256];
    for (&id, &offset) in union.type_ids().iter().zip(offsets.iter()) {
        let at = offset.as_usize();
        if let Some(used) = used.get_mut(slot(id)) {
            used.shown += 1;
            used.start = used.start.min(at);
            used.end = used.end.max(at + 1);
        }
    }
    let whole = union.fields().iter().all(|(id, _)| {
        used.get(slot(id)).is_some_and(|used| {
            used.start.min(used.end) == 0
                && used.end == union.child(id).len()
                && used.shown.saturating_mul(2) >= used.end
        })
    });
    if whole {
        return Ok(None);
    }
    let mut pieces: Vec<Vec<(usize, usize)>> = vec![Vec::new(); 256];
    let mut rebuilt: Vec<i32> = Vec::with_capacity(offsets.len());
    for (&id, &offset) in union.type_ids().iter().zip(offsets.iter()) {
        let at = offset.as_usize();
        let (Some(used), Some(pieces)) = (used.get(slot(id)), pieces.get_mut(slot(id))) else {
            continue;
        };
        if used.shown.saturating_mul(2) < used.end - used.start {
            rebuilt.push(i32::usize_as(pieces.len()));
            pieces.push((at, at + 1));
        } else {
            rebuilt.push(i32::usize_as(at - used.start));
        }
    }
    let mut children = Vec::with_capacity(union.fields().len());
    for (id, _) in union.fields().iter() {
        let child = union.child(id);
        let used = used.get(slot(id)).copied();
        let pieces = pieces.get(slot(id));
        let (Some(used), Some(pieces)) = (used, pieces) else {
            continue;
        };
        children.push(if pieces.is_empty() {
            let start = used.start.min(used.end);
            child.slice(start, used.end - start)
        } else {
            gather(child, pieces)?
        });
    }
    Ok(Some((Buffer::from_vec(rebuilt), children)))
}
