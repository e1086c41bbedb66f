//! Arrays that arrow-rs would not read as they are, shown as it reads them.
//!
//! - An array of nulls has no buffers; Polars gives it one, which arrow-rs takes for an error.
//! - Offsets of no values may be missing, or a buffer of no bytes, as writers of before Arrow 0.15 left
//!   them; arrow-rs reads the first one all the same.
//!
//! A shadow is a copy of the structures, not of the values: what belongs to the producer is not changed. The
//! top of every array has one, so that it is released as [`Owned`] releases it.
#![expect(unsafe_code, reason = "an array of C is a tree of pointers")]

use std::ffi::c_void;
use std::ptr;

use arrow_array::ffi::FFI_ArrowArray;
use arrow_schema::DataType;

use super::owned::Owned;

/// `ArrowArray` of the C data interface, whose fields arrow-rs keeps to itself.
#[derive(Clone)]
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

/// One offset of each width.
static NO_OFFSET: [u64; 1] = [0];

/// What a shadow consists of, and the array that it shows.
struct Shadow {
    original: Option<Owned>,
    // One behind each box, so that none moves when there are more.
    nodes: Vec<Box<[CArray]>>,
    buffers: Vec<Box<[*const c_void]>>,
    children: Vec<Box<[*mut CArray]>>,
}

/// A shadow of the array, which arrow-rs reads as it is.
///
/// # Safety
/// The array is valid and of this type.
pub(super) unsafe fn shadowed(array: FFI_ArrowArray, data_type: &DataType) -> FFI_ArrowArray {
    let root = (&raw const array).cast::<CArray>();
    let mut shadow = Shadow {
        original: None,
        nodes: Vec::new(),
        buffers: Vec::new(),
        children: Vec::new(),
    };
    // SAFETY: as the caller promises; invariant 5.
    let top = if unsafe { needs_shadow(root, data_type) } {
        // SAFETY: as the caller promises; invariant 5.
        unsafe { shadow.add(root, data_type) }
    } else {
        root.cast_mut()
    };
    // SAFETY: this is the array, or a node of the shadow, and both live until the shadow is released.
    let mut top = unsafe { (*top).clone() };
    shadow.original = Some(Owned::new(array));
    let shadow = Box::into_raw(Box::new(shadow));
    top.release = Some(release);
    top.private_data = shadow.cast();
    // SAFETY: invariant 5, and the release callback frees what this refers to.
    unsafe { FFI_ArrowArray::from_raw((&raw mut top).cast()) }
}

/// # Safety
/// `array` is a shadow that is not released.
unsafe extern "C" fn release(array: *mut CArray) {
    // SAFETY: the caller passes a shadow that is not released.
    let array = unsafe { &mut *array };
    array.release = None;
    // SAFETY: made by `shadowed` with `Box::into_raw`, and freed only here.
    let shadow = unsafe { Box::from_raw(array.private_data.cast::<Shadow>()) };
    // A panic while dropping must not reach C.
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(shadow)));
}

/// Whether some array in this one has to be shown otherwise.
///
/// # Safety
/// `array` is null or points to a valid array of this type.
unsafe fn needs_shadow(array: *const CArray, data_type: &DataType) -> bool {
    // SAFETY: as the caller promises.
    let Some(array) = (unsafe { array.as_ref() }) else {
        return false;
    };
    if array.has_no_offset(data_type) || (data_type == &DataType::Null && array.n_buffers != 0) {
        return true;
    }
    if let DataType::Dictionary(_, values) = data_type {
        // SAFETY: the dictionary of a valid array is one, of the type of the values.
        return unsafe { needs_shadow(array.dictionary, values) };
    }
    let types = children(data_type);
    // SAFETY: as the caller promises.
    let pointers = unsafe { array.children() };
    pointers.iter().zip(types).any(|(child, data_type)| {
        // SAFETY: each child is a valid array of the type that stands here.
        unsafe { needs_shadow(*child, data_type) }
    })
}

impl Shadow {
    /// Adds a copy of the array and of all in it, and returns where it is.
    ///
    /// # Safety
    /// `array` is null or points to a valid array of this type.
    unsafe fn add(&mut self, array: *const CArray, data_type: &DataType) -> *mut CArray {
        // SAFETY: as the caller promises.
        let Some(original) = (unsafe { array.as_ref() }) else {
            return ptr::null_mut();
        };
        let mut node = original.clone();
        node.release = None;
        node.private_data = ptr::null_mut();
        if data_type == &DataType::Null {
            node.n_buffers = 0;
        } else if original.has_no_offset(data_type) {
            // SAFETY: as the caller promises.
            let mut buffers = unsafe { original.buffers() }.to_vec();
            if let Some(offsets) = buffers.get_mut(1) {
                *offsets = NO_OFFSET.as_ptr().cast();
            }
            self.buffers.push(buffers.into_boxed_slice());
            if let Some(buffers) = self.buffers.last_mut() {
                node.buffers = buffers.as_mut_ptr();
            }
        }
        if let DataType::Dictionary(_, values) = data_type
            && !original.dictionary.is_null()
        {
            // SAFETY: the dictionary of a valid array is one, of the type of the values.
            node.dictionary = unsafe { self.add(original.dictionary, values) };
        }
        let types = children(data_type);
        // SAFETY: as the caller promises.
        let pointers = unsafe { original.children() };
        if !pointers.is_empty() && pointers.len() == types.len() {
            let copies: Vec<*mut CArray> = pointers
                .iter()
                .zip(types)
                // SAFETY: each child is a valid array of the type that stands here.
                .map(|(child, data_type)| unsafe { self.add(*child, data_type) })
                .collect();
            self.children.push(copies.into_boxed_slice());
            if let Some(copies) = self.children.last_mut() {
                node.children = copies.as_mut_ptr();
            }
        }
        self.nodes.push(Box::from([node]));
        let added = self.nodes.last_mut();
        added.map_or(ptr::null_mut(), |node| node.as_mut_ptr())
    }
}

impl CArray {
    /// Whether this has offsets of no values, of which none needs to be there.
    fn has_no_offset(&self, data_type: &DataType) -> bool {
        self.length == 0
            && self.offset == 0
            && self.n_buffers > 1
            && matches!(
                data_type,
                DataType::Utf8
                    | DataType::LargeUtf8
                    | DataType::Binary
                    | DataType::LargeBinary
                    | DataType::List(_)
                    | DataType::LargeList(_)
                    | DataType::Map(_, _)
            )
    }

    /// # Safety
    /// The array is valid.
    unsafe fn children(&self) -> &[*mut Self] {
        let count = usize::try_from(self.n_children).unwrap_or(0);
        if count == 0 || self.children.is_null() {
            return &[];
        }
        // SAFETY: a valid array has as many pointers to children as it says.
        unsafe { std::slice::from_raw_parts(self.children, count) }
    }

    /// # Safety
    /// The array is valid.
    unsafe fn buffers(&self) -> &[*const c_void] {
        let count = usize::try_from(self.n_buffers).unwrap_or(0);
        if count == 0 || self.buffers.is_null() {
            return &[];
        }
        // SAFETY: a valid array has as many pointers to buffers as it says.
        unsafe { std::slice::from_raw_parts(self.buffers, count) }
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
