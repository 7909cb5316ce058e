//! tungstenite's WebSocket client, against an echo server that moves in the middle of messages.

use std::io::Cursor;
use std::net::TcpStream;
use std::sync::atomic::Ordering;

use ipos::Stream;
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::LocalSet;
use tungstenite::Message;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::rig::{ADDRESS, Rig, runtime};
use crate::{leave, moves, serve};

/// Bytes received between moves.
const EVERY: usize = 60_000;

async fn handshake(stream: &mut Stream) -> std::io::Result<()> {
    let mut head = Vec::new();
    let (key, length) = loop {
        assert!(stream.read_buf(&mut head).await? > 0, "no request");
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut request = httparse::Request::new(&mut headers);
        if let httparse::Status::Complete(length) = request.parse(&head).unwrap() {
            let key = request.headers.iter().find(|h| h.name.eq_ignore_ascii_case("sec-websocket-key")).unwrap();
            break (derive_accept_key(key.value), length);
        }
    };
    stream.unread(&head[length..]);
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {key}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await
}

/// The first frame of `bytes`: its header, its payload unmasked, its length.
fn frame(bytes: &[u8]) -> Option<(FrameHeader, Vec<u8>, usize)> {
    let mut cursor = Cursor::new(bytes);
    let (header, length) = FrameHeader::parse(&mut cursor).unwrap()?;
    let start = cursor.position() as usize;
    let masked = bytes.get(start..start + length as usize)?;
    // RFC 6455 section 5.3
    let mask = header.mask.expect("a client masks");
    let payload = masked.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m).collect();
    Some((header, payload, start + length as usize))
}

async fn session(mut stream: Stream) -> std::io::Result<()> {
    if stream.state().is_empty() {
        handshake(&mut stream).await?;
    }
    let (mut bytes, mut received) = (Vec::new(), 0);
    loop {
        while let Some((mut header, payload, length)) = frame(&bytes) {
            bytes.drain(..length);
            header.mask = None;
            header.opcode = match header.opcode {
                OpCode::Control(Control::Ping) => OpCode::Control(Control::Pong),
                OpCode::Control(Control::Pong) => continue,
                other => other,
            };
            let mut answer = Vec::new();
            header.format(payload.len() as u64, &mut answer).unwrap();
            answer.extend(payload);
            stream.write_all(&answer).await?;
            if header.opcode == OpCode::Control(Control::Close) {
                return stream.shutdown().await;
            }
            assert!(matches!(header.opcode, OpCode::Data(Data::Binary | Data::Text) | OpCode::Control(Control::Pong)));
        }
        if received > EVERY {
            // in the middle of a message, most of the time
            return leave(stream, &bytes, b"open").await;
        }
        let more = stream.read_buf(&mut bytes).await?;
        assert!(more > 0, "the client ended without a close");
        received += more;
    }
}

#[test]
fn a_websocket_moves_in_the_middle_of_messages() {
    let rig = Rig::new(2);
    LocalSet::new().block_on(&runtime(), async {
        let opened = serve([rig.listen(0).await, rig.listen(1).await], session);
        let socket = rig.cluster.client.run(|| TcpStream::connect(ADDRESS)).unwrap();
        let talk = move || {
            socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
            let (mut socket, _) = tungstenite::client("ws://service/echo", socket).unwrap();
            let mut rng = StdRng::seed_from_u64(21);
            for i in 0..100u8 {
                let mut bytes = vec![0; rng.random_range(0..50_000)];
                rng.fill_bytes(&mut bytes);
                let message = if i % 10 == 0 { Message::text(format!("text {i}")) } else { Message::binary(bytes) };
                if i % 7 == 0 {
                    socket.send(Message::Ping(vec![i].into())).unwrap();
                    socket.send(message.clone()).unwrap();
                    assert_eq!(socket.read().unwrap(), Message::Pong(vec![i].into()));
                } else {
                    socket.send(message.clone()).unwrap();
                }
                assert!(socket.read().unwrap() == message, "message {i}");
            }
            socket.close(None).unwrap();
            while let Ok(message) = socket.read() {
                assert!(message.is_close());
            }
        };
        tokio::task::spawn_blocking(talk).await.unwrap();
        assert_eq!(opened.load(Ordering::Relaxed), 1);
        assert!(moves(&rig).await >= 20, "{}", moves(&rig).await);
    });
}
