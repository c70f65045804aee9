//! Asking a renderer, in rounds: it is handed the folder, says what else it has to see, and is asked again.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use sluice_model::manifest::Manifest;
use sluice_model::rendering::{
    Complaint, Context, Document, File, Input, Need, Outcome, Renderer, Rendering, SuppliedChart, Supply,
};
use sluice_model::tree::{self, Tree};
use sluice_model::trust::Verified;

use crate::bases::guessed;
use crate::error::{Problem, RenderError, RenderErrors};
use crate::kind::{HELM, KUSTOMIZE};
use crate::links::followed;

/// So often one folder is asked for, at most: each round goes at least one folder further.
const ROUNDS: usize = 24;
/// So many needs are met for one folder, at most.
const NEEDS: usize = 1_000;
/// So deep charts and kustomizations are within each other, at most.
const NESTED: usize = 4;

/// The code of what a renderer refuses because it was told no seed or no time.
const WITHOUT_CONTEXT: &str = "context";
/// What can be done then: the renderer does not know where a seed comes from.
const GIVE_A_KEY: &str = "what a chart makes up follows from a key: run the controller and this command with `--shared-namespace`; the controller makes the Secret `sluice-rendering` there";

/// What rendering needs beside the folder itself. The stage does no I/O: who calls it does.
pub trait Tools {
    /// Returns other files of the same verified commit: a file, or all below a folder, the links in the way to it followed. The tree's
    /// own path says where it is in truth. None if there is nothing.
    ///
    /// # Errors
    /// [`Problem::Unreachable`], if the repository cannot be read.
    fn files(&mut self, path: &str) -> Result<Option<Verified<Tree>>, Problem>;

    /// Returns the path by which [`Tools::files`] knows a file or folder of another repository, given by its address.
    ///
    /// # Errors
    /// [`Problem::Unmet`], if it cannot be had or is not trusted.
    fn remote(&mut self, address: &str) -> Result<String, Problem> {
        Err(Problem::Unmet {
            what: format!("`{address}`"),
            reason:
                "bases and files of other repositories are not fetched here: copy it into this repository"
                    .to_owned(),
        })
    }

    /// Gets a chart from elsewhere: a dependency that is not in `charts/`, or one that a kustomization renders.
    ///
    /// # Errors
    /// [`Problem::Unmet`], if it cannot be had or is not trusted.
    fn chart(&mut self, wanted: &WantedChart) -> Result<FetchedChart, Problem> {
        Err(Problem::Unmet {
            what: wanted.to_string(),
            reason: "charts are not fetched here: commit it (`helm dependency build` fills `charts/`)"
                .to_owned(),
        })
    }

    /// Asks a renderer once.
    ///
    /// # Errors
    /// [`Problem::Renderer`] or [`Problem::Plugin`], if there is no such renderer, or it did not answer.
    fn run(&mut self, renderer: Renderer<'_>, input: &Input) -> Result<Outcome, Problem>;

    /// Returns what a rendering depends on besides files and settings. `input` tells one rendering from another, for its randomness.
    fn context(&mut self, input: &Input) -> Context;

    /// Returns true if it has to be known which file each object of a kustomization comes from, which costs time.
    fn wants_origins(&self) -> bool {
        false
    }

    /// Returns what a renderer answered to the same input before, if that is known.
    fn recall(&mut self, _renderer: Renderer<'_>, _input: &Input, _context: &Context) -> Option<Rendering> {
        None
    }

    /// Returns what the rendering that was recalled or remembered last was decoded to before, if that is known: objects and warnings.
    fn decoded(&mut self) -> Option<(Vec<Manifest>, Vec<Complaint>)> {
        None
    }

    /// Is told what the rendering that was recalled or remembered last was decoded to.
    fn keep_decoded(&mut self, _manifests: &[Manifest], _warnings: &[Complaint]) {}

    /// Is told what a renderer answered at last.
    fn remember(
        &mut self,
        _renderer: Renderer<'_>,
        _input: &Input,
        _context: &Context,
        _rendering: &Rendering,
    ) {
    }
}

/// A chart that lies elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct WantedChart {
    /// Its name.
    pub name: String,
    /// `https://…` of a chart repository, or `oci://…`.
    pub repository: String,
    /// Its version, or a range; empty for the newest.
    pub version: String,
}

