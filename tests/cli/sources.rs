//! What one source of an Application takes of another, and the expressions in their settings: values files, bases, variables.

use serde_json::{Value, json};

use crate::program::{run, text};
use crate::repositories::World;

const CHART: &str = "apiVersion: v2\nname: shop\nversion: 0.1.0\n";
const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {said: {{ .Values.said | quote }}, more: {{ .Values.more | quote }}}\n";
const PLAIN: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: plain\n";

/// Two repositories: one with the charts and overlays that are rendered, one with values and bases.
struct Pair {
    own: World,
    other: World,
}

impl Pair {
    fn new() -> Self {
        Self {
            own: World::new(),
            other: World::new(),
        }
    }

    /// An Application of both; `settings` are those of the first.
    fn application(&self, settings: Value) -> String {
        let mut own = json!({"name": "app", "repoURL": format!("file://{}", self.own.name("repo")), "targetRevision": "main", "path": "app"});
        for (name, value) in settings.as_object().unwrap() {
            own[name] = value.clone();
        }
        let other = json!({"ref": "values", "repoURL": self.address(), "targetRevision": "main"});
        self.own.application(|application| {
            let spec = application["spec"].as_object_mut().unwrap();
            spec.remove("source");
            spec.insert("sources".to_owned(), json!([own, other]));
        })
    }

    fn address(&self) -> String {
        format!("file://{}", self.other.name("repo"))
    }

