//! The operating system of a renderer: a module that answers what Go asks of WASI, and asks nobody.
//!
//! There are no files, no environment and no sockets. What is printed is dropped, waiting is over at once. Time and randomness are
//! functions of what `sluice_seed` was last given: 32 bytes, and nanoseconds since 1970. It is the renderer that calls it, at the start of
//! each rendering, so that what was drawn before the snapshot has no part in it.
//!
//! The random numbers are ChaCha20's, because charts make passwords and keys of them: who sees some learns nothing about the others.

use std::fmt::Write as _;

/// "Bad file descriptor".
const NO_DESCRIPTOR: u32 = 8;
/// "No such file or directory".
const NO_ENTRY: u32 = 44;

/// What a function of WASI does.
enum Answer {
    /// It returns this error.
    Error(u32),
    /// It does this, in the text format.
    Code(&'static str),
}

/// Functions with the types of their parameters, one letter each: `i` for 32 bits, `l` for 64.
const FUNCTIONS: &[(&str, &str, Answer)] = &[
    ("args_get", "ii", Answer::Code(ARGUMENTS)),
    ("args_sizes_get", "ii", Answer::Code(ARGUMENT_SIZES)),
    ("clock_time_get", "ili", Answer::Code(CLOCK)),
    ("environ_get", "ii", Answer::Code("i32.const 0")),
    ("environ_sizes_get", "ii", Answer::Code(NO_SIZES)),
    ("fd_close", "i", Answer::Error(NO_DESCRIPTOR)),
    ("fd_fdstat_get", "ii", Answer::Error(NO_DESCRIPTOR)),
    ("fd_fdstat_set_flags", "ii", Answer::Error(NO_DESCRIPTOR)),
    ("fd_filestat_get", "ii", Answer::Error(NO_DESCRIPTOR)),
    ("fd_filestat_set_size", "il", Answer::Error(NO_DESCRIPTOR)),
    ("fd_pread", "iiili", Answer::Error(NO_DESCRIPTOR)),
    ("fd_prestat_dir_name", "iii", Answer::Error(NO_DESCRIPTOR)),
    ("fd_prestat_get", "ii", Answer::Error(NO_DESCRIPTOR)),
    ("fd_pwrite", "iiili", Answer::Error(NO_DESCRIPTOR)),
    ("fd_read", "iiii", Answer::Error(NO_DESCRIPTOR)),
    ("fd_readdir", "iiili", Answer::Error(NO_DESCRIPTOR)),
    ("fd_seek", "ilii", Answer::Error(NO_DESCRIPTOR)),
    ("fd_sync", "i", Answer::Error(NO_DESCRIPTOR)),
    ("fd_write", "iiii", Answer::Code(WRITE)),
    ("path_create_directory", "iii", Answer::Error(NO_ENTRY)),
    ("path_filestat_get", "iiiii", Answer::Error(NO_ENTRY)),
    ("path_filestat_set_times", "iiiillii", Answer::Error(NO_ENTRY)),
    ("path_link", "iiiiiii", Answer::Error(NO_ENTRY)),
    ("path_open", "iiiiillii", Answer::Error(NO_ENTRY)),
    ("path_readlink", "iiiiii", Answer::Error(NO_ENTRY)),
    ("path_remove_directory", "iii", Answer::Error(NO_ENTRY)),
    ("path_rename", "iiiiii", Answer::Error(NO_ENTRY)),
    ("path_symlink", "iiiii", Answer::Error(NO_ENTRY)),
    ("path_unlink_file", "iii", Answer::Error(NO_ENTRY)),
    ("poll_oneoff", "iiii", Answer::Code(POLL)),
    ("random_get", "ii", Answer::Code(RANDOM)),
    ("sched_yield", "", Answer::Code("i32.const 0")),
    ("sock_accept", "iii", Answer::Error(NO_DESCRIPTOR)),
    ("sock_shutdown", "ii", Answer::Error(NO_DESCRIPTOR)),
];

/// One argument, `p`: programs expect to have a name.
const ARGUMENTS: &str =
    "(i32.store (local.get 0) (local.get 1)) (i32.store16 (local.get 1) (i32.const 0x70)) i32.const 0";
const ARGUMENT_SIZES: &str =
    "(i32.store (local.get 0) (i32.const 1)) (i32.store (local.get 1) (i32.const 2)) i32.const 0";
const NO_SIZES: &str =
    "(i32.store (local.get 0) (i32.const 0)) (i32.store (local.get 1) (i32.const 0)) i32.const 0";

/// The time of day starts where the seed has it, the other clocks at 1000 s, which is later than any moment before the instance was
/// frozen; both go on by a nanosecond with each look. Go's collector looks at them, and nobody else much: by larger steps it would seem
/// to take all the time there is, and stop to hold the program up, which then allocates until the memory is full.
const CLOCK: &str = "
    (global.set $ticks (i64.add (global.get $ticks) (i64.const 1)))
    (i64.store (local.get 2) (i64.add (global.get $ticks)
        (select (global.get $now) (i64.const 1000000000000) (i32.eqz (local.get 0)))))
    i32.const 0";

/// All was written.
const WRITE: &str = "(local $written i32)
    (block $done (loop $next
        (br_if $done (i32.eqz (local.get 2)))
        (local.set $written (i32.add (local.get $written) (i32.load offset=4 (local.get 1))))
        (local.set 1 (i32.add (local.get 1) (i32.const 8)))
        (local.set 2 (i32.sub (local.get 2) (i32.const 1)))
        (br $next)))
    (i32.store (local.get 3) (local.get $written))
    i32.const 0";

/// The first event that was waited for has come, a second later. To wait for none is to wait for ever.
const POLL: &str = "
    (if (i32.eqz (local.get 2)) (then unreachable))
    (global.set $ticks (i64.add (global.get $ticks) (i64.const 1000000000)))
    (i64.store (local.get 1) (i64.load (local.get 0)))
    (i64.store offset=8 (local.get 1) (i64.const 0))
    (i64.store offset=16 (local.get 1) (i64.const 0))
    (i64.store offset=24 (local.get 1) (i64.const 0))
    (i32.store (local.get 3) (i32.const 1))
    i32.const 0";

/// Block after block; what is left of the last one is dropped.
const RANDOM: &str = "
    (block $done (loop $next
        (br_if $done (i32.eqz (local.get 1)))
        (call $block (local.get 0) (local.get 1))
        (br_if $done (i32.le_u (local.get 1) (i32.const 64)))
        (local.set 0 (i32.add (local.get 0) (i32.const 64)))
        (local.set 1 (i32.sub (local.get 1) (i32.const 64)))
        (br $next)))
    i32.const 0";

/// Writes a word, or as much of it as there is room for.
const PUT: &str = "(func $put (param $at i32) (param $room i32) (param $word i32)
    (if (i32.ge_s (local.get $room) (i32.const 4))
        (then (i32.store (local.get $at) (local.get $word)))
        (else (block $done (loop $next
            (br_if $done (i32.le_s (local.get $room) (i32.const 0)))
            (i32.store8 (local.get $at) (local.get $word))
            (local.set $word (i32.shr_u (local.get $word) (i32.const 8)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (local.set $room (i32.sub (local.get $room) (i32.const 1)))
            (br $next))))))";

/// Returns the module.
///
/// # Panics
/// If it is not well-formed, which the tests of this file would say.
#[must_use]
pub fn module() -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "the text is a constant of this file")]
    wat::parse_str(text()).expect("the text is a module")
}

