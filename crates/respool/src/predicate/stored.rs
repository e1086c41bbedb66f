//! Proofs over zones that are computed when a predicate first needs them.

use std::ops::Range;

use arrow_array::ArrayRef;

use super::answers::Verdict;
use super::language::Predicate;
use crate::values::Term;
use crate::zones::ZoneMaps;

impl Predicate {
    /// One verdict for each batch of the range.
    ///
    /// `load` fetches one top-level column of one batch. It is called without a lock held, and only for batches that
    /// the zones at hand leave undecided, column after column in the order the predicate names them.
    ///
    /// # Errors
    /// Those of `load`; zones computed before stay.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use arrow_array::{ArrayRef, Int32Array};
    /// use arrow_schema::{DataType, Field, Schema};
    /// use respool::predicate::{Operator, Predicate, Scalar, Term, Verdict};
    /// use respool::zones::ZoneMaps;
    ///
    /// let schema = Schema::new(vec![Field::new("id", DataType::Int32, false)]);
    /// let id = Term::new(&schema, 0, &[]).unwrap();
    /// let predicate = Predicate::compare(id, Operator::Ge, &Scalar::from(150));
    ///
    /// let zones = ZoneMaps::new();
    /// let load = |batch: usize, _column: usize| {
    ///     let start = i32::try_from(batch).unwrap() * 100;
    ///     Ok::<_, arrow_schema::ArrowError>(Arc::new(Int32Array::from_iter_values(start..start + 100)) as ArrayRef)
    /// };
    /// let verdicts = predicate.prove_stored(&zones, 0..3, &load)?;
    /// assert_eq!(verdicts, [Verdict::None, Verdict::Some, Verdict::All]);
    /// # Ok::<_, arrow_schema::ArrowError>(())
    /// ```
    pub fn prove_stored<E>(
        &self,
        zones: &ZoneMaps,
        batches: Range<usize>,
        load: &dyn Fn(usize, usize) -> Result<ArrayRef, E>,
    ) -> Result<Vec<Verdict>, E> {
        let mut terms: Vec<&Term> = Vec::new();
        for term in self.terms() {
            if !terms
                .iter()
                .any(|other| other.column() == term.column() && other.path() == term.path())
            {
                terms.push(term);
            }
        }
        let mut columns: Vec<usize> = Vec::new();
        for term in &terms {
            if !columns.contains(&term.column()) {
                columns.push(term.column());
            }
        }
        let mut verdicts = Vec::new();
        if columns.is_empty() {
            verdicts = self.prove_all(&*zones.known(), batches.clone());
        }
        for column in columns {
            let terms = || terms.iter().filter(move |term| term.column() == column);
            let missing: Vec<usize> = {
                // Verdicts and missing zones from one look: another thread may add zones between two.
                let known = zones.known();
                verdicts = self.prove_all(&*known, batches.clone());
                let undecided = batches
                    .clone()
                    .zip(&verdicts)
                    .filter(|(_, verdict)| **verdict == Verdict::Some);
                undecided
                    .map(|(batch, _)| batch)
                    .filter(|&batch| {
                        terms().any(|term| known.zone(column, term.path(), batch).is_none())
                    })
                    .collect()
            };
            if missing.is_empty() {
                continue;
            }
            for batch in missing {
                let array = load(batch, column)?;
                for term in terms() {
                    zones.learn(term, batch, &array);
                }
            }
            verdicts = self.prove_all(&*zones.known(), batches.clone());
        }
        Ok(verdicts)
    }
}
