/* The ipos library. Generated from host/capi/src by `cargo xtask gen`; do not edit. */

#ifndef IPOS_H
#define IPOS_H

#include <stddef.h>
#include <stdint.h>

/*
 Where connections come from. Not to be copied; `ipos_listener_close` frees it.
 */
typedef struct ipos_listener ipos_listener;

/*
 A connection. Not to be copied; `ipos_close` frees it, and so does a move that succeeds.
 */
typedef struct ipos_stream ipos_stream;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Why the last call of this thread that failed did; valid until the next one fails.
 */
const char *ipos_error(void);

/*
 Listens on a service's address, such as "10.77.0.100:7000", for clients that connect and for connections that move
 here. `socket` is the node's Unix socket; NULL: $IPOS_SOCKET, or /run/ipos/node.sock. NULL if it failed.

 # Safety
 `socket` is NULL or a string, `address` is a string.
 */
ipos_listener *ipos_listen(const char *socket, const char *address);

/*
 Waits for the next connection. NULL if it failed; the listener still works.

 # Safety
 `listener` comes from `ipos_listen`.
 */
ipos_stream *ipos_accept(ipos_listener *listener);

/*
 Moves every stream of the listener away, to the peer `target` or, if that is NULL, to any: `ipos_leaving` says so of
 each, and who serves it moves it. Clients can't connect any more. Waits up to `milliseconds`; the number of streams that
 are left, -1 if it failed.

 # Safety
 `listener` comes from `ipos_listen`; `target` is NULL or a string.
 */
int64_t ipos_drain(ipos_listener *listener,
                   const char *target,
                   uint32_t milliseconds);

/*
 Ends the service on this server; its streams go on.

 # Safety
 `listener` is NULL or comes from `ipos_listen`, and is not used again.
 */
void ipos_listener_close(ipos_listener *listener);

/*
 Waits for bytes and reads up to `length` of them; 0: the client has ended, -1: it failed.

 # Safety
 `stream` comes from `ipos_accept`; `bytes` has room for `length` bytes.
 */
int64_t ipos_read(ipos_stream *stream, uint8_t *bytes, size_t length);

/*
 Writes all bytes. 0, or -1 if it failed.

 # Safety
 `stream` comes from `ipos_accept`; `bytes` has `length` bytes.
 */
int ipos_write(ipos_stream *stream, const uint8_t *bytes, size_t length);

/*
 Puts back bytes that were read last and not consumed: the next read begins with them, here or, after a move, there.

 # Safety
 `stream` comes from `ipos_accept`; `bytes` has `length` bytes.
 */
void ipos_unread(ipos_stream *stream, const uint8_t *bytes, size_t length);

/*
 What the application on the other server gave along; its length goes to `length`. Valid as long as the stream.

 # Safety
 `stream` comes from `ipos_accept`; `length` is NULL or points to a size.
 */
const uint8_t *ipos_state(const ipos_stream *stream, size_t *length);

/*
 0: a client has just connected; 1: it moved here; 2: it could not move, and `ipos_migrate` was not there to say so;
 -1: a kind that this header does not know.

 # Safety
 `stream` comes from `ipos_accept`.
 */
int ipos_origin(const ipos_stream *stream);

/*
 The stream's descriptor, to be polled for input, not to be read, written, copied or closed. Bytes that were put back
 don't make it readable.

 # Safety
 `stream` comes from `ipos_accept`.
 */
int ipos_descriptor(const ipos_stream *stream);

/*
 Whether the stream is to leave this server, waiting up to `milliseconds` for it; 1 or 0. The target goes to `target`,
 cut to `size` bytes with its final zero; it is empty if any will do.

 # Safety
 `stream` comes from `ipos_accept`; `target` is NULL or has room for `size` bytes.
 */
int ipos_leaving(const ipos_stream *stream, uint32_t milliseconds, char *target, size_t size);

/*
 Moves a connection to the peer `target` (NULL: any that takes it), with a state of at most 65536 bytes, and waits for
 the outcome. 0: it is the other server's, and `*stream` NULL. -1: it did not move; `*stream` works as before, or is NULL
 if the connection is lost.

 # Safety
 `*stream` comes from `ipos_accept`; `target` is NULL or a string; `state` has `length` bytes.
 */
int ipos_migrate(ipos_stream **stream,
                 const char *target,
                 const uint8_t *state,
                 size_t length);

/*
 Closes the connection.

 # Safety
 `stream` is NULL or comes from `ipos_accept`, and is not used again.
 */
void ipos_close(ipos_stream *stream);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* IPOS_H */
