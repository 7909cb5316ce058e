//! The `ipos` library for C: blocking calls on two opaque objects. `host/include/ipos.h` is generated from this file;
//! `examples/echo.c` uses it.
//!
//! Every pointer that a caller gives must be valid as said at the function; an object belongs to one thread at a time.
//! A call that fails returns `NULL` or `-1`, and [`ipos_error`] says why.

mod support;

use std::ffi::{c_char, c_int};
use std::future::poll_fn;
use std::os::fd::{AsFd, AsRawFd};
use std::pin::Pin;
use std::ptr;
use std::time::Duration;

use ipos::{Node, Origin};
use support::{error, fail, runtime, slice, text};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

/// Where connections come from. Not to be copied; `ipos_listener_close` frees it.
#[derive(Debug)]
pub struct Listener(ipos::Listener);

/// A connection. Not to be copied; `ipos_close` frees it, and so does a move that succeeds.
#[derive(Debug)]
pub struct Stream(ipos::Stream);

/// Why the last call of this thread that failed did; valid until the next one fails.
#[unsafe(no_mangle)]
pub extern "C" fn ipos_error() -> *const c_char {
    error()
}

/// Listens on a service's address, such as "10.77.0.100:7000", for clients that connect and for connections that move
/// here. `socket` is the node's Unix socket; NULL: $IPOS_SOCKET, or /run/ipos/node.sock. NULL if it failed.
///
/// # Safety
/// `socket` is NULL or a string, `address` is a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ipos_listen(socket: *const c_char, address: *const c_char) -> *mut Listener {
    // SAFETY: as the caller promises.
    let (socket, address) = match unsafe { (text(socket), text(address)) } {
        (Ok(socket), Ok(Some(address))) => (socket, address),
        (Err(e), _) | (_, Err(e)) => return fail(ptr::null_mut(), e),
        (_, Ok(None)) => return fail(ptr::null_mut(), "no address"),
    };
    let node = socket.map_or_else(Node::default, Node::new);
    let listening = address.parse().map_err(|e| format!("{address}: {e}")).and_then(|address| {
        let runtime = runtime().map_err(|e| e.to_string())?;
        runtime.block_on(node.listen(address)).map_err(|e| e.to_string())
    });
    match listening {
        Ok(listener) => Box::into_raw(Box::new(Listener(listener))),
        Err(e) => fail(ptr::null_mut(), e),
    }
}

/// Waits for the next connection. NULL if it failed; the listener still works.
///
/// # Safety
/// `listener` comes from `ipos_listen`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ipos_accept(listener: *mut Listener) -> *mut Stream {
    // SAFETY: as the caller promises.
    let Some(Listener(listener)) = (unsafe { listener.as_mut() }) else { return fail(ptr::null_mut(), "no listener") };
    let Ok(runtime) = runtime() else { return fail(ptr::null_mut(), "no runtime") };
    match runtime.block_on(listener.accept()) {
        Ok(stream) => Box::into_raw(Box::new(Stream(stream))),
        Err(e) => fail(ptr::null_mut(), e),
    }
}

/// Moves every stream of the listener away, to the peer `target` or, if that is NULL, to any: `ipos_leaving` says so of
/// each, and who serves it moves it. Clients can't connect any more. Waits up to `milliseconds`; the number of streams that
/// are left, -1 if it failed.
///
/// # Safety
/// `listener` comes from `ipos_listen`; `target` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ipos_drain(listener: *mut Listener, target: *const c_char, milliseconds: u32) -> i64 {
    // SAFETY: as the caller promises.
    let (listener, target) = unsafe { (listener.as_mut(), text(target)) };
    let (Some(Listener(listener)), Ok(target), Ok(runtime)) = (listener, target, runtime()) else {
        return fail(-1, "no listener, or the target's name is not UTF-8");
    };
    let limit = Duration::from_millis(milliseconds.into());
    // who is left is counted
    let _ = runtime.block_on(async { tokio::time::timeout(limit, listener.drain(target.unwrap_or_default())).await });
    listener.streams() as i64
}

/// Ends the service on this server; its streams go on.
///
/// # Safety
/// `listener` is NULL or comes from `ipos_listen`, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ipos_listener_close(listener: *mut Listener) {
    if !listener.is_null() {
        // SAFETY: as the caller promises.
        drop(unsafe { Box::from_raw(listener) });
    }
}

/// Waits for bytes and reads up to `length` of them; 0: the client has ended, -1: it failed.
///
/// # Safety
/// `stream` comes from `ipos_accept`; `bytes` has room for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ipos_read(stream: *mut Stream, bytes: *mut u8, length: usize) -> i64 {
    // SAFETY: as the caller promises.
    let Some(Stream(stream)) = (unsafe { stream.as_mut() }) else { return fail(-1, "no stream") };
    if bytes.is_null() || length == 0 {
        return 0;
    }
    let Ok(runtime) = runtime() else { return fail(-1, "no runtime") };
    // SAFETY: the caller has room for `length` bytes, which may never have been written.
    let room = unsafe { std::slice::from_raw_parts_mut(bytes.cast(), length.min(isize::MAX as usize)) };
    let mut room = ReadBuf::uninit(room);
    match runtime.block_on(poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut room))) {
        Ok(()) => room.filled().len() as i64,
        Err(e) => fail(-1, e),
    }
}

