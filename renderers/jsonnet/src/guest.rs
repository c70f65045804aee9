//! The world `render-files`.

use std::rc::Rc;

use serde_json::json;

use crate::{
    evaluate::{Settings, evaluate},
    problem::{CODES, Problem},
    tree::Tree,
};

mod bindings {
    #![allow(
        clippy::all,
        missing_docs,
        unreachable_pub,
        unsafe_op_in_unsafe_fn,
        reason = "generated"
    )]
    wit_bindgen::generate!({ path: "../../wit/render/0.1.0", world: "render-files" });
}

use bindings::exports::sluice::render::renderer::{
    self, Document, Guest, Input, Need, Outcome, Part, Rendering,
};

struct Jsonnet;

impl Guest for Jsonnet {
    fn describe() -> String {
        let codes: serde_json::Map<_, _> = CODES
            .iter()
            .map(|(code, meaning)| ((*code).to_owned(), json!(meaning)))
            .collect();
        json!({
            "name": "jsonnet", "version": env!("CARGO_PKG_VERSION"),
            "library": {"jrsonnet": "0.5.0-pre98"}, "kinds": ["jsonnet"], "codes": codes,
        })
        .to_string()
    }

    fn render(input: Input) -> Outcome {
        let mut tree = Tree::default();
        tree.add(
            &input.path,
            input.files.into_iter().map(|file| (file.path, file.content)),
        );
        for supply in input.supplied {
            tree.add(
                &supply.path,
                supply.files.into_iter().map(|file| (file.path, file.content)),
            );
        }
        let tree = Rc::new(tree);
        let evaluated =
            Settings::parse(&input.settings).and_then(|settings| evaluate(&tree, &input.path, &settings));
        let needs = tree.needs();
        match evaluated {
            // What was answered without something that should have been looked at is no answer.
            _ if !needs.is_empty() => Outcome::Needs(needs.into_iter().map(Need::Path).collect()),
            Err(problem) => Outcome::Refused(vec![problem.into()]),
            Ok(documents) => Outcome::Rendered(Rendering {
                documents: documents
                    .into_iter()
                    .map(|document| Document {
                        text: document.text,
                        source: document.source,
                        part: Part::Manifest,
                    })
                    .collect(),
                notes: None,
                read: tree.looked(),
                random: Vec::new(),
                warnings: Vec::new(),
            }),
        }
    }
}

impl From<Problem> for renderer::Problem {
    fn from(problem: Problem) -> Self {
        Self {
            code: problem.code.to_owned(),
            message: problem.message,
            file: problem.file,
            line: problem.line,
            hint: None,
            trace: problem.trace,
        }
    }
}

bindings::export!(Jsonnet with_types_in bindings);

/// There is no chance here. Called by nothing; what could colour traces has to be able to name it.
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(_: *mut u8, _: usize) -> Result<(), getrandom::Error> {
    Err(getrandom::Error::UNSUPPORTED)
}
