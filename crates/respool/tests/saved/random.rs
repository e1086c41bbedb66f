//! Random views of random batches.

use respool::{Cache, Uninterrupted, View};

use super::trees::{batch_of, tree};
use super::values::{Column, Random};

/// A view of a cache of which some batches may be stored.
pub(crate) fn view(random: &mut Random) -> (Cache, View) {
    let rows = 1 + random.below(40);
    let columns: Vec<Column> = (0..=random.below(4))
        .map(|_| Column::random(random, rows))
        .collect();
    let batch = batch_of(&columns);
    let mut batches = Vec::new();
    let mut from = 0;
    while from < rows {
        let len = (1 + random.below(12)).min(rows - from);
        batches.push(batch.slice(from, len));
        from += len;
    }
    let count = batches.len();
    let cache = super::cache_of(batches);
    let mut view = cache.view();
    for _ in 0..random.below(5) {
        let cut = match random.below(6) {
            0 | 1 => {
                let depth = random.below(5);
                let predicate = tree(random, &columns, depth).predicate(&cache.schema());
                // Only of the cache's own columns, which the tree is over.
                (view.schema() == cache.schema())
                    .then(|| view.filter(&predicate).ok())
                    .flatten()
            }
            2 => {
                let last = view.schema().fields().len();
                let shown: Vec<usize> = (0..random.below(3))
                    .map(|_| random.below(last.max(1)))
                    .collect();
                view.select_indexes(&shown).ok()
            }
            3 => {
                let (offset, length) = (random.below(rows), random.below(rows));
                let length = random.chance(70).then_some(length as u64);
                Some(view.slice(offset as u64, length))
            }
            4 => {
                let listed: Vec<usize> = (0..count).filter(|_| random.chance(30)).collect();
                view.batches(&listed, random.below(count + 2)).ok()
            }
            _ => {
                let stored = random.below(count);
                cache.view().batch(stored, &Uninterrupted).unwrap();
                if random.chance(50) {
                    view.prefix().ok()
                } else {
                    view.stride(random.below(2), 2).ok()
                }
            }
        };
        view = cut.unwrap_or(view);
    }
    (cache, view)
}
