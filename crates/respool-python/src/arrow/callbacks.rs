//! The callbacks of exported streams. They may be called attached or not, by any thread.
#![expect(unsafe_code, reason = "callbacks of C are given raw pointers")]

use std::ffi::{CString, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::RecordBatch;
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use pyo3::prelude::*;
use respool::{Error, Interrupt, Polled, Reader};

use super::export::ffi_batch;
use crate::attach::{attached, enter};
use crate::error::{EIO, ToldC, c_error};
use crate::exit::SHUTTING_DOWN;
use crate::signals::{Signals, are_due, swallowed};

/// What an exported stream has of its own.
pub(super) struct Export {
    reader: Reader,
    /// Shows the garbage collector what the source has of Python; lives as long as the stream.
    owner: Option<Py<PyAny>>,
    last_error: Option<CString>,
}

impl Export {
    pub(super) fn new(reader: Reader, owner: Option<Py<PyAny>>) -> Self {
        Self {
            reader,
            owner,
            last_error: None,
        }
    }

    fn next(&mut self) -> Result<Option<RecordBatch>, ToldC> {
        match self.reader.poll() {
            Ok(Polled::Batch(batch)) => Ok(Some(batch)),
            Ok(Polled::End) => Ok(None),
            // Errors are told and dropped inside: one may hold an exception of Python.
            Ok(Polled::Pending) => {
                let reader = &mut self.reader;
                let mut pull = || {
                    if are_due() {
                        Signals.check().map_err(Error::Interrupted)?;
                    }
                    reader.pull_batch(&Signals)
                };
                enter(|| pull().map_err(|error| c_error(&error)))
                    .unwrap_or_else(|| Err(c_error(&Error::Interrupted(SHUTTING_DOWN.into()))))
            }
            Err(error) => Err(c_error(&error)),
        }
    }

    fn fail(&mut self, errno: c_int, text: &str) -> c_int {
        // A NUL would end the text early: C has no way to carry it.
        self.last_error = CString::new(text.replace('\0', "")).ok();
        errno
    }

    /// Runs a callback's work; a panic is an error.
    fn guard<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, (c_int, String)>,
    ) -> Result<T, c_int> {
        let done = catch_unwind(AssertUnwindSafe(|| work(self)));
        let done =
            done.unwrap_or_else(|_| Err((EIO, "respool panicked; please report this".to_owned())));
        done.map_err(|(errno, text)| self.fail(errno, &text))
    }

    /// Lets everything go, waiting for the GIL only where foreign code has to be run, or Python.
    fn end(self) {
        if let Some(remains) = self.reader.retire() {
            let mut remains = Some(remains);
            if enter(|| drop(remains.take())).is_none() {
                // Python is ending: it goes with the process.
                Box::leak(Box::new(remains));
            }
        }
        if let Some(owner) = self.owner {
            let mut owner = Some(owner);
            // As a stream of pyarrow over Python does: the GIL is waited for.
            if enter(|| attached(|_| drop(owner.take())))
                .flatten()
                .is_none()
            {
                Box::leak(Box::new(owner));
            }
        }
    }
}

/// # Safety
/// `stream` is a stream that `export_stream` made and nobody released.
unsafe fn export_of<'a>(stream: *mut FFI_ArrowArrayStream) -> &'a mut Export {
    // SAFETY: by the caller's promise the stream is initialised.
    let private_data = unsafe { &*stream }.private_data();
    // SAFETY: invariant 4; the interface forbids concurrent calls, so the borrow is the only one.
    unsafe { &mut *private_data.cast::<Export>() }
}

pub(super) unsafe extern "C" fn get_schema(
    stream: *mut FFI_ArrowArrayStream,
    out: *mut FFI_ArrowSchema,
) -> c_int {
    // SAFETY: called through the callback table of our own stream.
    let export = unsafe { export_of(stream) };
    let exported = export.guard(|export| {
        FFI_ArrowSchema::try_from(&*export.reader.schema())
            .map_err(|error| (EIO, error.to_string()))
    });
    match exported {
        Ok(schema) => {
            // SAFETY: the caller gives room for a schema, which holds nothing to release yet.
            unsafe { out.write(schema) };
            0
        }
        Err(code) => code,
    }
}

pub(super) unsafe extern "C" fn get_next(
    stream: *mut FFI_ArrowArrayStream,
    out: *mut FFI_ArrowArray,
) -> c_int {
    // SAFETY: called through the callback table of our own stream.
    let export = unsafe { export_of(stream) };
    let next = export.guard(|export| match export.next() {
        Ok(Some(batch)) => Ok(ffi_batch(batch)),
        Ok(None) => Ok(FFI_ArrowArray::empty()),
        Err(told) => {
            if told.is_interrupt {
                swallowed();
            }
            Err((told.errno, told.text))
        }
    });
    match next {
        Ok(array) => {
            // SAFETY: the caller gives room for an array, which holds nothing to release yet.
            unsafe { out.write(array) };
            0
        }
        Err(code) => code,
    }
}

pub(super) unsafe extern "C" fn get_last_error(stream: *mut FFI_ArrowArrayStream) -> *const c_char {
    // SAFETY: called through the callback table of our own stream.
    let export = unsafe { export_of(stream) };
    export
        .last_error
        .as_ref()
        .map_or(std::ptr::null(), |text| text.as_ptr())
}

pub(super) unsafe extern "C" fn release(stream: *mut FFI_ArrowArrayStream) {
    // SAFETY: the caller passes a stream of ours that is not released.
    let stream = unsafe { &mut *stream };
    let private_data = stream.private_data();
    // SAFETY: a stream without a release callback counts as released.
    unsafe { stream.set_release(None) };
    // SAFETY: invariant 4: made by Box::into_raw, and freed only here.
    let export = unsafe { Box::from_raw(private_data.cast::<Export>()) };
    // A panic while dropping must not reach C.
    let _ = catch_unwind(AssertUnwindSafe(|| export.end()));
}