fn text() -> String {
    let mut text = String::from(
        "(module (import \"env\" \"memory\" (memory 0))
        (global $ticks (mut i64) (i64.const 0)) (global $now (mut i64) (i64.const 0)) (global $count (mut i64) (i64.const 0))\n",
    );
    for word in 0..8 {
        line(&mut text, &format!("(global $key{word} (mut i32) (i32.const 0))"));
    }
    text.push_str(PUT);
    text.push_str(&block());
    text.push_str("(func (export \"sluice_seed\") (param i32 i64)\n");
    for word in 0..8 {
        line(
            &mut text,
            &format!(
                "(global.set $key{word} (i32.load offset={} (local.get 0)))",
                4 * word
            ),
        );
    }
    text.push_str("(global.set $now (local.get 1)) (global.set $count (i64.const 0)) (global.set $ticks (i64.const 0)))\n");
    text.push_str("(func (export \"proc_exit\") (param i32) unreachable)\n");
    for (name, parameters, answer) in FUNCTIONS {
        let types: Vec<&str> = parameters
            .chars()
            .map(|letter| if letter == 'l' { "i64" } else { "i32" })
            .collect();
        let body = match answer {
            Answer::Error(number) => format!("i32.const {number}"),
            Answer::Code(code) => (*code).to_owned(),
        };
        line(
            &mut text,
            &format!(
                "(func (export \"{name}\") (param {}) (result i32) {body})",
                types.join(" ")
            ),
        );
    }
    text.push(')');
    text
}

/// The function that computes ChaCha20's next block (RFC 8439, with a counter of 64 bits and no nonce) and writes as much of it as there
/// is room for.
fn block() -> String {
    let mut text = String::from("(func $block (param $at i32) (param $room i32) (local $round i32)\n");
    for word in 0..16 {
        line(&mut text, &format!("(local $x{word} i32)"));
    }
    for word in 0..16 {
        line(&mut text, &format!("(local.set $x{word} {})", initial(word)));
    }
    text.push_str("(loop $next\n");
    for [a, b, c, d] in [
        [0, 4, 8, 12],
        [1, 5, 9, 13],
        [2, 6, 10, 14],
        [3, 7, 11, 15],
        [0, 5, 10, 15],
        [1, 6, 11, 12],
        [2, 7, 8, 13],
        [3, 4, 9, 14],
    ] {
        for (sum, addend, mixed, bits) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
            line(
                &mut text,
                &format!("(local.set $x{sum} (i32.add (local.get $x{sum}) (local.get $x{addend})))"),
            );
            line(
                &mut text,
                &format!(
                    "(local.set $x{mixed} (i32.rotl (i32.xor (local.get $x{mixed}) (local.get $x{sum})) (i32.const {bits})))"
                ),
            );
        }
    }
    text.push_str(
        "(local.set $round (i32.add (local.get $round) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $round) (i32.const 10))))\n",
    );
    for word in 0..16 {
        line(
            &mut text,
            &format!(
                "(call $put (i32.add (local.get $at) (i32.const {0})) (i32.sub (local.get $room) (i32.const {0})) \
                 (i32.add (local.get $x{word}) {1}))",
                4 * word,
                initial(word)
            ),
        );
    }
    text.push_str("(global.set $count (i64.add (global.get $count) (i64.const 1))))\n");
    text
}

