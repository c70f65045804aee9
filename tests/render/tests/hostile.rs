//! Input that is meant to hurt: each ends in a problem or within its limit, and the next rendering is unharmed.

use std::time::Duration;

use sluice_render_tests::{Answer, Limits, Renderer, Repository};

const CONTEXT: &str = r#"{"release": "web", "namespace": "shop"}"#;
const CHART: (&str, &str) = ("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n");
const QUICK: Limits = Limits {
    memory: 512 << 20,
    time: Duration::from_secs(5),
};

/// What an answer is, in one word.
fn word(answer: &Answer) -> String {
    match answer {
        Answer::Rendered(_) => "rendered".to_owned(),
        Answer::Refused(problems) => problems[0].code.clone(),
        Answer::Stopped(_) => "stopped".to_owned(),
    }
}

fn chart(files: &[(&str, &str)]) -> Repository {
    let mut all = vec![CHART];
    all.extend(files);
    Repository::of(&all)
}

#[test]
fn charts() {
    let helm = Renderer::load("helm").unwrap();
    let check = |name: &str, repository: &Repository, expected: &[&str]| {
        let answer = helm.render_within(repository, "chart", "", CONTEXT, QUICK);
        assert!(
            expected.contains(&word(&answer).as_str()),
            "{name}: {}",
            &format!("{answer:?}")[..300.min(format!("{answer:?}").len())]
        );
        let fine = helm.render(
            &chart(&[("chart/templates/a.yaml", "kind: A\n")]),
            "chart",
            "",
            CONTEXT,
        );
        assert_eq!(word(&fine), "rendered", "after {name}");
    };
    let template = |text: &str| chart(&[("chart/templates/a.yaml", text)]);
    check(
        "include of itself",
        &template("{{ define \"a\" }}{{ include \"a\" . }}{{ end }}{{ include \"a\" . }}"),
        &["template"],
    );
    check(
        "template of itself",
        &template("{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}"),
        &["template"],
    );
    check(
        "tpl of itself",
        &template("{{ $t := \"{{ tpl .t . }}\" }}{{ tpl $t (dict \"t\" $t \"Template\" .Template) }}"),
        &["template", "stopped"],
    );
    check(
        "gigabytes",
        &template("{{ range until 100000 }}{{ repeat 100000 \"x\" }}{{ end }}"),
        &["template", "stopped"],
    );
    check(
        "no end",
        &template("{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}"),
        &["stopped", "template"],
    );

    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..10 {
        bomb.push_str(&format!(
            "a{i}: &a{i} [{}]\n",
            vec![format!("*a{}", i - 1); 10].join(", ")
        ));
    }
    check(
        "aliases in values",
        &chart(&[("chart/values.yaml", &bomb)]),
        &["chart", "stopped"],
    );

    for depth in [9_000, 200_000] {
        let deep = format!("a: {}{}\n", "[".repeat(depth), "]".repeat(depth));
        check(
            "depth of values",
            &chart(&[("chart/values.yaml", &deep)]),
            &["chart", "stopped"],
        );
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
        check(
            "depth of a schema",
            &chart(&[("chart/values.schema.json", &deep)]),
            &["schema", "stopped", "rendered"],
        );
        let deep = format!("{}x{}", "{{ if true }}".repeat(depth), "{{ end }}".repeat(depth));
        check(
            "depth of a template",
            &template(&deep),
            &["template", "stopped", "output"],
        );
        let deep = format!("a: {{{{ {}1{} }}}}", "(".repeat(depth), ")".repeat(depth));
        check(
            "depth of an expression",
            &template(&deep),
            &["template", "stopped", "rendered"],
        );
    }
    check(
        "a match that goes back",
        &template("a: {{ regexMatch \"^(a+)+$\" (repeat 5000 \"a\") }}"),
        &["rendered"],
    );
    check(
        "a large power",
        &template("a: {{ range until 1000000000 }}{{ end }}"),
        &["stopped", "template"],
    );

    let mut many = chart(&[]);
    for i in 0..10_000 {
        many.add(
            &format!("chart/charts/c{i}/Chart.yaml"),
            format!("apiVersion: v2\nname: c{i}\nversion: 0.1.0\n").as_bytes(),
        );
    }
    let answer = helm.render(&many, "chart", "", CONTEXT);
    assert!(["rendered", "stopped"].contains(&word(&answer).as_str()));

    for path in ["../x", "/x", "a/../../x", "./x", "a//b"] {
        let mut files = chart(&[]);
        files.add(path, b"x");
        let mut answer = helm.render(&files, "", "", CONTEXT);
        assert_eq!(answer.problem().code, "path", "{path}");
        answer = helm.render(&chart(&[]), path, "", CONTEXT);
        assert!(
            ["path", "chart"].contains(&word(&answer).as_str()),
            "{path}: {answer:?}"
        );
    }
    let large = format!("a: {}\n", "x".repeat(100 << 20));
    check(
        "values of 100 MB",
        &chart(&[("chart/values.yaml", &large)]),
        &["chart", "stopped", "too-large"],
    );
}

