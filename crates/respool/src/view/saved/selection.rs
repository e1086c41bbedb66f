//! Selections in bytes. Listed batches are what each is above the one before it.

use super::super::selection::{Batches, Selection, Steps};
use crate::error::{Error, Result};
use crate::saved::{Decoder, Encoder, damaged};

const ALL: u8 = 0;
const RANGE: u8 = 1;
const LIST: u8 = 2;
/// A list, and behind it every so-manieth.
const LIST_THEN: u8 = 3;

impl Selection {
    pub(super) fn save(&self, out: &mut Encoder) -> Result<()> {
        match self.selected() {
            Batches::All => out.byte(ALL),
            Batches::Range(range) => {
                out.byte(RANGE);
                out.range(&(range.start as u64..range.end as u64));
            }
            Batches::List { listed, then } => {
                out.byte(if then.is_some() { LIST_THEN } else { LIST });
                let mut above = 0;
                out.list(listed.iter(), |out, batch| {
                    let step = batch.checked_sub(above);
                    out.size(step.ok_or_else(|| {
                        Error::invalid("cannot save a view of batches that are not in order")
                    })?);
                    above = *batch;
                    Ok(())
                })?;
                if let Some(Steps { from, step }) = then {
                    out.size(*from);
                    out.size(*step);
                }
            }
        }
        out.range(&self.rows());
        Ok(())
    }

    pub(super) fn restored(from: &mut Decoder<'_>) -> Result<Self> {
        let no_number = || damaged("a batch has no number that this computer counts to");
        let batches = match from.byte()? {
            ALL => Batches::All,
            RANGE => {
                let range = from.range()?;
                let number = |at: u64| usize::try_from(at).map_err(|_| no_number());
                Batches::Range(number(range.start)?..number(range.end)?)
            }
            kind @ (LIST | LIST_THEN) => {
                let mut above = 0_usize;
                let listed = from.list(|from| {
                    above = above.checked_add(from.size()?).ok_or_else(no_number)?;
                    Ok(above)
                })?;
                let then = (kind == LIST_THEN).then(|| steps(from, listed.last()));
                Batches::List {
                    then: then.transpose()?,
                    listed: listed.into(),
                }
            }
            _ => return Err(damaged("they select batches in no known way")),
        };
        Ok(Self::of(batches, from.range()?))
    }
}

fn steps(decoder: &mut Decoder<'_>, listed: Option<&usize>) -> Result<Steps> {
    let (from, step) = (decoder.size()?, decoder.size()?);
    if step > 0 && listed.is_none_or(|last| *last < from) {
        Ok(Steps { from, step })
    } else {
        Err(damaged("they select batches out of order"))
    }
}
