//! Images: precompiled components with what is needed to tell whether they may be loaded.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::ComponentiseError;

/// The first bytes of an image; the last one counts up when its form changes.
const MAGIC: &[u8; 8] = b"sluice\0\x01";
/// Magic, compatibility hash, SHA-256 of the code.
const HEADER: usize = 8 + 8 + 32;

/// Why something was not compiled or not loaded.
#[derive(Debug, thiserror::Error)]
pub enum AotError {
    /// The module cannot be wrapped.
    #[error(transparent)]
    Componentise(ComponentiseError),
    /// The component is invalid or cannot be compiled.
    #[error("the component does not compile")]
    Compile(#[source] wasmtime::Error),
    /// The compiler hit a limit, or crashed.
    #[error("{reason}")]
    GaveUp {
        /// What the compiler gave up on.
        reason: String,
    },
    /// The thread or process that compiles did not start or did not answer.
    #[error("the compiler cannot be run")]
    Child(#[source] std::io::Error),
    /// The precompiled file cannot be read.
    #[error("the precompiled file cannot be read")]
    Read(#[source] std::io::Error),
    /// The bytes are no image, or damaged.
    #[error("not a precompiled plugin, or a damaged one")]
    Damaged,
    /// The image was made by another compiler, or for another machine or other settings.
    #[error("precompiled for another engine or machine")]
    Incompatible,
    /// The runtime refused the image.
    #[error("the runtime refuses it: {0:#}")]
    Load(wasmtime::Error),
}

/// Compiles a component now. Safe for any bytes.
pub(crate) fn compile(engine: &Engine, component: &[u8]) -> Result<Component, AotError> {
    Component::from_binary(engine, component).map_err(AotError::Compile)
}

/// Compiles a component into an image for [`load`].
pub fn precompile(engine: &Engine, component: &[u8]) -> Result<Vec<u8>, AotError> {
    let code = engine
        .precompile_component(component)
        .map_err(AotError::Compile)?;
    let mut image = Vec::with_capacity(HEADER + code.len());
    image.extend_from_slice(MAGIC);
    image.extend_from_slice(&compatibility(engine).to_le_bytes());
    image.extend_from_slice(&Sha256::digest(&code));
    image.extend_from_slice(&code);
    Ok(image)
}

/// Loads an image that is part of this binary.
///
/// For `include_bytes!` of what the build made with [`precompile`], and for nothing else: `.clippy.toml` bans it everywhere
/// but in the one place that does so.
#[expect(
    unsafe_code,
    reason = "running precompiled code is unsafe by nature; see the crate's documentation"
)]
pub fn load(engine: &Engine, image: &'static [u8]) -> Result<Component, AotError> {
    // SAFETY: the bytes are part of this binary ('static, see above).
    unsafe { deserialize(engine, engine, image) }
}

/// Compiles a component into a file for [`load_file`]: as it is, without a header, so that it can be mapped.
pub fn precompile_file(engine: &Engine, component: &[u8]) -> Result<Vec<u8>, AotError> {
    engine.precompile_component(component).map_err(AotError::Compile)
}

/// Loads a file that the build made with [`precompile_file`] and that lies beside the program: it is mapped, not read into memory.
///
/// `digest` is the BLAKE3 digest of the file, which is quicker than SHA-256 over sixty megabytes, and part of this binary. What is mapped
/// is the very file that was digested. It must not be changed while the program runs; whoever may do that may change the program as well.
#[expect(
    unsafe_code,
    reason = "running precompiled code is unsafe by nature; see the crate's documentation"
)]
pub fn load_file(engine: &Engine, path: &Path, digest: &'static [u8; 32]) -> Result<Component, AotError> {
    let file = fs_err::File::open(path).map_err(AotError::Read)?;
    // By the descriptor: the name may lead to another file by now.
    let opened = PathBuf::from(format!("/proc/self/fd/{}", file.file().as_raw_fd()));
    let mut hasher = blake3::Hasher::new();
    // On all cores: it is most of what a rendering by a program of its own costs.
    hasher.update_mmap_rayon(&opened).map_err(AotError::Read)?;
    if hasher.finalize() != *digest {
        return Err(AotError::Damaged);
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place that judges what may be trusted"
    )]
    // SAFETY: the file is what `precompile_file` made in the build of this binary, for its digest is part of the binary; wasmtime
    // checks its own version, the engine's settings and the CPU's features again.
    let component = unsafe { Component::deserialize_file(engine, &opened) };
    component.map_err(AotError::Load)
}

