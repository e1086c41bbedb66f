//! Epochs: the rows of a cache in a new order each time, in steps of the same size, for training.
//!
//! # The order
//!
//! Every epoch has one global order of the rows, which depends on the data, the seed and the number of the epoch,
//! and on nothing else: not on how many ranks read it, nor on threads. Step `g` of `batch_size` rows `B` has rows
//! `gB .. (g + 1)B` of that order, and rank `r` of `n` the rows `r * B / n .. (r + 1) * B / n` of each step. So the
//! place in an epoch is a number of rows, and can be taken up by another number of ranks.
//!
//! A place that was saved has to mean the same to every later version. So this is frozen, and held by tests:
//!
//! 1. *Batches* are those that the view shows rows of, in the order of the source, numbered from 0.
//! 2. *The key* of an epoch is 32 bytes: the 16 of the identity, the seed and the number of the epoch, both as
//!    64-bit little-endian numbers. The identity is that of the log; without a log that is kept it is
//!    computed from the names of the cache's columns (see [`identity`](self::identity)).
//! 3. *Draws* come from the keystream of `ChaCha` with 8 rounds under that key, with a nonce of 8 bytes that is a
//!    stream number, little-endian, and a block counter of 64 bits from 0: its 32-bit words, one after the other.
//!    A number below `n` is drawn as `x * n / 2^32` for the next word `x`, unless `x * n mod 2^32` is less than
//!    `2^32 mod n`: then with the word after that (Lemire).
//! 4. *Shuffling* a list is Fisher-Yates from its end: for `i` from the last down to 1, entry `i` changes places
//!    with entry `j`, drawn below `i + 1`.
//! 5. `"window"`: the numbers of the batches are shuffled with stream 0. Every `window` of them, in that order,
//!    are a window (the last may have fewer), and its rows, those of its first batch first, are shuffled with stream
//!    1 + the number of the window. `"batches"`: the batches are shuffled as before, their rows stay in order.
//!    Without shuffling, and in the first epoch of what is followed, the order is that of the source.
//! 6. With tail *pad* the last step is filled up from the beginning of the epoch's order, as often as
//!    needed; with *drop* rows that fill no step are left out.
//!
//! # Memory
//!
//! Sixteen bytes a batch for the index, and four for its place in the order; the rows of one window are shuffled at a
//! time, at eight bytes a row. Of the batches of a window, what is in a mapped log takes none; what has to be decoded
//! is there once.

mod columns;
mod facade;
mod gather;
mod identity;
mod index;
mod layout;
mod making;
mod options;
mod order;
mod others;
mod plan;
mod room;
mod shape;
mod state;
mod steps;
mod take;
mod window;

pub use self::facade::Epochs;
pub use self::layout::{Layout, Place};
pub use self::options::{EpochOptions, Shuffle, Tail};
pub use self::shape::{Form, Made};
pub use self::state::State;
pub use self::steps::Steps;
