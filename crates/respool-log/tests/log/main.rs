//! The behaviour of the log, one file per promise.
#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at the first surprise, in its helpers too"
)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the numbers of the tests are small"
)]

mod anything;
mod asked;
mod beginnings;
mod child;
mod cold;
mod concurrency;
mod damage;
mod descriptors;
mod dictionaries;
mod durability;
mod faults;
mod forged;
mod forks;
mod golden;
mod kills;
mod limits;
mod model;
mod persistent;
mod power;
mod projection;
mod quota;
mod removal;
mod reopened;
mod resumed;
mod round_trip;
mod slices;
mod support;
mod tails;
mod whole;
