//! A cache for mirrors, and a working copy with one commit.

use std::path::{Path, PathBuf};

use sluice_model::error::{Coded as _, ErrorCode, one_line};
use sluice_sandbox::{Folder, Repository, Signature};
use sluice_source::{Access, Credentials, Fetched, Limits, Repositories, Secret, SourceError};

pub(crate) struct Fixture {
    pub(crate) repositories: Repositories,
    pub(crate) work: Repository,
    pub(crate) first: String,
    _folder: Folder,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let folder = Folder::new("mirrors").unwrap();
        let work = Repository::new().unwrap();
        work.write("app/deployment.yaml", "kind: Deployment\n").unwrap();
        let first = work.commit("first", Signature::None).unwrap();
        Self {
            repositories: Repositories::open(folder.path().join("cache")).unwrap(),
            work,
            first,
            _folder: folder,
        }
    }

    pub(crate) fn fetch(&self, url: &str, access: &Access) -> Result<Fetched, SourceError> {
        self.repositories.fetch(url, access)
    }

    /// Expects a fetch to fail with this code, and returns everything that is said of it.
    #[track_caller]
    pub(crate) fn refused(&self, url: &str, access: &Access, code: &ErrorCode) -> String {
        let error = check_error(self.fetch(url, access), code);
        format!("{} {error:?}", one_line(&error))
    }

    /// The folder of the one mirror.
    pub(crate) fn mirror(&self) -> PathBuf {
        let mut entries = fs_err::read_dir(self.repositories.path()).unwrap();
        entries
            .find_map(|entry| {
                let path = entry.unwrap().path();
                path.is_dir().then_some(path)
            })
            .unwrap()
    }
}

pub(crate) fn file_url(path: &Path) -> String {
    format!("file://{}", path.display())
}

pub(crate) fn basic(username: &str, password: &str) -> Access {
    Access::from(Credentials::Basic {
        username: username.to_owned(),
        password: Secret::new(password),
    })
}

pub(crate) fn limited(change: impl FnOnce(&mut Limits)) -> Access {
    let mut access = Access::default();
    change(&mut access.limits);
    access
}

#[track_caller]
pub(crate) fn check_error<T: std::fmt::Debug>(
    result: Result<T, SourceError>,
    code: &ErrorCode,
) -> SourceError {
    let error = result.expect_err("this must fail");
    assert_eq!(error.code(), code, "{}", one_line(&error));
    error
}
