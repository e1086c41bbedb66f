//! The behaviour of the log, one file per promise.

mod concurrency;
mod dictionaries;
mod faults;
mod limits;
mod model;
mod persistent;
mod projection;
mod round_trip;
mod slices;
mod support;