/// Loads what the compiler in the child process answered, now or earlier ([`Cache`](crate::cache::Cache)). `made_by` has the settings
/// that it was compiled with.
#[expect(
    unsafe_code,
    reason = "running precompiled code is unsafe by nature; see the crate's documentation"
)]
pub(crate) fn load_compiled(engine: &Engine, made_by: &Engine, image: &[u8]) -> Result<Component, AotError> {
    // SAFETY: the bytes come from a pipe whose other end only a child process had that runs this very program, and it did
    // nothing but call `precompile`; see `compiler`. Or they came from there earlier, and are authenticated since; see `cache`.
    unsafe { deserialize(engine, made_by, image) }
}

/// Checks an image and loads it.
///
/// # Safety
/// `image` is what [`precompile`] returned, to this process or to one that runs the same program.
#[expect(
    unsafe_code,
    reason = "running precompiled code is unsafe by nature; see the crate's documentation"
)]
unsafe fn deserialize(engine: &Engine, made_by: &Engine, image: &[u8]) -> Result<Component, AotError> {
    let (header, code) = image.split_at_checked(HEADER).ok_or(AotError::Damaged)?;
    let (magic, rest) = header.split_at(MAGIC.len());
    let (hash, digest) = rest.split_at(8);
    if magic != MAGIC {
        return Err(AotError::Damaged);
    }
    if hash != compatibility(made_by).to_le_bytes() {
        return Err(AotError::Incompatible);
    }
    if digest != Sha256::digest(code).as_slice() {
        return Err(AotError::Damaged);
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place that judges what may be trusted"
    )]
    // SAFETY: `code` runs as native code. It is what `Engine::precompile_component` returned (see above), whole (its digest
    // matches), and made by an engine with the compatibility hash of `made_by`; wasmtime checks its own version and the CPU's features again.
    let component = unsafe { Component::deserialize(engine, code) };
    component.map_err(AotError::Load)
}