    fn rendered(&self, settings: Value) -> String {
        let output = self.own.render(&self.application(settings), &[]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    }

    fn refused(&self, settings: Value) -> String {
        let output = self.own.render(&self.application(settings), &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}{}", text(&output.stdout));
        said
    }
}

#[test]
fn a_chart_takes_its_values_from_another_source() {
    let pair = Pair::new();
    // A chart at the repository's root is handed the whole repository, and yet not what is of another.
    for (path, folder) in [("app", "app/"), (".", "")] {
        for (file, content) in [
            ("Chart.yaml", CHART),
            ("values.yaml", "{said: own, more: own}\n"),
            ("templates/config.yaml", CONFIG),
        ] {
            pair.own
                .commit(&format!("{folder}{file}"), &format!("{content}\n"), false);
        }
        pair.other
            .commit("envs/prod.yaml", &format!("said: other {path}\n"), false);
        pair.other
            .commit("envs/app/more.yaml", &format!("more: by name {path}\n"), false);
        pair.other.commit("text", "a file", false);
        let helm = json!({"valueFiles": ["$values/envs/prod.yaml", "$values/envs/$ARGOCD_APP_NAME/*.yaml"]});
        let printed = pair.rendered(json!({"path": path, "helm": helm}));
        assert!(printed.contains(&format!("\"other {path}\"")), "{printed}");
        assert!(printed.contains("by name"), "{printed}");
        let helm = json!({"fileParameters": [{"name": "said", "path": "$values/text"}]});
        let printed = pair.rendered(json!({"path": path, "helm": helm}));
        assert!(printed.contains("said: \"a file\""), "{printed}");
        // What changes there is seen, and what is not there is missed.
        pair.other.commit("text", "another file", false);
        let helm = json!({"fileParameters": [{"name": "said", "path": "$values/text"}]});
        assert!(
            pair.rendered(json!({"path": path, "helm": helm}))
                .contains("another file")
        );
        let gone = json!({"path": path, "helm": {"valueFiles": ["$values/gone.yaml"]}});
        assert!(pair.refused(gone).contains("$values/gone.yaml"));
    }
    let unknown =
        pair.refused(json!({"helm": {"valueFiles": ["$valeus/a.yaml"], "ignoreMissingValueFiles": true}}));
    assert!(
        unknown.contains("error[K04]") && unknown.contains("`ref: valeus`"),
        "{unknown}"
    );
    for path in ["$values/../../etc/passwd", "$values/../app/values.yaml"] {
        let said = pair.refused(json!({"helm": {"valueFiles": [path]}}));
        assert!(said.contains("error[R20]"), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn links_never_lead_from_one_source_into_another() {
    let pair = Pair::new();
    for (file, content) in [
        ("app/Chart.yaml", CHART),
        ("app/values.yaml", "{said: own, more: own}\n"),
        ("app/templates/config.yaml", CONFIG),
        // What the own repository has below the name of another source is out of sight.
        ("$values/envs/prod.yaml", "said: forged\n"),
    ] {
        pair.own.commit(file, content, false);
    }
    std::os::unix::fs::symlink("../$values/envs/prod.yaml", pair.own.path("repo/app/linked.yaml")).unwrap();
    pair.other.commit("envs/prod.yaml", "said: other\n", false);
    std::os::unix::fs::symlink("envs/prod.yaml", pair.other.path("repo/inside.yaml")).unwrap();
    std::os::unix::fs::symlink("../app/values.yaml", pair.other.path("repo/outside.yaml")).unwrap();
    for world in [&pair.own, &pair.other] {
        world.commit("readme", "-", false);
    }
    let said = |file: &str| pair.rendered(json!({"helm": {"valueFiles": [file]}}));
    assert!(said("$values/envs/prod.yaml").contains("other"));
    assert!(said("$values/inside.yaml").contains("other"));
    for file in ["linked.yaml", "$values/outside.yaml"] {
        let said = pair.refused(json!({"helm": {"valueFiles": [file]}}));
        assert!(said.contains("is not there"), "{said}");
    }
}

#[test]
fn a_kustomization_takes_bases_of_declared_sources() {
    let pair = Pair::new();
    pair.other.commit(
        "base/kustomization.yaml",
        "resources: [../parts, plain.yaml]\n",
        false,
    );
    pair.other.commit("base/plain.yaml", PLAIN, false);
    pair.other
        .commit("parts/kustomization.yaml", "resources: [part.yaml]\n", false);
    pair.other
        .commit("parts/part.yaml", &PLAIN.replace("plain", "part"), false);
    pair.other.git(&["tag", "v1"]);
    let commit = pair.other.git(&["rev-parse", "HEAD"]);
    let address = pair.address();
    let names = |printed: &str| {
        let names = printed.lines().filter_map(|line| line.strip_prefix("  name: "));
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    for path in ["app", "."] {
        let overlay = |resource: &str| {
            let file = match path {
                "." => "kustomization.yaml",
                _ => "app/kustomization.yaml",
            };
            let content = format!("resources: ['{resource}']\nnamePrefix: prod-\n");
            pair.own.commit(file, &format!("{content}# {path}\n"), false);
            json!({"path": path})
        };
        for resource in [
            format!("{address}//base"),
            format!("{address}//base?ref=main"),
            format!("{address}//base/?ref=v1"),
            format!("git::{address}//base?ref={commit}"),
        ] {
            let printed = pair.rendered(overlay(&resource));
            assert_eq!(names(&printed), ["prod-part", "prod-plain"], "{resource}");
        }
        let file = pair.rendered(overlay(&format!("{address}//base/plain.yaml?ref=v1")));
        assert_eq!(names(&file), ["prod-plain"]);
        for (resource, code, words) in [
            (
                format!("{address}//base?ref=v2"),
                "R22",
                "is at `main`, and not at `v2`",
            ),
            (
                format!("{address}//gone"),
                "R20",
                "the repository has nothing there",
            ),
            (format!("{address}//../x"), "R22", "add it to `spec.sources`"),
            (
                "https://127.0.0.1:1/base".to_owned(),
                "R22",
                "add it to `spec.sources`",
            ),
            (
                "https://github.com/a/b//c?ref=v1".to_owned(),
                "R22",
                "add it to `spec.sources`",
            ),
        ] {
            let said = pair.refused(overlay(&resource));
            assert!(
                said.contains(&format!("error[{code}]")) && said.contains(words),
                "{resource}: {said}"
            );
        }
    }
    // A base stays in the repository that it was taken from.
    pair.other
        .commit("base/kustomization.yaml", "resources: [../../app]\n", false);
    pair.own.commit(
        "app/kustomization.yaml",
        &format!("resources: ['{address}//base']\n"),
        false,
    );
    let said = pair.refused(json!({}));
    assert!(
        said.contains("error[R20]") && said.contains("leaves the repository"),
        "{said}"
    );
}

#[test]
fn expressions_are_replaced_by_variables() {
    let pair = Pair::new();
    for (file, content) in [
        ("apps/prod/Chart.yaml", CHART),
        ("apps/prod/values.yaml", "{said: own, more: own}\n"),
        ("apps/prod/templates/config.yaml", CONFIG),
    ] {
        pair.own.commit(file, content, false);
    }
    pair.other
        .commit("envs/prod.yaml", "{region: eu, limits: {pods: 3}}\n", false);
    let application = |settings: Value, scopes: Value| {
        let file = pair.application(settings);
        let mut application: Value = serde_json::from_str(&fs_err::read_to_string(&file).unwrap()).unwrap();
        for (name, value) in scopes.as_object().unwrap() {
            application["spec"][name] = value.clone();
        }
        fs_err::write(&file, application.to_string()).unwrap();
        file
    };
    let scopes = json!({
        "service": {"name": "shop"},
        "environment": {"name": "prod", "variables": {"team": "blue"},
            "variablesFrom": [{"source": "values", "path": "envs/<+env.name>.yaml"}]},
    });
    let settings = json!({"path": "apps/<+env.name>", "helm": {
        "valuesObject": {"said": "<+service.name> of <+env.variables.team> in <+env.variables.region>"},
        "parameters": [{"name": "more", "value": "<+env.variables.limits.pods>"}],
    }});
    let file = application(settings.clone(), scopes.clone());
    let output = pair.own.render(&file, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    assert!(
        printed.contains("said: \"shop of blue in eu\", more: \"3\""),
        "{printed}"
    );

    let cache = pair.own.name("cache");
    let explained = run(&[
        "explain",
        "--application",
        &file,
        "--offline",
        "--cache-dir",
        &cache,
    ]);
    assert_eq!(explained.status.code(), Some(0), "{}", text(&explained.stderr));
    insta::assert_snapshot!("variables", text(&explained.stdout));
    let explained = run(&[
        "explain",
        "--application",
        &file,
        "--offline",
        "--cache-dir",
        &cache,
        "-o",
        "json",
    ]);
    let lines: Vec<Value> = text(&explained.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines[3],
        json!({"name": "env.variables.region", "value": "eu", "from": "values:envs/prod.yaml", "usedIn": ["spec.sources[0].helm.valuesObject.said"]})
    );

    for (settings, scopes, code, words) in [
        (
            settings.clone(),
            json!({}),
            "K40",
            "`spec.sources[0].path` is wrong: `<+env.name>` stands for nothing",
        ),
        (
            json!({"path": "apps/<+env.nam>"}),
            scopes.clone(),
            "K40",
            "there are `<+env.name>`",
        ),
        (
            json!({"path": "apps/<+service.name>"}),
            scopes.clone(),
            "S14",
            "apps/shop",
        ),
        (
            json!({"targetRevision": "<+env.name>"}),
            scopes.clone(),
            "K04",
            "spec.sources[0].targetRevision",
        ),
        (
            json!({"path": "apps/prod"}),
            json!({"environment": {"name": "test", "variablesFrom": [{"source": "values", "path": "envs/<+env.name>.yaml"}]}}),
            "K41",
            "values:envs/test.yaml cannot be used: the revision has no such file",
        ),
        (
            json!({"path": "apps/prod"}),
            json!({"environment": {"name": "prod", "variablesFrom": [{"path": "envs/prod.yaml"}]}}),
            "K04",
            "spec.environment.variablesFrom[0].source",
        ),
    ] {
        let output = pair.own.render(&application(settings.clone(), scopes), &[]);
        let said = text(&output.stderr);
        assert!(
            said.contains(&format!("error[{code}]")) && said.contains(words),
            "{settings}: {said}"
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn the_example_of_environments_does_what_it_says() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/environments");
    let world = World::new();
    for name in [
        "chart/Chart.yaml",
        "chart/values.yaml",
        "chart/templates/web.yaml",
    ]
    .into_iter()
    .chain([
        "environments/prod.yaml",
        "environments/prod-values.yaml",
        "environments/test.yaml",
    ]) {
        let content = fs_err::read_to_string(format!("{example}/{name}")).unwrap();
        world.commit(name, &content, false);
    }
    let url = format!("file://{}", world.name("repo"));
    for (file, words) in [
        (
            "application.yaml",
            [
                "replicas: 3",
                "value: \"web.example.org\"",
                "{\"memory\":\"256Mi\"}",
            ],
        ),
        (
            "application-test.yaml",
            [
                "replicas: 1",
                "value: \"web.test.example.org\"",
                "{\"memory\":\"64Mi\"}",
            ],
        ),
    ] {
        let application = fs_err::read_to_string(format!("{example}/{file}")).unwrap();
        fs_err::write(
            world.path(file),
            application.replace("https://git.example.org/team/web.git", &url),
        )
        .unwrap();
        let output = world.render(&world.name(file), &[]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let printed = text(&output.stdout);
        for word in words {
            assert!(printed.contains(word), "{word}: {printed}");
        }
    }
}
