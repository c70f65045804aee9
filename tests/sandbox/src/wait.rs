//! Waiting for something to become true, instead of sleeping for as long as it might take.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

/// Asks every 50 ms until `ask` returns a value; fails with the last reason why it did not.
pub fn wait_for<T>(what: &str, at_most: Duration, mut ask: impl FnMut() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        match ask() {
            Ok(value) => return Ok(value),
            Err(error) if start.elapsed() > at_most => {
                return Err(error).with_context(|| format!("{what}: not after {at_most:?}"));
            }
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Returns a loopback port that nobody listens on just now. For servers that cannot be handed a socket: start them at
/// once, and try again with another port if they fail.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Waits until something accepts connections on a loopback port.
pub(crate) fn wait_for_port(what: &str, port: u16, mut check: impl FnMut() -> Result<()>) -> Result<()> {
    wait_for(what, Duration::from_secs(20), || {
        check()?;
        TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        Ok(())
    })
}