impl fmt::Display for WantedChart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the chart `{}`", self.name)?;
        if !self.version.is_empty() {
            write!(formatter, " {}", self.version)?;
        }
        if !self.repository.is_empty() {
            write!(formatter, " of {}", self.repository)?;
        }
        Ok(())
    }
}

/// A chart from elsewhere, let through as what asks for it was.
#[derive(Debug, Clone)]
pub struct FetchedChart {
    /// Its files; the tree's path is the chart's folder.
    pub tree: Verified<Tree>,
    /// The archive that they are from, byte for byte.
    pub archive: Arc<[u8]>,
    /// Its version.
    pub version: String,
}

/// No tools: for plain manifests, which need none.
pub struct NoTools;

impl Tools for NoTools {
    fn files(&mut self, _: &str) -> Result<Option<Verified<Tree>>, Problem> {
        Ok(None)
    }

    fn run(&mut self, renderer: Renderer<'_>, _: &Input) -> Result<Outcome, Problem> {
        Err(Problem::Renderer {
            renderer: renderer.name().to_owned(),
            reason: "there is none here".to_owned(),
        })
    }

    fn context(&mut self, _: &Input) -> Context {
        Context::default()
    }
}

/// Renders a folder of the repository.
pub(crate) fn rendering(
    renderer: Renderer<'_>,
    tree: &Tree,
    settings: String,
    tools: &mut dyn Tools,
) -> Result<Rendering, RenderErrors> {
    let input = Input {
        path: tree.path.clone(),
        files: followed(tree, &tree.path, tools)?,
        settings,
        ..Input::default()
    };
    answered(renderer, input, tools)
}

/// Asks a renderer until there is an answer.
pub(crate) fn answered(
    renderer: Renderer<'_>,
    input: Input,
    tools: &mut dyn Tools,
) -> Result<Rendering, RenderErrors> {
    Rounds {
        tools,
        depth: 0,
        inner: Rendering::default(),
    }
    .answer(renderer, input)
}

struct Rounds<'t> {
    tools: &'t mut dyn Tools,
    depth: usize,
    /// What charts within read and made up, and what was fetched: the whole follows from that too.
    inner: Rendering,
}