#[test]
fn archives() {
    let helm = Renderer::load("helm").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("bomb");
    fs_err::create_dir_all(&inside).unwrap();
    fs_err::write(
        inside.join("Chart.yaml"),
        "apiVersion: v2\nname: bomb\nversion: 0.1.0\n",
    )
    .unwrap();
    let zeros = fs_err::File::create(inside.join("zeros")).unwrap();
    zeros.set_len(300 << 20).unwrap();
    let archive = |name: &str, arguments: &[&str]| {
        let file = folder.path().join(name);
        let mut tar = std::process::Command::new("tar");
        tar.arg("-czf")
            .arg(&file)
            .arg("-C")
            .arg(folder.path())
            .args(arguments);
        sluice_sandbox::output(&mut tar).unwrap();
        fs_err::read(file).unwrap()
    };
    let render = |bytes: &[u8]| {
        let mut repository = chart(&[]);
        repository.add("chart/charts/bomb.tgz", bytes);
        helm.render_within(&repository, "chart", "", CONTEXT, QUICK)
    };
    // 300 MB that are 300 KB.
    let answer = render(&archive("bomb.tgz", &["bomb"]));
    assert_eq!(word(&answer), "chart", "{answer:?}");
    assert!(
        answer.problem().message.contains("larger than the maximum size"),
        "{answer:?}"
    );
    drop(zeros);
    fs_err::remove_file(inside.join("zeros")).unwrap();
    // Names that leave the archive.
    let answer = render(&archive(
        "up.tgz",
        &["--transform=s,bomb/Chart,bomb/../../Chart,", "-P", "bomb"],
    ));
    assert_eq!(word(&answer), "chart", "{answer:?}");
    // What is no archive, and half of one.
    assert_eq!(word(&render(b"no archive")), "chart");
    let whole = archive("whole.tgz", &["bomb"]);
    assert_eq!(word(&render(&whole[..whole.len() / 2])), "chart");
    assert_eq!(word(&render(&whole)), "rendered");
}

#[test]
fn kustomizations() {
    let kustomize = Renderer::load("kustomize").unwrap();
    let mut bomb =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nd0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
            .to_owned();
    for i in 1..10 {
        bomb.push_str(&format!(
            "d{i}: &a{i} [{}]\n",
            vec![format!("*a{}", i - 1); 10].join(", ")
        ));
    }
    let deep = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\nd: {}{}\n",
        "[".repeat(20_000),
        "]".repeat(20_000)
    );
    for (name, file, expected) in [
        ("aliases", bomb.as_str(), &["kustomization", "stopped"][..]),
        ("depth", deep.as_str(), &["kustomization", "stopped"][..]),
    ] {
        let repository = Repository::of(&[
            ("k/kustomization.yaml", "resources: [a.yaml]\n"),
            ("k/a.yaml", file),
        ]);
        let answer = kustomize.render_within(&repository, "k", "", "", QUICK);
        assert!(expected.contains(&word(&answer).as_str()), "{name}: {answer:?}");
        let fine = Repository::of(&[
            ("k/kustomization.yaml", "resources: [a.yaml]\n"),
            (
                "k/a.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
            ),
        ]);
        assert_eq!(
            word(&kustomize.render(&fine, "k", "", "")),
            "rendered",
            "after {name}"
        );
    }
    for remote in [
        "https://127.0.0.1/x",
        "git::ssh://git@127.0.0.1/x.git",
        "http://localhost:1/a//b?ref=c",
    ] {
        let repository = Repository::of(&[("k/kustomization.yaml", &format!("resources: ['{remote}']\n"))]);
        assert_eq!(
            kustomize.render(&repository, "k", "", "").problem().code,
            "remote",
            "{remote}"
        );
    }
}
