//! What a reader reads next, for those who look ahead.

use super::reader::Reader;
use crate::store::lookahead::{Coming, Scan};
use crate::store::lookup::Found;

impl Scan for Reader {
    fn at_or_after(&self, batch: usize) -> Option<usize> {
        self.view.selection().at_or_after(batch)
    }

    fn coming(&self, batch: usize) -> Coming<'_> {
        let selection = self.view.selection();
        let store = self.view.store();
        let Some(open) = self.open_filters(batch) else {
            return Coming::Skip;
        };
        let Ok(Found::Stored(mut stored)) = store.find(batch) else {
            return Coming::End;
        };
        if stored.rows.first >= selection.rows().end {
            return Coming::End;
        }
        if !selection.shows(stored.rows) {
            return Coming::Skip;
        }
        if self.from_log && store.prefer_log(&mut stored).is_err() {
            return Coming::End;
        }
        Coming::Read(stored, self.view.needed(&open))
    }
}
