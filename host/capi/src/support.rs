//! What the calls have in common: errors, the runtime, what callers' pointers point to.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::io;
use std::sync::OnceLock;

use tokio::runtime::Runtime;

thread_local! {
    static ERROR: RefCell<CString> = RefCell::default();
}

/// See [`ipos_error`](crate::ipos_error).
pub fn error() -> *const c_char {
    ERROR.with_borrow(|e| e.as_ptr())
}

/// Notes why a call fails, and gives back what it returns.
pub fn fail<T>(value: T, error: impl ToString) -> T {
    // no message of this library contains a zero byte, a file name might
    let text = CString::new(error.to_string().replace('\0', " ")).unwrap_or_default();
    ERROR.with_borrow_mut(|e| *e = text);
    value
}

/// The threads that carry moves on while no call is running.
pub fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<io::Result<Runtime>> = OnceLock::new();
    let make = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    RUNTIME.get_or_init(make).as_ref().map_err(|e| io::Error::new(e.kind(), e.to_string()))
}

/// A text of the caller's, if there is one.
///
/// # Safety
/// `text` is NULL or a string that ends in zero.
pub unsafe fn text<'a>(text: *const c_char) -> Result<Option<&'a str>, &'static str> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(text) }.to_str().map(Some).map_err(|_| "a text is not UTF-8")
}

/// Bytes of the caller's.
///
/// # Safety
/// `bytes` has `length` bytes, or `length` is 0.
pub unsafe fn slice<'a>(bytes: *const u8, length: usize) -> &'a [u8] {
    // SAFETY: as the caller promises.
    if length == 0 || bytes.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(bytes, length) } }
}
