//! A chart with dependencies of a chart repository: what `helm dependency build` and `helm template` print, and what the component and the
//! stage that fetches charts come to, byte for byte.
#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use serde_json::Value;
use sluice_charts::{Charts, Place};
use sluice_render_tests::{
    Limits, Renderer, Repository,
    wit::{File, Need, Supply},
};
use sluice_sandbox::{FileServer, Folder, helm, index_charts, output, package_chart};
use sluice_source::Access;

const CONTEXT: &str = r#"{"release": "web", "namespace": "shop"}"#;

/// Publishes a chart of one ConfigMap that says what it is and what it was given.
fn publish(server: &FileServer, name: &str, version: &str, more: &[(&str, &str)]) {
    let folder = Folder::new("chart").unwrap();
    let chart = more
        .iter()
        .find_map(|(file, text)| (*file == "Chart.yaml").then_some(*text));
    let chart = format!(
        "apiVersion: v2\nname: {name}\nversion: {version}\n{}",
        chart.unwrap_or_default()
    );
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-{{ .Chart.Name }}'}\n\
        data: {chart: '{{ .Chart.Name }} {{ .Chart.Version }}', size: '{{ .Values.size }}', shared: '{{ .Values.global.shared }}'}\n";
    folder.write("c/Chart.yaml", chart).unwrap();
    folder
        .write("c/values.yaml", "size: default\nexports: {out: {from: child}}\n")
        .unwrap();
    folder.write("c/templates/map.yaml", template).unwrap();
    for (file, text) in more.iter().filter(|(file, _)| *file != "Chart.yaml") {
        folder.write(&format!("c/{file}"), text).unwrap();
    }
    package_chart(&folder.path().join("c"), server.path(), None).unwrap();
    index_charts(server.path()).unwrap();
}

/// What Helm prints after it has filled `charts/` by `how`.
fn native(files: &[(&str, String)], how: &str, repository: &str) -> String {
    let folder = Folder::new("native").unwrap();
    for (file, text) in files {
        folder.write(file, text).unwrap();
    }
    let run = |arguments: &[&str]| output(helm(folder.path()).unwrap().args(arguments)).unwrap();
    // By a lock it takes only repositories that it knows.
    run(&["repo", "add", "all", repository]);
    run(&["dependency", how, "web"]);
    run(&["template", "web", "web", "--namespace", "shop"])
}

/// What the component prints, and which versions were fetched for it.
fn ours(renderer: &Renderer, files: &[(&str, String)]) -> (String, Vec<String>) {
    let cache = Folder::new("charts").unwrap();
    let charts = Charts::new(cache.path());
    let given: Vec<(&str, &str)> = files.iter().map(|(file, text)| (*file, text.as_str())).collect();
    let repository = Repository::of(&given);
    let mut fetched = Vec::new();
    let answer = renderer.render_supplied(&repository, "web", "", CONTEXT, Limits::default(), |need| {
        let Need::Chart(wanted) = &need else {
            return repository.supply(need);
        };
        let wanted: Value = serde_json::from_str(wanted).unwrap();
        let text = |name: &str| wanted[name].as_str().unwrap();
        let place = Place::read(text("repository"), Some(text("name"))).unwrap();
        let chart = charts
            .fetch(&place, text("version"), &Access::default(), "", false)
            .unwrap();
        fetched.push(format!("{} {}", text("name"), chart.version));
        let path = format!(".supplied/{}-{}.tgz", text("name"), chart.version);
        let content = chart.archive.bytes().to_vec();
        let file = File {
            path: path.clone(),
            content,
        };
        Supply {
            need,
            path,
            files: vec![file],
        }
    });
    fetched.sort();
    (answer.printed(), fetched)
}

