// A complete plugin in Rust, without a crate: upper case, one record after another.
//
// The structs below are those of stage.h, version 1, whose layout is frozen. Function pointers that this plugin does not
// call are written as plain pointers; they keep their places.
use std::ffi::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::null;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Bytes {
    data: *const u8,
    size: usize,
}

#[repr(C)]
pub struct Record {
    id: u64,
    key: Bytes,
    value: Bytes,
}

#[repr(C)]
pub struct Batch {
    struct_size: u32,
    count: u32,
    sequence: u64,
    attempt: u32,
    flags: u32,
    records: *const Record,
}

#[repr(C)]
pub struct Host {
    struct_size: u32,
    protocol_version: u32,
    context: *const c_void,
    stage_name: Bytes,
    config: Bytes,
    checkpoint: Bytes,
    worker_index: u32,
    worker_count: u32,
    shard_index: u32,
    shard_count: u32,
    threads: u32,
    reserved: u32,
    log: *const c_void,
    config_string: unsafe extern "C" fn(*const Host, *const c_char, *mut Bytes) -> i32,
    config_integer: *const c_void,
    config_number: *const c_void,
    config_boolean: *const c_void,
    config_count: *const c_void,
    heartbeat: *const c_void,
    cancelled: *const c_void,
    fail_open: unsafe extern "C" fn(*const Host, Bytes),
    // One more member follows, which this plugin does not use.
}

#[repr(C)]
pub struct Output {
    struct_size: u32,
    reserved: u32,
    context: *const c_void,
    emit: unsafe extern "C" fn(*const Output, u32, Bytes, Bytes) -> i32,
    reserve: *const c_void,
    commit: *const c_void,
    fail: unsafe extern "C" fn(*const Output, u32, u32, Bytes, u32) -> i32,
    fail_source: *const c_void,
    begin: unsafe extern "C" fn(*const Output, u32) -> i32,
    done: unsafe extern "C" fn(*const Output, u32) -> i32,
    // More members follow, which this plugin does not use.
}

#[repr(C)]
pub struct Plugin {
    struct_size: u32,
    kind: u32,
    flags: u32,
    max_workers: u32,
    id: *const u8,
    version: *const u8,
    description: *const u8,
    config_schema: *const u8,
    open: unsafe extern "C" fn(*const Host, *mut *mut c_void) -> i32,
    read: *const c_void,
    process: unsafe extern "C" fn(*mut c_void, *const Batch, *const Output) -> i32,
    sync: *const c_void,
    finish: *const c_void,
    close: unsafe extern "C" fn(*mut c_void),
}

// The table is never changed, and its strings are literals.
unsafe impl Sync for Plugin {}

const KIND_TRANSFORM: u32 = 2;
const FLAG_RECORD_BY_RECORD: u32 = 2;
const OK: i32 = 0;
const FATAL: i32 = 3;
const ERROR_TYPE: i32 = -6;
const FAILURE_PERMANENT: u32 = 2;

struct Shout {
    suffix: Vec<u8>,
}

impl Shout {
    fn process(&self, value: &[u8]) -> Result<Vec<u8>, &'static str> {
        if value.is_empty() {
            return Err("there is nothing to shout");
        }
        let mut loud = value.to_ascii_uppercase();
        loud.extend_from_slice(&self.suffix);
        Ok(loud)
    }
}

fn bytes(slice: &[u8]) -> Bytes {
    Bytes { data: slice.as_ptr(), size: slice.len() }
}

/// The bytes as a slice. Absent ones have no address, which a slice must not have.
unsafe fn slice<'a>(bytes: Bytes) -> &'a [u8] {
    if bytes.data.is_null() { &[] } else { std::slice::from_raw_parts(bytes.data, bytes.size) }
}

unsafe extern "C" fn open(host: *const Host, me: *mut *mut c_void) -> i32 {
    let mut suffix = Bytes { data: null(), size: 0 };
    if ((*host).config_string)(host, b"suffix\0".as_ptr().cast(), &mut suffix) == ERROR_TYPE {
        ((*host).fail_open)(host, bytes(b"suffix: expected a string"));
        return FATAL;
    }
    *me = Box::into_raw(Box::new(Shout { suffix: slice(suffix).to_vec() })).cast();
    OK
}

unsafe extern "C" fn process(me: *mut c_void, batch: *const Batch, output: *const Output) -> i32 {
    let shout = &*me.cast::<Shout>();
    for index in 0..(*batch).count {
        let record = &*(*batch).records.add(index as usize);
        ((*output).begin)(output, index);
        // No panic may cross the border.
        match catch_unwind(AssertUnwindSafe(|| shout.process(slice(record.value)))).unwrap_or(Err("the plugin panicked")) {
            Ok(loud) => {
                ((*output).emit)(output, index, record.key, bytes(&loud));
                ((*output).done)(output, index);
            }
            Err(reason) => {
                ((*output).fail)(output, index, FAILURE_PERMANENT, bytes(reason.as_bytes()), 0);
            }
        }
    }
    OK
}

unsafe extern "C" fn close(me: *mut c_void) {
    drop(Box::from_raw(me.cast::<Shout>()));
}

static PLUGIN: Plugin = Plugin {
    struct_size: std::mem::size_of::<Plugin>() as u32,
    kind: KIND_TRANSFORM,
    flags: FLAG_RECORD_BY_RECORD,
    max_workers: 0,
    id: b"shout\0".as_ptr(),
    version: b"1.0.0\0".as_ptr(),
    description: b"Turns ASCII letters to upper case.\0".as_ptr(),
    config_schema: b"{\"type\":\"object\",\"properties\":{\"suffix\":{\"type\":\"string\"}}}\0".as_ptr(),
    open,
    read: null(),
    process,
    sync: null(),
    finish: null(),
    close,
};

#[no_mangle]
pub extern "C" fn stage_plugin_v1() -> *const Plugin {
    &PLUGIN
}