/// A number that changes with wasmtime's version, the engine's settings and the machine's processor.
pub(crate) fn compatibility(engine: &Engine) -> u64 {
    // `DefaultHasher::new` has fixed keys; it may differ between compilers' versions, and then an image is just not used.
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Optimisation, compiling_engine};
    use crate::{Allocation, RuntimeClass, componentise, engine};

    /// Loads an image as if it were part of the binary.
    #[expect(clippy::disallowed_methods, reason = "the image was made a line before")]
    fn try_load(engine: &Engine, image: Vec<u8>) -> Result<(), AotError> {
        load(engine, Box::leak(image.into_boxed_slice())).map(drop)
    }

    #[test]
    fn only_what_this_engine_made_is_loaded() {
        // Compiling and running differ in nothing that matters to the code.
        let compiler = engine(RuntimeClass::Policy, Allocation::OnDemand).unwrap();
        let runner = engine(RuntimeClass::Policy, Allocation::Pooled).unwrap();
        let component = wat::parse_str("(component)").unwrap();
        let image = precompile(&compiler, &component).unwrap();
        assert!(try_load(&runner, image.clone()).is_ok());

        let flipped = |at: usize| {
            let mut image = image.clone();
            image[at] ^= 1;
            try_load(&runner, image)
        };
        assert!(matches!(flipped(0), Err(AotError::Damaged)));
        assert!(matches!(flipped(8), Err(AotError::Incompatible)));
        assert!(matches!(flipped(20), Err(AotError::Damaged)));
        assert!(matches!(flipped(image.len() - 1), Err(AotError::Damaged)));
        assert!(matches!(
            try_load(&runner, image[..HEADER - 1].to_vec()),
            Err(AotError::Damaged)
        ));
        assert!(matches!(
            try_load(&runner, image[..image.len() - 1].to_vec()),
            Err(AotError::Damaged)
        ));
        assert!(matches!(try_load(&runner, component), Err(AotError::Damaged)));
    }

    #[test]
    fn what_no_policy_needs_does_not_compile() {
        let engine = engine(RuntimeClass::Policy, Allocation::OnDemand).unwrap();
        let refused = |text: &str| {
            let component = wat::parse_str(format!("(component (core module {text}))")).unwrap();
            assert!(compile(&engine, &component).is_err(), "{text}");
        };
        refused("(memory i64 1)");
        refused("(memory 1 1 shared)");
        refused("(func (return_call 0))");
        refused("(tag)");
        refused("(type (struct))");
    }

    #[test]
    fn what_was_compiled_quickly_runs_in_the_same_engine() {
        let runner = engine(RuntimeClass::Policy, Allocation::Pooled).unwrap();
        let quick =
            compiling_engine(RuntimeClass::Policy, Allocation::OnDemand, Optimisation::Quick).unwrap();
        let component = wat::parse_str("(component (core module (memory 1) (memory 1)))").unwrap();
        let image = precompile(&quick, &component).unwrap();
        load_compiled(&runner, &quick, &image).unwrap();
        assert!(matches!(try_load(&runner, image), Err(AotError::Incompatible)));
    }

    /// What passes a text from one part to another is made of the memories of both.
    #[test]
    fn a_component_that_was_composed_of_two_compiles() {
        let text = r#"(component
          (component $callee
            (core module $m
              (memory (export "memory") 1)
              (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
              (func (export "f") (param i32 i32)))
            (core instance $i (instantiate $m))
            (func (export "f") (param "x" string)
              (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
          (component $caller
            (import "f" (func $f (param "x" string)))
            (core module $memory (memory (export "memory") 1))
            (core instance $own (instantiate $memory))
            (core func $lowered (canon lower (func $f) (memory (core memory $own "memory"))))
            (core module $m (import "" "f" (func (param i32 i32))))
            (core instance (instantiate $m (with "" (instance (export "f" (func $lowered)))))))
          (instance $callee (instantiate $callee))
          (instance (instantiate $caller (with "f" (func $callee "f")))))"#;
        let component = wat::parse_str(text).unwrap();
        for class in RuntimeClass::ALL {
            let engine = engine(class, Allocation::OnDemand).unwrap();
            compile(&engine, &component).unwrap();
        }
    }

    #[test]
    fn a_component_of_too_many_parts_is_refused_with_the_number() {
        let compiler = engine(RuntimeClass::Policy, Allocation::OnDemand).unwrap();
        let runner = engine(RuntimeClass::Policy, Allocation::Pooled).unwrap();
        let composed = |parts: usize| {
            let instances = "(core instance (instantiate $m))".repeat(parts);
            let text = format!("(component (core module $m) {instances})");
            let image = precompile(&compiler, &wat::parse_str(text).unwrap()).unwrap();
            load_compiled(&runner, &compiler, &image).map(drop)
        };
        assert!(composed(64).is_ok());
        let refused = composed(65).unwrap_err().to_string();
        assert!(refused.contains("65") && refused.contains("64"), "{refused}");
    }

    #[test]
    fn a_module_that_says_no_world_is_not_wrapped() {
        let module = wat::parse_str(r#"(module (import "a" "b" (func)))"#).unwrap();
        assert!(componentise(&module).is_err());
    }
}
