//! What people and machines are told: conditions, the status and its smallest change, Events.
//!
//! [`conditions`] keeps transition times as KEP-1623 asks for; [`status`] says whether a status says anything new and what to
//! send for it, so that an unchanged application costs no write; [`events`] tells of what happened, each once.
//!
//! Only [`events`] does I/O, and a lost Event is no failure: everything it says stands in the status too.
#![forbid(unsafe_code)]

pub mod conditions;
pub mod events;
pub mod status;
