//! The Arrow C interfaces: streams, arrays and schemas in PyCapsules, in and out.
//!
//! The one file of this crate with `unsafe`. What its blocks rely on:
//!
//! 1. A capsule with one of the three names of the Arrow PyCapsule interface points to the structure
//!    that the name stands for, initialised and owned by the capsule until somebody moves it out.
//! 2. A structure that was moved out is marked as released in place, so that nobody releases it twice.
//! 3. The producer of an imported stream keeps to the C stream interface: callbacks that are set may
//!    be called, one at a time, until the stream is released.
//! 4. An exported stream's private data is a `Box<Export>`, set when it is made, freed by its release
//!    callback alone.
//! 5. `FFI_ArrowArray` is the `ArrowArray` of the C data interface, field by field.
//!
//! No panic crosses: everything behind a callback runs in `catch_unwind`.
//!
//! The file is long so that all that is unsafe in this crate is found in one place.
#![expect(
    unsafe_code,
    reason = "the C stream interface is a table of raw function pointers"
)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::Arc;

use arrow_array::RecordBatchIterator;
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi_and_data_type};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::types::{BinaryType, ByteArrayType, LargeBinaryType, LargeUtf8Type, Utf8Type};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, GenericByteArray, PrimitiveArray, RecordBatch,
    StructArray, downcast_primitive, make_array,
};
use arrow_buffer::{
    ArrowNativeType, BooleanBuffer, Buffer, MutableBuffer, NullBuffer, OffsetBuffer, ScalarBuffer,
};
use arrow_data::ArrayData;
use arrow_schema::{DataType, Schema, SchemaRef};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use respool::{BoxError, Polled, Scan, Source};

use crate::error::{EIO, StreamError, c_error};
use crate::shutdown::Pass;
use crate::signals::Signals;

const STREAM: &CStr = c"arrow_array_stream";
const SCHEMA: &CStr = c"arrow_schema";
const ARRAY: &CStr = c"arrow_array";

/// A stream of another library, as a source.
pub(crate) struct ImportedStream {
    /// `None` once released.
    stream: Option<FFI_ArrowArrayStream>,
    schema: SchemaRef,
    /// The type of a whole batch: a struct of the columns.
    rows: DataType,
}

impl ImportedStream {
    /// Moves the stream out of the capsule that `object.__arrow_c_stream__()` gives.
    pub(crate) fn from_object(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let capsule = object.call_method0("__arrow_c_stream__")?;
        let pointer = pointer(&capsule, STREAM)?.cast::<FFI_ArrowArrayStream>();
        // SAFETY: invariant 1: the pointer is to an initialised stream, and invariant 2: from_raw
        // leaves a released one in its place.
        let stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer) };
        if stream.release().is_none() {
            return Err(PyValueError::new_err(
                "this Arrow stream was already consumed",
            ));
        }
        // Asking for the schema may run foreign code that waits: not while attached.
        object
            .py()
            .detach(|| Self::new(stream))
            .map_err(|error| crate::error::source_error(object.py(), &*error))
    }

    fn new(mut stream: FFI_ArrowArrayStream) -> Result<Self, BoxError> {
        let mut schema = FFI_ArrowSchema::empty();
        let Some(get_schema) = stream.get_schema() else {
            return Err(no_callback("get_schema"));
        };
        // SAFETY: invariant 3, and `schema` is a released structure to be filled.
        let code = unsafe { get_schema(&raw mut stream, &raw mut schema) };
        if code != 0 {
            return Err(Box::new(last_error(&mut stream, code)));
        }
        let schema = catch_unwind(|| Schema::try_from(&schema))
            .map_err(|_| "the schema of the Arrow stream can't be read")??;
        let rows = DataType::Struct(schema.fields().clone());
        Ok(Self {
            stream: Some(stream),
            schema: Arc::new(schema),
            rows,
        })
    }
}