#[test]
fn dependencies_are_those_that_helm_would_get() {
    let server = FileServer::start().unwrap();
    let url = server.url();
    for version in ["1.0.0", "1.4.2", "2.0.0-rc.1"] {
        publish(&server, "store", version, &[]);
    }
    publish(&server, "extra", "0.3.0", &[]);
    publish(&server, "off", "1.0.0", &[]);
    let library = (
        "templates/_all.tpl",
        "{{- define \"all.say\" -}}said by {{ .Chart.Name }}{{- end }}\n",
    );
    let kind = ("Chart.yaml", "type: library\n");
    publish(
        &server,
        "all",
        "3.1.0",
        &[library, kind, ("templates/map.yaml", "")],
    );
    // A chart that brings its own.
    let inner = format!("dependencies: [{{name: extra, version: 0.x, repository: '{url}', alias: inner}}]\n");
    let folder = Folder::new("outer").unwrap();
    folder
        .write(
            "c/Chart.yaml",
            format!("apiVersion: v2\nname: outer\nversion: 1.0.0\n{inner}"),
        )
        .unwrap();
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: outer}\n";
    folder.write("c/templates/map.yaml", map).unwrap();
    output(helm(folder.path()).unwrap().args(["dependency", "build", "c"])).unwrap();
    package_chart(&folder.path().join("c"), server.path(), None).unwrap();
    index_charts(server.path()).unwrap();

    let chart = format!(
        "apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies:\n\
         - {{name: store, version: ^1, repository: '{url}', import-values: [out]}}\n\
         - {{name: store, version: '>=2.0.0-0', repository: '{url}', alias: second}}\n\
         - {{name: off, version: 1.x, repository: '{url}', condition: off.enabled}}\n\
         - {{name: extra, version: '*', repository: '{url}', tags: [more]}}\n\
         - {{name: all, version: 3.1.0, repository: '{url}'}}\n\
         - {{name: outer, version: ~1.0, repository: '{url}'}}\n"
    );
    let values = "global: {shared: everywhere}\nstore: {size: one}\nsecond: {size: two}\noff: {enabled: false}\ntags: {more: true}\n\
        outer: {inner: {size: deep}}\n";
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {said: {{ include \"all.say\" . }}, imported: {{ .Values.from }}}\n";
    let mut files = vec![
        ("web/Chart.yaml", chart),
        ("web/values.yaml", values.to_owned()),
        ("web/templates/web.yaml", template.to_owned()),
    ];
    let renderer = Renderer::load("helm").unwrap();
    let (printed, fetched) = ours(&renderer, &files);
    assert_eq!(printed.trim_end(), native(&files, "update", &url).trim_end());
    for part in [
        "store 1.4.2",
        "second 2.0.0-rc.1",
        "extra 0.3.0",
        "size: 'deep'",
        "imported: child",
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    assert!(!printed.contains("off 1.0.0"), "{printed}");
    assert!(fetched.contains(&"store 1.4.2".to_owned()), "{fetched:?}");

    // What `Chart.lock` names is taken although the range would allow a newer one by now.
    let lock = locked(&files);
    files.push(("web/Chart.lock", lock));
    publish(&server, "store", "1.5.0", &[]);
    let (printed, fetched) = ours(&renderer, &files);
    assert!(fetched.contains(&"store 1.4.2".to_owned()), "{fetched:?}");
    assert_eq!(printed.trim_end(), native(&files, "build", &url).trim_end());
    files.pop();
    let (printed, fetched) = ours(&renderer, &files);
    assert!(fetched.contains(&"store 1.5.0".to_owned()), "{fetched:?}");
    assert_eq!(printed.trim_end(), native(&files, "update", &url).trim_end());
}

/// The `Chart.lock` that Helm writes.
fn locked(files: &[(&str, String)]) -> String {
    let folder = Folder::new("locked").unwrap();
    for (file, text) in files {
        folder.write(file, text).unwrap();
    }
    output(helm(folder.path()).unwrap().args(["dependency", "update", "web"])).unwrap();
    fs_err::read_to_string(folder.path().join("web/Chart.lock")).unwrap()
}
