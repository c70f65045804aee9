//! What a chart says of itself, and where each chart that it depends on is from. For people: the renderer finds dependencies by itself.

use serde::{Deserialize, Serialize};
use sluice_model::rendering::SuppliedChart;
use sluice_model::tree::{Tree, below, joined};

/// A chart, as its `Chart.yaml` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chart {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A chart that another one depends on, or that a kustomization renders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// The version or range that is asked for; empty where none is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub wanted: String,
    /// The version that is there, if that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// A path of the repository, or the URL of another place.
    pub from: String,
    /// SHA-256 of its archive, if it was fetched: 64 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// `Chart.yaml`, and `requirements.yaml` of old charts, as much of them as is told.
#[derive(Default, Deserialize)]
struct Written {
    #[serde(default)]
    dependencies: Option<Vec<Declared>>,
}

#[derive(Deserialize)]
struct Declared {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    repository: String,
}

impl Chart {
    /// Returns what the chart of a folder says of itself; none if there is none, or it cannot be read.
    pub fn of(tree: &Tree) -> Option<Self> {
        read(tree, "Chart.yaml")
    }
}

impl Dependency {
    /// Returns what the chart of a folder depends on: what it declares, in that order, then what else is in `charts/`. `supplied` are the
    /// charts that were fetched for it. Of one that is there in two ways that of `charts/` counts, as it does when the chart is rendered.
    pub fn of_chart(tree: &Tree, supplied: &[SuppliedChart]) -> Vec<Self> {
        let declared = ["Chart.yaml", "requirements.yaml"]
            .into_iter()
            .find_map(|file| read::<Written>(tree, file)?.dependencies);
        let mut beside = beside(tree);
        let mut dependencies = Vec::new();
        for Declared {
            name,
            version,
            repository,
        } in declared.unwrap_or_default()
        {
            let is_meant = |found: &&SuppliedChart| (&found.name, &found.repository) == (&name, &repository);
            let fetched = supplied.iter().filter(is_meant);
            // The same chart may be there in two versions, under two aliases.
            let exact = fetched.clone().find(|found| found.wanted == version);
            let place = beside.iter().position(|found| found.name == name);
            dependencies.push(match (place, exact.or_else(|| fetched.clone().next())) {
                (Some(place), _) => Self {
                    wanted: version,
                    ..beside.remove(place)
                },
                (None, Some(found)) => Self {
                    wanted: version,
                    ..Self::from(found)
                },
                (None, None) => Self {
                    name,
                    wanted: version,
                    from: repository,
                    ..Self::default()
                },
            });
        }
        dependencies.extend(beside);
        dependencies
    }
}

impl From<&SuppliedChart> for Dependency {
    fn from(chart: &SuppliedChart) -> Self {
        Self {
            name: chart.name.clone(),
            wanted: chart.wanted.clone(),
            version: Some(chart.version.clone()),
            from: chart.repository.clone(),
            digest: Some(chart.digest.clone()),
        }
    }
}

/// What is in `charts/`, folders and archives, by path.
fn beside(tree: &Tree) -> Vec<Dependency> {
    let names = tree.files.keys().filter_map(|path| {
        let name = below(path, &tree.path)?.strip_prefix("charts/")?;
        match name.split_once('/') {
            Some((folder, "Chart.yaml")) => read::<Chart>(tree, &format!("charts/{folder}/Chart.yaml"))
                .map(|chart| (chart.name, Some(chart.version), path.strip_suffix("/Chart.yaml"))),
            Some(_) => None,
            None => {
                let (name, version) = of_archive(name)?;
                Some((name.to_owned(), version.map(str::to_owned), Some(path)))
            }
        }
    });
    names
        .map(|(name, version, from)| Dependency {
            name,
            version,
            from: from.unwrap_or_default().to_owned(),
            ..Dependency::default()
        })
        .collect()
}

/// The chart and version that the name of an archive says, as `helm package` names it.
fn of_archive(file: &str) -> Option<(&str, Option<&str>)> {
    let stem = file.strip_suffix(".tgz")?;
    let is_version = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_digit() || first == 'v') && text.contains('.')
    };
    let split = stem.match_indices('-').find_map(|(at, _)| {
        Some((stem.get(..at)?, stem.get(at + 1..)?)).filter(|(_, rest)| is_version(rest))
    });
    Some(split.map_or((stem, None), |(name, version)| (name, Some(version))))
}