impl Source for ImportedStream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        let Some(stream) = &mut self.stream else {
            return Ok(None);
        };
        let Some(get_next) = stream.get_next() else {
            return Err(no_callback("get_next"));
        };
        let mut array = FFI_ArrowArray::empty();
        // SAFETY: invariant 3, and `array` is a released structure to be filled.
        let code = unsafe { get_next(&raw mut *stream, &raw mut array) };
        if code != 0 {
            return Err(Box::new(last_error(stream, code)));
        }
        if array.is_released() {
            return Ok(None);
        }
        let imported = catch_unwind(AssertUnwindSafe(|| {
            let array = match plain_batch(array, &self.schema)? {
                Ok(batch) => return Ok(batch),
                Err(array) => array,
            };
            // SAFETY: invariant 3: the array has the type that the stream's schema says.
            let data = unsafe { array_data(array, &self.rows) }?;
            batch_of(data, &self.schema)
        }));
        imported
            .unwrap_or_else(|_| Err(NOT_OF_ITS_TYPE.into()))
            .map(Some)
    }
}

/// What a panic of arrow-rs in an import means.
const NOT_OF_ITS_TYPE: &str = "an Arrow array is not what its schema says";

impl Drop for ImportedStream {
    fn drop(&mut self) {
        let mut stream = self.stream.take();
        // Releasing runs foreign code, which may wait for a thread that wants to attach.
        Python::try_attach(|py| py.detach(|| drop(stream.take())));
        drop(stream);
    }
}

fn no_callback(name: &str) -> BoxError {
    format!("the Arrow stream has no {name} callback: it was released").into()
}

fn last_error(stream: &mut FFI_ArrowArrayStream, code: c_int) -> StreamError {
    let text = stream.get_last_error().and_then(|get_last_error| {
        // SAFETY: invariant 3; asked right after a call that failed.
        let text = unsafe { get_last_error(&raw mut *stream) };
        if text.is_null() {
            return None;
        }
        // SAFETY: a text that is not null is NUL-terminated and lives until the next call.
        let text = unsafe { CStr::from_ptr(text) };
        Some(text.to_string_lossy().into_owned())
    });
    StreamError {
        errno: code,
        text: text.unwrap_or_default(),
    }
}

/// The data of an imported array.
///
/// An array of nulls has no buffers. Polars gives it one all the same, which arrow-rs takes for an error. So
/// the number is set to 0, where the producer's release callback sees it too: one that goes by the number
/// leaks that buffer. Those of Arrow's own libraries and of Polars have their own books.
///
/// # Safety
/// The array is valid and of this type.
unsafe fn array_data(
    mut array: FFI_ArrowArray,
    data_type: &DataType,
) -> Result<ArrayData, BoxError> {
    if has_type_of_nulls(data_type) {
        // SAFETY: as the caller promises; invariant 5.
        unsafe { drop_buffers_of_nulls((&raw mut array).cast(), data_type) };
    }
    // SAFETY: as the caller promises; an array of nulls needs no buffer.
    Ok(unsafe { from_ffi_and_data_type(array, data_type.clone()) }?)
}

/// `ArrowArray` of the C data interface, whose fields arrow-rs keeps to itself.
#[repr(C)]
struct CArray {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *mut *const c_void,
    children: *mut *mut CArray,
    dictionary: *mut CArray,
    release: Option<unsafe extern "C" fn(*mut CArray)>,
    private_data: *mut c_void,
}

const _: () = assert!(size_of::<CArray>() == size_of::<FFI_ArrowArray>());

/// Whether the type is, or has somewhere in it, the type of nulls.
fn has_type_of_nulls(data_type: &DataType) -> bool {
    match data_type {
        DataType::Null => true,
        DataType::Dictionary(_, values) => has_type_of_nulls(values),
        _ => children(data_type).into_iter().any(has_type_of_nulls),
    }
}

/// The types of the children that an array of this type has.
fn children(data_type: &DataType) -> Vec<&DataType> {
    match data_type {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => vec![field.data_type()],
        DataType::Struct(fields) => fields.iter().map(|field| field.data_type()).collect(),
        DataType::Union(fields, _) => fields.iter().map(|(_, field)| field.data_type()).collect(),
        DataType::RunEndEncoded(ends, values) => vec![ends.data_type(), values.data_type()],
        _ => Vec::new(),
    }
}