/// Writes all bytes. 0, or -1 if it failed.
///
/// # Safety
/// `stream` comes from `ipos_accept`; `bytes` has `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ipos_write(stream: *mut Stream, bytes: *const u8, length: usize) -> c_int {
    // SAFETY: as the caller promises.
    let (stream, bytes) = unsafe { (stream.as_mut(), slice(bytes, length)) };
    let (Some(Stream(stream)), Ok(runtime)) = (stream, runtime()) else { return fail(-1, "no stream") };
    match runtime.block_on(stream.write_all(bytes)) {
        Ok(()) => 0,
        Err(e) => fail(-1, e),
    }
}

/// Puts back bytes that were read last and not consumed: the next read begins with them, here or, after a move, there.
///
/// # Safety
/// `stream` comes from `ipos_accept`; `bytes` has `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ipos_unread(stream: *mut Stream, bytes: *const u8, length: usize) {
    // SAFETY: as the caller promises.
    if let (Some(Stream(stream)), bytes) = unsafe { (stream.as_mut(), slice(bytes, length)) } {
        stream.unread(bytes);
    }
}

/// What the application on the other server gave along; its length goes to `length`. Valid as long as the stream.
///
/// # Safety
/// `stream` comes from `ipos_accept`; `length` is NULL or points to a size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ipos_state(stream: *const Stream, length: *mut usize) -> *const u8 {
    // SAFETY: as the caller promises.
    let (stream, length) = unsafe { (stream.as_ref(), length.as_mut()) };
    let state = stream.map_or(&[][..], |s| s.0.state());
    if let Some(length) = length {
        *length = state.len();
    }
    state.as_ptr()
}

/// 0: a client has just connected; 1: it moved here; 2: it could not move, and `ipos_migrate` was not there to say so;
/// -1: a kind that this header does not know.
///
/// # Safety
/// `stream` comes from `ipos_accept`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ipos_origin(stream: *const Stream) -> c_int {
    // SAFETY: as the caller promises.
    match unsafe { stream.as_ref() }.map(|s| s.0.origin()) {
        None | Some(Origin::Accepted) => 0,
        Some(Origin::Arrived) => 1,
        Some(Origin::Returned) => 2,
        // a library that knows more kinds than this header
        Some(_) => -1,
    }
}

/// The stream's descriptor, to be polled for input, not to be read, written, copied or closed. Bytes that were put back
/// don't make it readable.
///
/// # Safety
/// `stream` comes from `ipos_accept`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ipos_descriptor(stream: *const Stream) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { stream.as_ref() }.map_or(-1, |s| s.0.as_fd().as_raw_fd())
}

/// Whether the stream is to leave this server, waiting up to `milliseconds` for it; 1 or 0. The target goes to `target`,
/// cut to `size` bytes with its final zero; it is empty if any will do.
///
/// # Safety
/// `stream` comes from `ipos_accept`; `target` is NULL or has room for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ipos_leaving(
    stream: *const Stream,
    milliseconds: u32,
    target: *mut c_char,
    size: usize,
) -> c_int {
    // SAFETY: as the caller promises.
    let (Some(Stream(stream)), Ok(runtime)) = (unsafe { stream.as_ref() }, runtime()) else { return 0 };
    let (limit, leaving) = (Duration::from_millis(milliseconds.into()), stream.leaving());
    let Ok(name) = runtime.block_on(async { tokio::time::timeout(limit, leaving).await }) else { return 0 };
    if !target.is_null() && size > 0 {
        let length = name.len().min(size - 1);
        // SAFETY: there is room for `length` bytes and a zero.
        unsafe {
            ptr::copy_nonoverlapping(name.as_ptr(), target.cast(), length);
            target.add(length).write(0);
        }
    }
    1
}

/// Moves a connection to the peer `target` (NULL: any that takes it), with a state of at most 65536 bytes, and waits for
/// the outcome. 0: it is the other server's, and `*stream` NULL. -1: it did not move; `*stream` works as before, or is NULL
/// if the connection is lost.
///
/// # Safety
/// `*stream` comes from `ipos_accept`; `target` is NULL or a string; `state` has `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ipos_migrate(
    stream: *mut *mut Stream,
    target: *const c_char,
    state: *const u8,
    length: usize,
) -> c_int {
    // SAFETY: as the caller promises.
    let (Some(stream), Ok(target), state) = (unsafe { (stream.as_mut(), text(target), slice(state, length)) }) else {
        return fail(-1, "no stream, or the target's name is not UTF-8");
    };
    if stream.is_null() {
        return fail(-1, "no stream");
    }
    let Ok(runtime) = runtime() else { return fail(-1, "no runtime") };
    // SAFETY: it comes from `ipos_accept`, and is not used again under this address.
    let Stream(moving) = *unsafe { Box::from_raw(std::mem::replace(stream, ptr::null_mut())) };
    match runtime.block_on(moving.migrate(target.unwrap_or_default(), state)) {
        Ok(_) => 0,
        Err(failed) => {
            if let Some(stays) = failed.stream {
                *stream = Box::into_raw(Box::new(Stream(stays)));
            }
            fail(-1, failed.error)
        }
    }
}

/// Closes the connection.
///
/// # Safety
/// `stream` is NULL or comes from `ipos_accept`, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ipos_close(stream: *mut Stream) {
    if !stream.is_null() {
        // SAFETY: as the caller promises.
        drop(unsafe { Box::from_raw(stream) });
    }
}