impl Rounds<'_> {
    fn answer(&mut self, renderer: Renderer<'_>, mut input: Input) -> Result<Rendering, RenderErrors> {
        let context = self.tools.context(&input);
        if let Some(rendering) = self.tools.recall(renderer, &input, &context) {
            return Ok(rendering);
        }
        input.context = serde_json::to_string(&context).unwrap_or_default();
        if renderer == KUSTOMIZE {
            input.supplied = guessed(&input.path, &input.files, self.tools);
        }
        let here =
            |problem: Problem, input: &Input| RenderErrors::from(RenderError::at(&input.path, 0, 0, problem));
        for _ in 0..ROUNDS {
            let outcome = self.tools.run(renderer, &input);
            match outcome.map_err(|problem| here(problem, &input))? {
                Outcome::Rendered(mut rendering) => {
                    rendering.read = united(rendering.read, &self.inner.read);
                    if let Renderer::Added(_) = renderer {
                        rendering.read = united(rendering.read, &handed_over(&input));
                    }
                    rendering.random = united(rendering.random, &self.inner.random);
                    rendering.warnings.append(&mut self.inner.warnings);
                    rendering.charts.append(&mut self.inner.charts);
                    self.tools.remember(renderer, &input, &context, &rendering);
                    return Ok(rendering);
                }
                Outcome::Refused(complaints) => return Err(refused(renderer, &input, complaints)),
                Outcome::Needs(needs) => {
                    let met: BTreeSet<&Need> = input.supplied.iter().map(|supply| &supply.need).collect();
                    let needs: BTreeSet<Need> =
                        needs.into_iter().filter(|need| !met.contains(need)).collect();
                    if needs.is_empty() || met.len() + needs.len() > NEEDS {
                        break;
                    }
                    for need in needs {
                        let supply =
                            self.supply(&need, input.supplied.len())
                                .map_err(|error| match error {
                                    Met::Problem(problem) => here(problem, &input),
                                    Met::Errors(errors) => errors,
                                })?;
                        input.supplied.push(supply);
                    }
                }
            }
        }
        let reason = format!("it has no answer after {ROUNDS} rounds or {NEEDS} questions for more files");
        let renderer = renderer.name().to_owned();
        Err(here(Problem::Renderer { renderer, reason }, &input))
    }

    fn supply(&mut self, need: &Need, number: usize) -> Result<Supply, Met> {
        let (path, files) = match need {
            Need::Path(path) => (path.clone(), self.files(path)?),
            Need::Remote(address) => {
                let path = self.tools.remote(address)?;
                let files = self.files(&path)?;
                (path, files)
            }
            Need::Chart(chart) => {
                let (wanted, fetched) = self.fetch(chart)?;
                let path = format!(".supplied/+{number}/{}-{}.tgz", wanted.name, fetched.version);
                let file = File {
                    path: path.clone(),
                    content: fetched.archive,
                };
                (path, vec![file])
            }
            Need::Inflation(inflation) => {
                let path = format!(".supplied/+{number}/rendered.yaml");
                let text = self.inflate(inflation)?;
                let file = File {
                    path: path.clone(),
                    content: text.into_bytes().into(),
                };
                (path, vec![file])
            }
        };
        Ok(Supply {
            need: need.clone(),
            path,
            files,
        })
    }

    /// What is at a path, under that path; nothing if there is nothing.
    fn files(&mut self, path: &str) -> Result<Vec<File>, Met> {
        check(path)?;
        let Some(tree) = self.tools.files(path)? else {
            return Ok(Vec::new());
        };
        followed(tree.get(), path, self.tools).map_err(Met::Errors)
    }

    fn fetch(&mut self, asked: &str) -> Result<(WantedChart, FetchedChart), Problem> {
        let wanted: WantedChart = serde_json::from_str(asked).map_err(|error| Problem::Unmet {
            what: "a chart".to_owned(),
            reason: error.to_string(),
        })?;
        if wanted.repository.is_empty() {
            return Err(Problem::Unmet {
                what: wanted.to_string(),
                reason: "it is not in the repository, and it says no `repo` that it could be fetched from"
                    .to_owned(),
            });
        }
        let fetched = self.tools.chart(&wanted)?;
        self.inner.charts.push(SuppliedChart {
            name: wanted.name.clone(),
            repository: wanted.repository.clone(),
            wanted: wanted.version.clone(),
            version: fetched.version.clone(),
            digest: fetched.tree.get().revision.commit.clone(),
        });
        Ok((wanted, fetched))
    }

    /// Renders a chart for a kustomization: one of the same repository, or else one that is fetched.
    fn inflate(&mut self, inflation: &str) -> Result<String, Met> {
        let malformed = |reason: String| Problem::Unmet {
            what: "a chart".to_owned(),
            reason,
        };
        let asked: Inflation =
            serde_json::from_str(inflation).map_err(|error| malformed(error.to_string()))?;
        if self.depth >= NESTED {
            return Err(Met::Problem(malformed(format!(
                "charts and kustomizations are more than {NESTED} deep within each other"
            ))));
        }
        let beside = match &asked.path {
            Some(path) => {
                check(path)?;
                let tree = self.tools.files(path)?.map(|tree| (path.clone(), tree));
                tree.map(|(path, tree)| {
                    let files = followed(tree.get(), &path, self.tools);
                    files.map(|files| (path, files)).map_err(Met::Errors)
                })
                .transpose()?
            }
            None => None,
        };
        let (path, files) = match beside {
            Some(beside) => beside,
            None => {
                let (_, fetched) = self.fetch(inflation)?;
                let tree = fetched.tree.get();
                let files = tree.files.iter().map(|(path, content)| File {
                    path: path.clone(),
                    content: Arc::clone(content),
                });
                (tree.path.clone(), files.collect())
            }
        };
        let input = Input {
            path,
            files,
            settings: asked.helm.to_string(),
            ..Input::default()
        };
        let mut inner = Rounds {
            tools: &mut *self.tools,
            depth: self.depth + 1,
            inner: Rendering::default(),
        };
        let mut rendering = inner.answer(HELM, input).map_err(Met::Errors)?;
        self.inner.read.append(&mut rendering.read);
        self.inner.random.append(&mut rendering.random);
        self.inner.warnings.append(&mut rendering.warnings);
        self.inner.charts.append(&mut rendering.charts);
        Ok(joined(&rendering.documents))
    }
}