/// Says of every array of nulls in this one that it has no buffers.
///
/// # Safety
/// `array` is null or points to a valid array of this type that nobody else looks at.
unsafe fn drop_buffers_of_nulls(array: *mut CArray, data_type: &DataType) {
    // SAFETY: as the caller promises.
    let Some(array) = (unsafe { array.as_mut() }) else {
        return;
    };
    match data_type {
        DataType::Null => array.n_buffers = 0,
        DataType::Dictionary(_, values) => {
            // SAFETY: the dictionary of a valid array is one, of the type of the values.
            unsafe { drop_buffers_of_nulls(array.dictionary, values) };
        }
        _ => {
            let count = usize::try_from(array.n_children).unwrap_or(0);
            if count == 0 || array.children.is_null() {
                return;
            }
            // SAFETY: a valid array has as many pointers to children as it says.
            let pointers = unsafe { std::slice::from_raw_parts(array.children, count) };
            for (child, data_type) in pointers.iter().zip(children(data_type)) {
                // SAFETY: each child is a valid array of the type that stands here.
                unsafe { drop_buffers_of_nulls(*child, data_type) };
            }
        }
    }
}

/// A batch from an imported struct array.
fn batch_of(data: ArrayData, schema: &SchemaRef) -> Result<RecordBatch, BoxError> {
    let rows = StructArray::from(data);
    if rows.null_count() > 0 {
        return Err("a batch of the Arrow stream has rows that are NULL as a whole".into());
    }
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let (_, columns, _) = rows.into_parts();
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &options,
    )?)
}

/// A batch of which every column is of a plain type: numbers, times, strings, binaries.
///
/// The way over `ArrayData` costs allocations for each column, which shows where batches are small. Gives the
/// array back where a column is of another type, or is not aligned as arrow-rs wants it.
fn plain_batch(
    array: FFI_ArrowArray,
    schema: &SchemaRef,
) -> Result<Result<RecordBatch, FFI_ArrowArray>, BoxError> {
    let rows = array.len();
    let fields = schema.fields();
    let is_plain = rows > 0
        && array.offset() == 0
        && array.null_count_opt() == Some(0)
        && array.num_children() == fields.len()
        && fields.iter().all(|field| is_plain(field.data_type()));
    if !is_plain {
        return Ok(Err(array));
    }
    let owner = Arc::new(array);
    let columns: Option<Vec<ArrayRef>> = fields
        .iter()
        .enumerate()
        .map(|(index, field)| plain_column(&owner, index, field.data_type()))
        .collect();
    match columns {
        Some(columns) => {
            let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
            Ok(Ok(RecordBatch::try_new_with_options(
                Arc::clone(schema),
                columns,
                &options,
            )?))
        }
        // The columns made so far are gone, and nothing else holds the array.
        None => match Arc::try_unwrap(owner) {
            Ok(array) => Ok(Err(array)),
            Err(_) => Err("an Arrow array is held twice".into()),
        },
    }
}

fn is_plain(data_type: &DataType) -> bool {
    data_type.is_primitive()
        || matches!(
            data_type,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary
        )
}

/// Column `index` of a struct array of more than no rows; `None` where it has to be imported otherwise.
fn plain_column(
    owner: &Arc<FFI_ArrowArray>,
    index: usize,
    data_type: &DataType,
) -> Option<ArrayRef> {
    let column = Column {
        owner,
        array: owner.child(index),
    };
    macro_rules! primitive {
        ($type:ty) => {
            column.primitive::<$type>(data_type)
        };
    }
    downcast_primitive! {
        data_type => (primitive),
        DataType::Utf8 => column.bytes::<Utf8Type>(),
        DataType::LargeUtf8 => column.bytes::<LargeUtf8Type>(),
        DataType::Binary => column.bytes::<BinaryType>(),
        DataType::LargeBinary => column.bytes::<LargeBinaryType>(),
        _ => None
    }
}

