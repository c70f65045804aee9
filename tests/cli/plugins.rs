//! Renderers of the plugin directory: the one of `examples/renderer-dotenv`, in C, and some that are of no use.

use serde_json::{Value, json};

use crate::program::{folder, run, text};
use crate::repositories::World;

const ENV: &str = "# of the shop\nGREETING=Hello, \"world\"\nNO=\n\nPATH_=C:\\shop=1\r\n";
const DOTENV: &str = "renderer-dotenv";

/// A repository with such a file, and the folder with the example's renderer.
struct Shop {
    world: World,
    plugins: String,
}

impl Shop {
    fn new() -> Self {
        let world = World::new();
        world.commit("app/web.env", ENV, false);
        world.commit("app/below/db.env", "HOST=db\n", false);
        world.commit("app/notes.txt", "no such file\n", false);
        let plugins = world.name("plugins");
        fs_err::create_dir(&plugins).unwrap();
        let built = folder().join("../../target/plugins/examples/renderers/renderer-dotenv.wasm");
        fs_err::copy(built, world.path("plugins").join("renderer-dotenv.wasm")).unwrap();
        Self { world, plugins }
    }

    fn application(&self, plugin: Value) -> String {
        self.world
            .application(|application| application["spec"]["source"]["plugin"] = plugin)
    }

    /// Exit code, and what was printed and said.
    fn render(&self, plugin: Value, more: &[&str]) -> (Option<i32>, String, String) {
        let file = self.application(plugin);
        let arguments = [&["--plugin-dir", &self.plugins], more].concat();
        let output = self.world.render(&file, &arguments);
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    fn list(&self) -> Vec<Value> {
        let output = run(&["plugin", "list", "--plugin-dir", &self.plugins, "-o", "json"]);
        let printed = text(&output.stdout);
        printed
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

#[test]
fn a_renderer_in_c_renders_what_it_is_chosen_for() {
    let shop = Shop::new();
    let parameters =
        json!([{"name": "prefix", "string": "shop-"}, {"name": "labels", "map": {"team": "a", "tier": "b"}}]);
    let labels = "  labels:\n    \"team\": \"a\"\n    \"tier\": \"b\"\n";
    let object = |name: &str, labels: &str, data: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: \"{name}\"\n{labels}data:\n{data}")
    };
    let web = "  \"GREETING\": \"Hello, \\\"world\\\"\"\n  \"NO\": \"\"\n  \"PATH_\": \"C:\\\\shop=1\"\n";
    let db = "  \"HOST\": \"db\"\n";
    let plain = format!("{}---\n{}", object("db", "", db), object("web", "", web));
    assert_eq!(
        shop.render(json!({"name": DOTENV}), &[]),
        (Some(0), plain, String::new())
    );
    let labelled = format!(
        "{}---\n{}",
        object("shop-db", labels, db),
        object("shop-web", labels, web)
    );
    let chosen = json!({"name": DOTENV, "parameters": parameters});
    assert_eq!(
        shop.render(chosen.clone(), &[]),
        (Some(0), labelled, String::new())
    );

    // As objects, with the files that they come from.
    let (code, printed, said) = shop.render(chosen, &["-o", "json"]);
    assert_eq!(code, Some(0), "{said}");
    let objects: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        objects[1]["data"],
        json!({"NO": "", "GREETING": "Hello, \"world\"", "PATH_": "C:\\shop=1"})
    );
    let (_, sources, _) = shop.render(json!({"name": DOTENV}), &["--show-source"]);
    assert!(sources.starts_with("# Source: app/below/db.env\n"), "{sources}");
}

