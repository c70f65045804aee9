//! Trees to manifests: which files count, how they are decoded, and what every object must have before it goes on.
//!
//! [`render`] takes a [`Verified`] tree and nothing else, so nothing is read before the verify stage has answered.
//! [`decode`] is the same decoding for text that comes from elsewhere (`sluice health -f`). [`settle`] then fills in
//! namespaces and refuses what the cluster cannot take; it asks a [`Scopes`] which kinds there are, and does no I/O itself.
//!
//! Text is decoded exactly as `kubectl` decodes it: YAML 1.1 scalars as `sigs.k8s.io/yaml` resolves them, then JSON.
//! Three things are stricter, because a manifest under version control should not mean two things: a key given twice, a
//! tag that is not defined, and a document that is no Kubernetes object are errors.
//!
//! Every problem of every file is reported at once, each with its code and its place ([`RenderErrors`]).
//!
//! Where to start reading: [`render`], then `decode`, then `scalar` for the rules of single values.
#![forbid(unsafe_code)]

mod decode;
mod document;
mod error;
mod json;
mod metadata;
mod parse;
mod place;
mod scalar;
mod select;
mod settle;
mod stream;
mod yaml;

use sluice_model::application::Source;
use sluice_model::manifest::Manifest;
use sluice_model::tree::Tree;
use sluice_model::trust::Verified;

pub use decode::{Limits, decode, decode_within};
pub use error::{Place, Problem, RenderError, RenderErrors, codes};
pub use place::key as place_of_key;
pub use settle::{Scope, Scopes, settle};

/// Reads the manifests of a verified tree: the files that `source` selects, in the order of their paths, and within a
/// file in the order of their documents.
///
/// No manifest at all is an answer, not an error: the plan must never take it as a reason to delete anything.
///
/// # Errors
/// Everything that is wrong, in all files, not only the first thing.
pub fn render(tree: &Verified<Tree>, source: &Source) -> Result<Vec<Manifest>, RenderErrors> {
    let tree = tree.get();
    let mut errors = RenderErrors::default();
    let mut manifests = Vec::new();
    match select::files(tree, &source.directory) {
        Ok(files) => {
            let mut budget = Limits::default().total_bytes;
            for (path, bytes) in files {
                match budget.checked_sub(bytes.len()) {
                    Some(rest) => budget = rest,
                    None => {
                        errors.push(RenderError::at(
                            path,
                            1,
                            1,
                            Problem::TooMuch {
                                limit: Limits::default().total_bytes,
                            },
                        ));
                        break;
                    }
                }
                match decode(path, bytes) {
                    Ok(found) => {
                        found
                            .iter()
                            .flat_map(|manifest| metadata::check(manifest, bytes))
                            .for_each(|error| errors.push(error));
                        manifests.extend(found);
                    }
                    Err(wrong) => errors.extend(wrong),
                }
            }
        }
        Err(wrong) => errors.extend(wrong),
    }
    errors.into_result(manifests)
}