/// A child of a struct array that was imported; its buffers live as long as the struct array.
struct Column<'a> {
    owner: &'a Arc<FFI_ArrowArray>,
    array: &'a FFI_ArrowArray,
}

impl Column<'_> {
    fn primitive<T: ArrowPrimitiveType>(&self, data_type: &DataType) -> Option<ArrayRef> {
        let values = self.values::<T::Native>(1, self.array.len())?;
        let array = PrimitiveArray::<T>::try_new(values, self.nulls()).ok()?;
        Some(Arc::new(array.with_data_type(data_type.clone())))
    }

    fn bytes<T: ByteArrayType>(&self) -> Option<ArrayRef> {
        let offsets = self.values::<T::Offset>(1, self.array.len() + 1)?;
        let values = self.buffer(2, offsets.last()?.to_usize()?, 1)?;
        // SAFETY: invariant 3: offsets of a valid array ascend from a number that is not negative.
        let offsets = unsafe { OffsetBuffer::new_unchecked(offsets) };
        // SAFETY: invariant 3: the offsets lie inside the values, and strings are UTF-8.
        let array = unsafe { GenericByteArray::<T>::new_unchecked(offsets, values, self.nulls()) };
        Some(Arc::new(array))
    }

    /// `len` values behind the array's offset.
    fn values<T: ArrowNativeType>(&self, buffer: usize, len: usize) -> Option<ScalarBuffer<T>> {
        let offset = self.array.offset();
        let bytes = (offset + len).checked_mul(size_of::<T>())?;
        let buffer = self.buffer(buffer, bytes, align_of::<T>())?;
        Some(ScalarBuffer::new(buffer, offset, len))
    }

    /// The validity; `None` where every value is valid.
    fn nulls(&self) -> Option<NullBuffer> {
        if self.array.null_count_opt() == Some(0) {
            return None;
        }
        let (offset, len) = (self.array.offset(), self.array.len());
        // Bits need no alignment, so a buffer that is missing means that it is not there.
        let bits = self.buffer(0, (offset + len).div_ceil(8), 1)?;
        Some(NullBuffer::new(BooleanBuffer::new(bits, offset, len)))
    }

    /// A buffer by its number in the C data interface; `None` where it is not aligned.
    fn buffer(&self, index: usize, bytes: usize, alignment: usize) -> Option<Buffer> {
        if index >= self.array.num_buffers() {
            return None;
        }
        if bytes == 0 {
            return Some(MutableBuffer::new(0).into());
        }
        let pointer = NonNull::new(self.array.buffer(index).cast_mut())?;
        if pointer.align_offset(alignment) != 0 {
            return None;
        }
        let owner: Arc<FFI_ArrowArray> = Arc::clone(self.owner);
        // SAFETY: invariant 3: a buffer has as many bytes as length and offset of its array say, and
        // they stay as they are until the array is released, which the last `owner` does.
        Some(unsafe { Buffer::from_custom_allocation(pointer, bytes, owner) })
    }
}

/// The batch behind `object.__arrow_c_array__()`.
pub(crate) fn import_batch(object: &Bound<'_, PyAny>) -> PyResult<RecordBatch> {
    let (schema, array) = array_capsules(object)?;
    let schema = schema_in(&schema)?;
    imported("batch", || {
        let rows = DataType::Struct(schema.fields().clone());
        // SAFETY: the two capsules come from one call, so the schema describes the array.
        let data = unsafe { array_data(array, &rows) }?;
        batch_of(data, &schema)
    })
}

/// The array behind `object.__arrow_c_array__()`.
pub(crate) fn import_array(object: &Bound<'_, PyAny>) -> PyResult<ArrayRef> {
    let (schema, array) = array_capsules(object)?;
    let pointer = pointer(&schema, SCHEMA)?.cast::<FFI_ArrowSchema>();
    // SAFETY: invariant 1; the capsule outlives this borrow.
    let schema = unsafe { &*pointer };
    imported("array", || {
        // SAFETY: the two capsules come from one call, so the schema describes the array.
        let data = unsafe { array_data(array, &DataType::try_from(schema)?) }?;
        Ok(make_array(data))
    })
}