#[test]
fn what_a_renderer_refuses_has_its_place_and_its_hint() {
    let shop = Shop::new();
    shop.world.commit("app/web.env", "A=1\n2=B\nC\n", false);
    let (code, printed, said) = shop.render(json!({"name": DOTENV}), &[]);
    assert_eq!((code, printed.as_str()), (Some(3), ""), "{said}");
    for words in [
        "error[R20]",
        "app/web.env:2",
        "app/web.env:3",
        "no `NAME=VALUE`",
        "begin it with a name",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let unknown = json!({"name": DOTENV, "parameters": [{"name": "suffix", "string": "x"}]});
    let (code, _, said) = shop.render(unknown, &[]);
    assert!(
        code == Some(3) && said.contains("there is no parameter `suffix`"),
        "{said}"
    );
    shop.world.git(&["rm", "-q", "app/web.env"]);
    fs_err::write(shop.world.path("repo").join("app/latin.env"), b"A=\xe4\n").unwrap();
    shop.world.git(&["add", "."]);
    shop.world.git(&["commit", "-q", "-m", "latin"]);
    let (code, _, said) = shop.render(json!({"name": DOTENV}), &[]);
    assert!(
        code == Some(3) && said.contains("no UTF-8") && said.contains("app/latin.env"),
        "{said}"
    );
}

#[test]
fn a_renderer_is_pinned_by_its_digest_and_listed_with_it() {
    let shop = Shop::new();
    let list = shop.list();
    let listed = list.iter().find(|info| info["name"] == DOTENV).unwrap();
    assert_eq!(
        (&listed["world"], &listed["imports"]),
        (&json!("render-files"), &json!([]))
    );
    let digest = listed["digest"].as_str().unwrap();
    let pinned = format!("{DOTENV}@{digest}");
    let (code, _, said) = shop.render(json!({"name": pinned}), &[]);
    assert_eq!(code, Some(0), "{said}");
    let (code, _, said) = shop.render(
        json!({"name": format!("{DOTENV}@sha256:{}", "0".repeat(64))}),
        &[],
    );
    assert!(
        code == Some(8) && said.contains("error[P02]") && said.contains(digest),
        "{said}"
    );

    let inspected = |arguments: &[&str]| {
        let output = run(&[&["plugin", "inspect", "-o", "json"], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let file = format!("{}/{DOTENV}.wasm", shop.plugins);
    let told = inspected(&[&file]);
    assert_eq!(
        (&told["digest"], &told["description"]["kinds"]),
        (&json!(digest), &json!(["dotenv"]))
    );
    assert_eq!(
        inspected(&[DOTENV, "--plugin-dir", &shop.plugins])["digest"],
        digest
    );
    assert_eq!(inspected(&["jsonnet"])["origin"], "standard");

    let file = shop.application(json!({"name": DOTENV}));
    let cache = shop.world.name("cache");
    let output = run(&[
        "source",
        "inspect",
        "-f",
        &file,
        "--plugin-dir",
        &shop.plugins,
        "--cache-dir",
        &cache,
        "-o",
        "json",
    ]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["kind"], &told["renderer"]),
        (&json!("Plugin"), &json!(pinned))
    );
    assert_eq!((&told["objects"], &told["read"]), (&json!(2), &json!(["app/"])));
}

#[test]
fn a_renderer_that_is_of_no_use_is_told_with_code_and_hint() {
    let shop = Shop::new();
    let write =
        |name: &str, wasm: &[u8]| fs_err::write(format!("{}/{name}.wasm", shop.plugins), wasm).unwrap();
    write("broken", b"broken");
    let guest = |name: &str| {
        let path = folder()
            .join("../hostile/guests")
            .join(format!("renderer-{name}.wat"));
        sluice_hostile::renderer(&fs_err::read_to_string(path).unwrap())
    };
    write("trap", &guest("trap"));
    write("memory", &guest("memory"));
    write("huge", &guest("huge-text"));
    for (name, expected, words) in [
        ("gone", "error[P01]", "`sluice plugin list`"),
        ("helm", "error[P01]", "render-files"),
        ("broken", "error[P04]", "96 MiB"),
        ("trap", "error[P09]", "`render` crashed"),
        ("memory", "error[P11]", "512 MiB"),
        ("huge", "error[P12]", "32 MiB"),
    ] {
        let (code, printed, said) = shop.render(json!({"name": name}), &[]);
        assert_eq!((code, printed.as_str()), (Some(8), ""), "{said}");
        assert!(said.contains(expected) && said.contains(words), "{name}: {said}");
    }
    // Others are not harmed.
    let (code, _, said) = shop.render(json!({"name": DOTENV}), &[]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn what_cannot_be_meant_is_said_before_anything_is_fetched_or_asked() {
    let shop = Shop::new();
    for (plugin, expected) in [
        (json!({"name": "../x"}), "error[K04]"),
        (json!({"name": "x@sha256:12"}), "error[K04]"),
        (json!({"name": "<+app.name>"}), "error[K04]"),
    ] {
        let (code, _, said) = shop.render(plugin, &[]);
        assert!(
            code == Some(3) && said.contains(expected) && said.contains("spec.source.plugin.name"),
            "{said}"
        );
    }
    let file = shop.world.application(|application| {
        application["spec"]["source"]["plugin"] = json!({"name": DOTENV});
        application["spec"]["source"]["helm"] = json!({});
    });
    let output = shop.world.render(&file, &["--plugin-dir", &shop.plugins]);
    let said = text(&output.stderr);
    assert!(
        output.status.code() == Some(3) && said.contains("error[R23]") && said.contains("`helm`"),
        "{said}"
    );
}

#[test]
fn the_example_renders_its_own_files() {
    let shop = Shop::new();
    let example = folder().join("../../examples/renderer-dotenv");
    let read = |name: &str| fs_err::read_to_string(example.join(name)).unwrap();
    for name in ["settings/web.env", "settings/worker.env"] {
        shop.world.commit(name, &read(name), false);
    }
    let application: Value = serde_yaml::from_str(&read("application.yaml")).unwrap();
    let file = shop.world.application(|own| {
        for field in ["path", "plugin"] {
            own["spec"]["source"][field] = application["spec"]["source"][field].clone();
        }
    });
    let output = shop.world.render(&file, &["--plugin-dir", &shop.plugins]);
    let object = |name: &str, data: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: \"shop-{name}\"\n  labels:\n    \"team\": \"shop\"\ndata:\n{data}"
        )
    };
    let web = "  \"GREETING\": \"Hello from a renderer of its own\"\n  \"CURRENCY\": \"EUR\"\n";
    let worker = "  \"QUEUE\": \"orders\"\n  \"RETRIES\": \"5\"\n";
    let expected = format!("{}---\n{}", object("web", web), object("worker", worker));
    assert_eq!(
        (text(&output.stdout), text(&output.stderr)),
        (expected, String::new())
    );
}
