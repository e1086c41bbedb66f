//! Sets of answers that rows may give, and how the connectives combine them.

/// How many rows of a batch pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Every row passes.
    All,
    /// No row passes.
    None,
    /// Nobody knows without looking.
    Some,
}

/// The answers that some row of a batch may give, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answers(u8);

impl Answers {
    pub(super) const NOTHING: Self = Self(0);
    pub(super) const TRUE: Self = Self(1);
    pub(super) const FALSE: Self = Self(2);
    pub(super) const NULL: Self = Self(4);
    pub(super) const ANYTHING: Self = Self(7);

    pub(super) fn of(may_be_true: bool, may_be_false: bool) -> Self {
        Self(u8::from(may_be_true) | (u8::from(may_be_false) << 1))
    }

    pub(super) fn certain(answer: bool) -> Self {
        if answer { Self::TRUE } else { Self::FALSE }
    }

    pub(super) fn or_else(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::NOTHING }
    }

    pub(super) fn has(self, answer: Self) -> bool {
        self.0 & answer.0 != 0
    }

    pub(super) fn negated(self) -> Self {
        Self(((self.0 & 1) << 1) | ((self.0 & 2) >> 1) | (self.0 & 4))
    }

    /// True where both are, false where one is, else null.
    pub(super) fn and(self, other: Self) -> Self {
        if self == Self::NOTHING || other == Self::NOTHING {
            return Self::NOTHING;
        }
        let both = self.0 & other.0 & 1;
        let either = (self.0 | other.0) & 2;
        // Null meets null or true.
        let unfalse = |a: Self| a.0 & 5 != 0;
        let null =
            (self.has(Self::NULL) && unfalse(other)) || (other.has(Self::NULL) && unfalse(self));
        Self(both | either | (u8::from(null) << 2))
    }

    pub(super) fn or(self, other: Self) -> Self {
        self.negated().and(other.negated()).negated()
    }

    pub(super) fn verdict(self) -> Verdict {
        if !self.has(Self::TRUE) {
            Verdict::None
        } else if self == Self::TRUE {
            Verdict::All
        } else {
            Verdict::Some
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Answers;

    const SINGLE: [(Answers, Option<bool>); 3] = [
        (Answers::TRUE, Some(true)),
        (Answers::FALSE, Some(false)),
        (Answers::NULL, None),
    ];

    /// The answers of sets are the answers of all pairs of their members.
    #[test]
    fn connectives_follow_three_valued_logic() {
        let kleene_and = |a: Option<bool>, b: Option<bool>| match (a, b) {
            (Some(false), _) | (_, Some(false)) => Answers::FALSE,
            (Some(true), Some(true)) => Answers::TRUE,
            _ => Answers::NULL,
        };
        for a in 0..8 {
            for b in 0..8 {
                let (mut and, mut or) = (Answers::NOTHING, Answers::NOTHING);
                for (left, x) in SINGLE
                    .into_iter()
                    .filter(|(answer, _)| Answers(a).has(*answer))
                {
                    for (right, y) in SINGLE
                        .into_iter()
                        .filter(|(answer, _)| Answers(b).has(*answer))
                    {
                        and = and.or_else(kleene_and(x, y));
                        or = or.or_else(kleene_and(x.map(|x| !x), y.map(|y| !y)).negated());
                        assert_eq!(left.negated().negated(), left);
                        assert_eq!(right.and(right), right);
                    }
                }
                assert_eq!(Answers(a).and(Answers(b)), and, "{a} and {b}");
                assert_eq!(Answers(a).or(Answers(b)), or, "{a} or {b}");
            }
        }
    }
}