/// The schema's capsule and the array, moved out of its own.
fn array_capsules<'py>(
    object: &Bound<'py, PyAny>,
) -> PyResult<(Bound<'py, PyAny>, FFI_ArrowArray)> {
    let (schema, array): (Bound<'_, PyAny>, Bound<'_, PyAny>) =
        object.call_method0("__arrow_c_array__")?.extract()?;
    let pointer = pointer(&array, ARRAY)?.cast::<FFI_ArrowArray>();
    // SAFETY: invariants 1 and 2, as for streams.
    let array = unsafe { FFI_ArrowArray::from_raw(pointer) };
    if array.is_released() {
        return Err(PyValueError::new_err(
            "this Arrow array was already consumed",
        ));
    }
    Ok((schema, array))
}

/// Runs an import; a panic of it is an error too.
fn imported<T>(what: &str, import: impl FnOnce() -> Result<T, BoxError>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(import))
        .unwrap_or_else(|_| Err(NOT_OF_ITS_TYPE.into()))
        .map_err(|error| PyValueError::new_err(format!("cannot read this Arrow {what}: {error}")))
}

/// The schema behind `object.__arrow_c_schema__()`.
pub(crate) fn import_schema(object: &Bound<'_, PyAny>) -> PyResult<SchemaRef> {
    if !object.hasattr("__arrow_c_schema__")? {
        return Err(PyTypeError::new_err(format!(
            "a schema is a pyarrow.Schema or another object with __arrow_c_schema__, not {}",
            object.get_type().name()?
        )));
    }
    schema_in(&object.call_method0("__arrow_c_schema__")?)
}

/// The schema in a capsule; the capsule keeps it.
pub(crate) fn schema_in(capsule: &Bound<'_, PyAny>) -> PyResult<SchemaRef> {
    let pointer = pointer(capsule, SCHEMA)?.cast::<FFI_ArrowSchema>();
    // SAFETY: invariant 1; the capsule outlives this borrow.
    let schema = unsafe { &*pointer };
    let schema = catch_unwind(|| Schema::try_from(schema))
        .map_err(|_| PyValueError::new_err("this Arrow schema can't be read"))?
        .map_err(|error| PyValueError::new_err(format!("cannot read an Arrow schema: {error}")))?;
    Ok(Arc::new(schema))
}

fn pointer(capsule: &Bound<'_, PyAny>, name: &CStr) -> PyResult<*mut c_void> {
    let capsule = capsule.cast::<PyCapsule>().map_err(|_| {
        PyTypeError::new_err(format!(
            "expected a PyCapsule named {}",
            name.to_string_lossy()
        ))
    })?;
    Ok(capsule.pointer_checked(Some(name))?.as_ptr())
}

/// A capsule with the schema.
pub(crate) fn export_schema<'py>(
    py: Python<'py>,
    schema: &Schema,
) -> PyResult<Bound<'py, PyCapsule>> {
    PyCapsule::new_with_value(py, ffi_schema(schema)?, SCHEMA)
}

pub(crate) fn ffi_schema(schema: &Schema) -> PyResult<FFI_ArrowSchema> {
    catch_unwind(AssertUnwindSafe(|| FFI_ArrowSchema::try_from(schema)))
        .map_err(|_| {
            PyValueError::new_err("a name in this schema holds a NUL, which C can't carry")
        })?
        .map_err(|error| PyValueError::new_err(format!("cannot export the schema: {error}")))
}

/// The batch as a struct array for C.
pub(crate) fn ffi_batch(batch: RecordBatch) -> FFI_ArrowArray {
    FFI_ArrowArray::new(&StructArray::from(batch).into_data())
}

