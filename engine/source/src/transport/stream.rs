//! The two halves of an exchange over HTTP, as gix wants to read and write them.
//!
//! The reading side looks at the clock while the network is silent.

use std::io::{self, BufRead, Cursor, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use crate::watch::Watch;

/// The reading side of an exchange.
pub(crate) struct Incoming {
    pub(crate) receiver: Receiver<io::Result<Block>>,
    pub(crate) watch: Watch,
}

/// A piece of an answer.
pub(crate) enum Block {
    Headers(Vec<u8>),
    Redirect(String),
    Body(Vec<u8>),
}

impl Incoming {
    pub(crate) fn next(&self) -> io::Result<Option<Block>> {
        loop {
            self.watch.check()?;
            match self.receiver.recv_timeout(self.watch.tick()) {
                Ok(Ok(block)) => {
                    if let Block::Body(bytes) = &block {
                        self.watch.received(bytes.len())?;
                    }
                    return Ok(Some(block));
                }
                Ok(Err(error)) => return Err(error),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
    }
}

/// The body of a POST: sent when it is dropped, as gix does before it reads the answer.
pub(crate) struct PostBody {
    pub(crate) buffer: Vec<u8>,
    pub(crate) sender: Sender<Vec<u8>>,
}

impl Write for PostBody {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for PostBody {
    fn drop(&mut self) {
        // Fails only when the exchange has gone, which its reader is told.
        drop(self.sender.send(std::mem::take(&mut self.buffer)));
    }
}

/// Response headers, one in each line; waited for when they are first read.
pub(crate) struct Headers {
    pub(crate) incoming: Arc<Mutex<Incoming>>,
    pub(crate) buffer: Option<Cursor<Vec<u8>>>,
}

impl BufRead for Headers {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.buffer.is_none() {
            let incoming = self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
            self.buffer = Some(match incoming.next()? {
                Some(Block::Headers(lines)) => Cursor::new(lines),
                Some(Block::Redirect(_)) => {
                    return Err(io::Error::other("redirects are followed at the start only"));
                }
                Some(Block::Body(_)) | None => return Err(io::ErrorKind::UnexpectedEof.into()),
            });
        }
        self.buffer.as_mut().map_or(Ok(&[]), |buffer| buffer.fill_buf())
    }

    fn consume(&mut self, amount: usize) {
        if let Some(buffer) = &mut self.buffer {
            buffer.consume(amount);
        }
    }
}

impl Read for Headers {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(target)?;
        self.consume(count);
        Ok(count)
    }
}

/// A response's body.
pub(crate) struct Body {
    pub(crate) incoming: Arc<Mutex<Incoming>>,
    pub(crate) buffer: Cursor<Vec<u8>>,
}

impl BufRead for Body {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.buffer.position() >= self.buffer.get_ref().len() as u64 {
            let next = self
                .incoming
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .next()?;
            match next {
                Some(Block::Body(bytes)) => self.buffer = Cursor::new(bytes),
                Some(Block::Headers(_) | Block::Redirect(_)) => {}
                None => return Ok(&[]),
            }
        }
        self.buffer.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.buffer.consume(amount);
    }
}

impl Read for Body {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(target)?;
        self.consume(count);
        Ok(count)
    }
}