/// Both, sorted, each once.
fn united(some: Vec<String>, more: &[String]) -> Vec<String> {
    let all: BTreeSet<String> = some.into_iter().chain(more.iter().cloned()).collect();
    all.into_iter().collect()
}

/// All that a renderer was handed, as paths that it read. What one of others says of that is not relied on: a file that it forgets to name
/// would leave an old rendering in place.
fn handed_over(input: &Input) -> Vec<String> {
    let folder = |path: &str| match path {
        "" => String::new(),
        path => format!("{path}/"),
    };
    let paths = input.supplied.iter().map(|supply| &supply.path);
    let supplied = paths.flat_map(|path| [path.clone(), folder(path)]);
    std::iter::once(folder(&input.path)).chain(supplied).collect()
}

/// Why a need is not met.
enum Met {
    Problem(Problem),
    Errors(RenderErrors),
}

impl From<Problem> for Met {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

#[derive(Deserialize)]
struct Inflation {
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    helm: serde_json::Value,
}

/// Documents as one text, as Helm prints them.
pub(crate) fn joined(documents: &[Document]) -> String {
    documents
        .iter()
        .map(|document| format!("---\n{}\n", document.text))
        .collect()
}

/// A renderer says which path it wants; that it stays within the repository is checked here all the same.
fn check(path: &str) -> Result<(), Problem> {
    let is_clean = !path.starts_with('/')
        && path
            .split('/')
            .all(|part| (!part.is_empty() || path.is_empty()) && part != "." && part != "..");
    is_clean.then_some(()).ok_or_else(|| Problem::Unmet {
        what: format!("{path:?}"),
        reason: "it is not a path within the repository".to_owned(),
    })
}

fn refused(renderer: Renderer<'_>, input: &Input, complaints: Vec<Complaint>) -> RenderErrors {
    let complaints = match complaints.is_empty() {
        true => vec![Complaint {
            message: "it cannot be rendered, and the renderer does not say why".to_owned(),
            ..Complaint::default()
        }],
        false => complaints,
    };
    let errors = complaints.into_iter().map(|mut complaint| {
        if complaint.code == WITHOUT_CONTEXT {
            complaint.hint = Some(GIVE_A_KEY.to_owned());
        }
        let file = complaint.file.as_deref().unwrap_or(&input.path);
        let file = match renderer {
            HELM => in_repository(input, file),
            _ => file.to_owned(),
        };
        let line = complaint.line.unwrap_or_default();
        let complaint = Box::new(complaint);
        let renderer = renderer.name().to_owned();
        let problem = Problem::Refused { renderer, complaint };
        RenderErrors::from(RenderError::at(&file, line, 0, problem))
    });
    RenderErrors::all(errors)
}

/// Helm names files by their chart, `NAME/templates/x.yaml`. Returns where that is in the repository; what is in an archive keeps the name
/// that Helm gives it.
fn in_repository(input: &Input, named: &str) -> String {
    let is_there = |path: &str| input.files.iter().any(|file| file.path == path);
    if is_there(named) {
        return named.to_owned();
    }
    let below = named
        .split_once('/')
        .map(|(_, below)| tree::joined(&input.path, below));
    below
        .filter(|path| is_there(path))
        .unwrap_or_else(|| named.to_owned())
}