/// A capsule with a stream that gives what the scan gives.
pub(crate) fn export_stream(
    py: Python<'_>,
    scan: impl Into<Scan>,
) -> PyResult<Bound<'_, PyCapsule>> {
    let scan = scan.into();
    // Found out here rather than in a callback: a schema that C can't carry.
    ffi_schema(&scan.schema())?;
    let export = Box::new(Export {
        scan,
        last_error: None,
    });
    // SAFETY: invariant 4; the callbacks are the four below, which expect exactly this.
    let stream = unsafe {
        FFI_ArrowArrayStream::new_unchecked(
            Some(get_schema),
            Some(get_next),
            Some(get_last_error),
            Some(release),
            Box::into_raw(export).cast(),
        )
    };
    PyCapsule::new_with_value(py, stream, STREAM)
}

/// A capsule with a stream of batches that are at hand.
pub(crate) fn export_batches(
    py: Python<'_>,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
) -> PyResult<Bound<'_, PyCapsule>> {
    ffi_schema(&schema)?;
    let batches = RecordBatchIterator::new(batches.into_iter().map(Ok), schema);
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(batches)), STREAM)
}

struct Export {
    scan: Scan,
    last_error: Option<CString>,
}

impl Export {
    /// The next batch. May be called attached or not, by any thread.
    fn next(&mut self) -> respool::Result<Option<RecordBatch>> {
        match self.scan.poll()? {
            Polled::Batch(batch) => Ok(Some(batch)),
            Polled::End => Ok(None),
            Polled::Pending => {
                let ending = || respool::Error::Interrupted("Python is shutting down".into());
                let Some(_pass) = Pass::ask() else {
                    return Err(ending());
                };
                // Whether this thread is attached can't be known here, so: attach, then detach, then wait.
                Python::try_attach(|py| py.detach(|| self.scan.next_batch(&Signals)))
                    .unwrap_or_else(|| Err(ending()))
            }
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
}

/// # Safety
/// `stream` is a stream that `export_stream` made and nobody released.
unsafe fn export_of<'a>(stream: *mut FFI_ArrowArrayStream) -> &'a mut Export {
    // SAFETY: by the caller's promise the stream is initialised.
    let private_data = unsafe { &*stream }.private_data();
    // SAFETY: invariant 4; the interface forbids concurrent calls, so the borrow is the only one.
    unsafe { &mut *private_data.cast::<Export>() }
}

unsafe extern "C" fn get_schema(
    stream: *mut FFI_ArrowArrayStream,
    out: *mut FFI_ArrowSchema,
) -> c_int {
    // SAFETY: called through the callback table of our own stream.
    let export = unsafe { export_of(stream) };
    let exported = export.guard(|export| {
        FFI_ArrowSchema::try_from(&*export.scan.schema()).map_err(|error| (EIO, error.to_string()))
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

unsafe extern "C" fn get_next(
    stream: *mut FFI_ArrowArrayStream,
    out: *mut FFI_ArrowArray,
) -> c_int {
    // SAFETY: called through the callback table of our own stream.
    let export = unsafe { export_of(stream) };
    let next = export.guard(|export| match export.next() {
        Ok(Some(batch)) => Ok(ffi_batch(batch)),
        Ok(None) => Ok(FFI_ArrowArray::empty()),
        Err(error) => Err(c_error(&error)),
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

unsafe extern "C" fn get_last_error(stream: *mut FFI_ArrowArrayStream) -> *const c_char {
    // SAFETY: called through the callback table of our own stream.
    let export = unsafe { export_of(stream) };
    export
        .last_error
        .as_ref()
        .map_or(std::ptr::null(), |text| text.as_ptr())
}

unsafe extern "C" fn release(stream: *mut FFI_ArrowArrayStream) {
    // SAFETY: the caller passes a stream of ours that is not released.
    let stream = unsafe { &mut *stream };
    let private_data = stream.private_data();
    // SAFETY: a stream without a release callback counts as released.
    unsafe { stream.set_release(None) };
    // SAFETY: invariant 4: made by Box::into_raw, and freed only here.
    let export = unsafe { Box::from_raw(private_data.cast::<Export>()) };
    // A panic while dropping must not reach C.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(export)));
}
