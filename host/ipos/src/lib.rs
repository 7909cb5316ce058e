//! TCP streams that can move to another server while their clients notice nothing: the library for servers on tokio.
//!
//! A server listens through the [`Node`] of its machine. The [`Listener`] yields [`Stream`]s: connections that clients
//! open, and connections that other servers gave away, each with what the application there knew about it. A stream
//! is given away by [`Stream::migrate`]. The node (`ipos node`) has the privileges for that; the server needs none.
//!
//! ```no_run
//! use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let mut listener = ipos::Node::default().listen("10.77.0.100:7000".parse()?).await?;
//! loop {
//!     let mut stream = listener.accept().await?;
//!     tokio::spawn(async move {
//!         // lines echoed so far, on whichever server
//!         let mut count = u64::from_be_bytes(stream.state().try_into().unwrap_or_default());
//!         let leaving = stream.leaving();
//!         tokio::pin!(leaving);
//!         loop {
//!             tokio::select! {
//!                 target = &mut leaving => {
//!                     // what has been read and not consumed goes along
//!                     return drop(stream.migrate(&target, count.to_be_bytes()).await);
//!                 }
//!                 bytes = stream.fill_buf() => {
//!                     let Ok(bytes) = bytes.map(<[u8]>::to_vec) else { return };
//!                     if bytes.is_empty() || stream.write_all(&bytes).await.is_err() {
//!                         return;
//!                     }
//!                     stream.consume(bytes.len());
//!                     count += bytes.iter().filter(|b| **b == b'\n').count() as u64;
//!                 }
//!             }
//!         }
//!     });
//! }
//! # }
//! ```
//!
//! **Cancellation.** Every future of this crate can be dropped at any time. A dropped [`Migration`] detaches.
//!
//! **When it ends.** When a server dies, its node finds out at once: nothing arrives for it any more, and its
//! connections end as any dead process's do. When the node dies, established connections go on, but those that are just
//! moving end with it; the listener finds the restarted node by itself.
//!
//! Read next: `examples/` for whole servers, the crate `ipos-control` for the protocol of the node's socket and for the
//! questions of operators.

mod listener;
mod node;
mod shortage;
mod stream;

pub use ipos_control::message::{MessageError, MoveReport};
pub use ipos_control::{ChannelError, Error, Refusal, Unmovable};
pub use listener::Listener;
pub use node::Node;
pub use stream::migration::{Migration, MoveFailed};
pub use stream::{Origin, Stream};
