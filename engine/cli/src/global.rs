//! The options that hold for every command, and what they lead to.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sluice_plugin_host::{Compiler, PluginHost, Renderers, Workplace};
use sluice_source::Repositories;

use crate::failure::Failure;

/// What holds for every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// How to reach the cluster; else $KUBECONFIG, ~/.kube/config, or the account of the Pod
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig; its current one by default
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Namespace of the Application; the context's by default
    #[arg(long, short, global = true, value_name = "NAME", value_parser = name)]
    pub(crate) namespace: Option<String>,
    /// Folder of plugins beside the standard ones; a file of the same name replaces one
    #[arg(
        long,
        global = true,
        env = "SLUICE_PLUGIN_DIR",
        value_name = "DIR",
        hide_env_values = true
    )]
    pub(crate) plugin_dir: Option<PathBuf>,
    /// Folder of Lua scripts that judge health, as Argo CD has them: GROUP/KIND/health.lua, or its ConfigMap, mounted or as a manifest
    #[arg(
        long,
        global = true,
        env = "SLUICE_LUA_SCRIPTS",
        value_name = "DIR|FILE",
        hide_env_values = true
    )]
    pub(crate) lua_scripts: Option<PathBuf>,
    /// Folder of the renderers of charts and kustomizations; beside this program by default
    #[arg(
        long,
        global = true,
        env = "SLUICE_RENDERER_DIR",
        value_name = "DIR",
        hide_env_values = true
    )]
    pub(crate) renderer_dir: Option<PathBuf>,
    /// Folder of what is kept between runs: mirrors of repositories, compiled plugins; ~/.cache/sluice by default
    #[arg(
        long,
        global = true,
        env = "SLUICE_CACHE_DIR",
        value_name = "DIR",
        hide_env_values = true
    )]
    pub(crate) cache_dir: Option<PathBuf>,
    /// How the log on stderr is written
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// What the log tells: error, warn, info, debug, trace, or filters such as `sluice_apply=debug`
    #[arg(
        long,
        global = true,
        env = "SLUICE_LOG",
        value_name = "FILTER",
        hide_env_values = true
    )]
    pub(crate) log_level: Option<String>,
    /// More of the log: -v info, -vv debug, -vvv trace
    #[arg(short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line for people
    Text,
    /// A JSON object a line
    Json,
}

impl Global {
    /// Returns the plugins as the options say.
    pub(crate) fn plugins(&self) -> PluginHost {
        self.plugins_compiled_by(self.compiler(false))
    }

    /// Returns the plugins for a program that goes on: those that take long to compile serve soon, and well a while later.
    pub(crate) fn serving_plugins(&self) -> PluginHost {
        self.plugins_compiled_by(self.compiler(true))
    }

    /// Returns the plugins of another folder, and the standard ones.
    pub(crate) fn plugins_of(&self, folder: &Path) -> PluginHost {
        PluginHost::new(Some(folder.to_owned()), self.compiler(false))
    }

    fn plugins_compiled_by(&self, compiler: Compiler) -> PluginHost {
        PluginHost::with_lua_scripts(self.plugin_dir.clone(), self.lua_scripts.clone(), compiler)
    }

    fn compiler(&self, is_quick_first: bool) -> Compiler {
        Compiler::Child(Workplace {
            cache: Some(self.cache_folder().join("compiled")),
            is_quick_first,
        })
    }

    /// Returns the renderers as the options say.
    pub(crate) fn renderers(&self) -> Renderers {
        Renderers::new(self.renderer_dir.clone(), self.compiler(false))
    }

    /// Returns the mirrors of repositories.
    pub(crate) fn repositories(&self) -> Result<Repositories, Failure> {
        Repositories::open(self.cache_folder()).map_err(Failure::of)
    }

    /// Returns the folder of what is kept between runs.
    pub(crate) fn cache_folder(&self) -> PathBuf {
        if let Some(folder) = &self.cache_dir {
            return folder.clone();
        }
        // The XDG base directory specification: a relative path is to be ignored.
        let set = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
        cache.unwrap_or_else(std::env::temp_dir).join("sluice")
    }
}

/// A name as Kubernetes takes it for namespaces (a label of RFC 1123).
pub(crate) fn name(text: &str) -> Result<String, String> {
    let inner = text
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    match inner && !text.is_empty() && text.len() <= 63 && !text.starts_with('-') && !text.ends_with('-') {
        true => Ok(text.to_owned()),
        false => {
            Err("such a name is at most 63 of a-z, 0-9 and -, and neither begins nor ends with -".to_owned())
        }
    }
}