fn read<T: for<'de> Deserialize<'de>>(tree: &Tree, file: &str) -> Option<T> {
    serde_yaml::from_slice(tree.files.get(&joined(&tree.path, file))?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_model::tree::Revision;

    fn tree(path: &str, files: &[(&str, &str)]) -> Tree {
        let file = |(name, text): &(&str, &str)| ((*name).to_owned(), text.as_bytes().into());
        Tree {
            revision: Revision {
                requested: "main".to_owned(),
                commit: "c".repeat(40),
                tree: "d".repeat(40),
                tag: None,
            },
            path: path.to_owned(),
            files: files.iter().map(file).collect(),
            links: Default::default(),
            skipped: Vec::new(),
            submodules: Vec::new(),
        }
    }

    fn supplied(name: &str, wanted: &str, version: &str) -> SuppliedChart {
        SuppliedChart {
            name: name.to_owned(),
            repository: "https://charts.example.org".to_owned(),
            wanted: wanted.to_owned(),
            version: version.to_owned(),
            digest: "ab".to_owned(),
        }
    }

    /// Each as `NAME WANTED VERSION FROM`.
    fn told(tree: &Tree, supplied: &[SuppliedChart]) -> Vec<String> {
        let all = Dependency::of_chart(tree, supplied).into_iter();
        all.map(|one| {
            let version = one.version.as_deref().unwrap_or("?");
            format!("{} {:?} {version} {}", one.name, one.wanted, one.from)
        })
        .collect()
    }

    #[test]
    fn each_dependency_has_its_place() {
        let chart = "name: shop
version: 1.1.0
dependencies:
- {name: folder, version: ^1, repository: 'https://charts.example.org'}
- {name: archive, version: '>=1'}
- {name: beside, version: 1.x, repository: 'file://../beside'}
- {name: fetched, version: ^2, repository: 'https://charts.example.org'}
- {name: fetched, version: ^3, repository: 'https://charts.example.org', alias: other}
- {name: locked, version: ^4, repository: 'https://charts.example.org'}
";
        let files = [
            ("app/Chart.yaml", chart),
            ("app/charts/a/Chart.yaml", "{name: folder, version: 1.2.0}"),
            (
                "app/charts/a/charts/inner/Chart.yaml",
                "{name: inner, version: 9.0.0}",
            ),
            ("app/charts/archive-1.0.0-rc.1.tgz", ""),
            ("app/charts/more.tgz", ""),
            ("app/charts/README.md", ""),
            ("elsewhere/Chart.yaml", "{name: no, version: 1.0.0}"),
        ];
        let fetched = [
            supplied("fetched", "^3", "3.1.0"),
            supplied("fetched", "^2", "2.1.0"),
            supplied("folder", "^1", "1.9.0"),
            // `Chart.lock` asks for less than `Chart.yaml` allows.
            supplied("locked", "4.0.1", "4.0.1"),
        ];
        let tree = tree("app", &files);
        assert_eq!(
            told(&tree, &fetched),
            [
                "folder \"^1\" 1.2.0 app/charts/a",
                "archive \">=1\" 1.0.0-rc.1 app/charts/archive-1.0.0-rc.1.tgz",
                "beside \"1.x\" ? file://../beside",
                "fetched \"^2\" 2.1.0 https://charts.example.org",
                "fetched \"^3\" 3.1.0 https://charts.example.org",
                "locked \"^4\" 4.0.1 https://charts.example.org",
                "more \"\" ? app/charts/more.tgz",
            ]
        );
        let chart = Chart::of(&tree).unwrap();
        assert_eq!((chart.name.as_str(), chart.version.as_str()), ("shop", "1.1.0"));
    }

    #[test]
    fn old_charts_have_a_file_for_it() {
        let files = [
            ("Chart.yaml", "{name: shop, version: 1.0.0}"),
            (
                "requirements.yaml",
                "dependencies: [{name: store, version: 1.0.0, repository: '@stable'}]",
            ),
        ];
        assert_eq!(told(&tree("", &files), &[]), ["store \"1.0.0\" ? @stable"]);
        for text in ["", "[]", "dependencies: 1", "dependencies: [{}]"] {
            let tree = tree("", &[("Chart.yaml", text)]);
            assert_eq!(told(&tree, &[]), [""; 0], "{text}");
            assert_eq!(Chart::of(&tree), None);
        }
    }
}
