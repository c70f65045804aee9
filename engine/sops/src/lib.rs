//! Files that SOPS encrypted: what they hold, once their keys, their values and their MAC have been checked.
//!
//! [`Format::of`] tells whether a file is encrypted at all, [`Keys`] holds what opens it, and [`decrypt`] returns its [`Decrypted`]
//! content. Nothing here does I/O, reads a clock or starts a program: the same file and the same keys give the same answer.
//!
//! # What is read
//!
//! YAML, JSON, dotenv, and binary files in their envelope of JSON. The data key by age (X25519) and by OpenPGP. Key groups that share a
//! secret among several, keys of clouds and INI are named in the error and not opened.
//!
//! # What is checked
//!
//! Every encrypted value is bound to its path by AES-GCM, and the MAC is over all values in their order, as SOPS has it. A file without a
//! MAC is refused, as is one whose rules say that a value is encrypted which is not. What the MAC of SOPS does not cover is the names of
//! values that are not encrypted, `null`, and comments: that those are as they were written is what the verified commit says.
//!
//! # In place of the values
//!
//! A decrypted file has two texts. [`Decrypted::clear`] is what SOPS itself would give. In [`Decrypted::opaque`] a [`Placeholder`] stands
//! for each value: the same for the same value at the same place under the same data key, another for any other, and worth nothing to who
//! sees it. So a tool may work on the file and never hold a value.
//!
//! Where to start reading: [`decrypt`], then `walk` for the MAC.
#![forbid(unsafe_code)]

mod cipher;
mod document;
mod error;
mod format;
mod keys;
mod metadata;
mod pgp;
mod placeholder;
mod tree;
mod walk;

pub use document::{Decrypted, decrypt};
pub use error::{SopsError, codes};
pub use format::Format;
pub use keys::Keys;
pub use placeholder::{Placeholder, Value};