/// A word of the state before the rounds.
fn initial(word: usize) -> String {
    const SIGMA: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];
    match word {
        0..=3 => format!("(i32.const {})", SIGMA.get(word).copied().unwrap_or_default()),
        4..=11 => format!("(global.get $key{})", word - 4),
        12 => "(i32.wrap_i64 (global.get $count))".to_owned(),
        13 => "(i32.wrap_i64 (i64.shr_u (global.get $count) (i64.const 32)))".to_owned(),
        _ => "(i32.const 0)".to_owned(),
    }
}

fn line(text: &mut String, line: &str) {
    // Writing to a string does not fail.
    writeln!(text, "{line}").ok();
}

#[cfg(test)]
mod tests {
    use wasmtime::{Engine, Instance, Linker, Memory, MemoryType, Module, Store};

    use super::*;

    /// The shim with a memory of its own.
    fn shim() -> (Store<()>, Instance, Memory) {
        let engine = Engine::default();
        let mut store = Store::new(&engine, ());
        let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
        let mut linker = Linker::new(&engine);
        linker.define(&store, "env", "memory", memory).unwrap();
        let module = Module::new(&engine, module()).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        (store, instance, memory)
    }

    fn random(store: &mut Store<()>, instance: Instance, memory: Memory, length: usize) -> Vec<u8> {
        let function = instance
            .get_typed_func::<(i32, i32), i32>(&mut *store, "random_get")
            .unwrap();
        assert_eq!(
            function
                .call(&mut *store, (1024, i32::try_from(length).unwrap()))
                .unwrap(),
            0
        );
        // Nothing is written beyond what was asked for.
        assert_eq!(memory.data(&store)[1024 + length], 0);
        let bytes = memory.data(&store)[1024..1024 + length].to_vec();
        memory.data_mut(&mut *store)[1024..1024 + length].fill(0);
        bytes
    }

    fn seed(store: &mut Store<()>, instance: Instance, memory: Memory, key: [u8; 32], now: i64) {
        memory.write(&mut *store, 0, &key).unwrap();
        let function = instance
            .get_typed_func::<(i32, i64), ()>(&mut *store, "sluice_seed")
            .unwrap();
        function.call(&mut *store, (0, now)).unwrap();
    }

    #[test]
    fn random_numbers_are_those_of_chacha20() {
        let (mut store, instance, memory) = shim();
        // RFC 8439, A.1, vectors 1 and 2: one block after the other.
        let bytes = random(&mut store, instance, memory, 128);
        assert!(bytes.starts_with(&[
            0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5
        ]));
        assert!(bytes[64..].starts_with(&[
            0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a, 0x98, 0xba, 0x97, 0x7c
        ]));
        // Vector 3: another key, and the second block.
        let mut key = [0; 32];
        key[31] = 1;
        seed(&mut store, instance, memory, key, 0);
        let bytes = random(&mut store, instance, memory, 128);
        assert!(bytes[64..].starts_with(&[
            0x3a, 0xeb, 0x52, 0x24, 0xec, 0xf8, 0x49, 0x92, 0x9b, 0x9d, 0x82, 0x8d
        ]));
    }

    #[test]
    fn the_same_seed_gives_the_same_and_another_does_not() {
        let (mut store, instance, memory) = shim();
        let mut draw = |key, length| {
            seed(&mut store, instance, memory, key, 0);
            random(&mut store, instance, memory, length)
        };
        let drawn = draw([1; 32], 67);
        assert_eq!(draw([1; 32], 67), drawn);
        assert_eq!(draw([1; 32], 3), drawn[..3]);
        assert_ne!(draw([2; 32], 67), drawn);
    }

    #[test]
    fn the_clock_starts_at_the_seed_and_goes_on() {
        let (mut store, instance, memory) = shim();
        seed(&mut store, instance, memory, [0; 32], 1_700_000_000_000_000_000);
        let function = instance
            .get_typed_func::<(i32, i64, i32), i32>(&mut store, "clock_time_get")
            .unwrap();
        let mut look = |clock| {
            function.call(&mut store, (clock, 0, 64)).unwrap();
            i64::from_le_bytes(memory.data(&store)[64..72].try_into().unwrap())
        };
        let first = look(0);
        assert_eq!(first / 1_000_000, 1_700_000_000_000);
        assert!(look(0) > first);
        assert!((1_000_000_000_000..1_000_001_000_000).contains(&look(1)));
    }
}
