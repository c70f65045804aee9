//! Asks chart repositories and registries: the thin edge over [`crate::index`] and [`crate::registry`].

use sluice_source::web::{Answer, Get, Validators, Web, Who};
use sluice_source::{Access, Secret};
use url::Url;

use crate::archive::{ARCHIVE_BYTES, PROVENANCE_BYTES, digest_of};
use crate::error::ChartError;
use crate::index::INDEX_BYTES;
use crate::registry::{self, Challenge, Content, MANIFEST_BYTES, MANIFESTS};

/// So many pages a list of tags may have.
const PAGES: usize = 100;
/// So large a page may be, and an answer with a token.
const PAGE_BYTES: u64 = 4 << 20;

/// A chart repository, to be asked during one fetch.
pub(crate) struct Repository {
    web: Web,
    url: String,
}

/// An index as it came.
pub(crate) enum FetchedIndex {
    Unchanged,
    New(Vec<u8>, Validators),
}

impl Repository {
    pub(crate) fn open(url: &str, access: &Access) -> Result<Self, ChartError> {
        Ok(Self {
            web: Web::open(url, access)?,
            url: url.trim_end_matches('/').to_owned(),
        })
    }

    pub(crate) fn index(&self, known: Option<&Validators>) -> Result<FetchedIndex, ChartError> {
        let url = format!("{}/index.yaml", self.url);
        let answer = self.web.get(&Get {
            url: &url,
            known,
            limit: INDEX_BYTES,
            what: "the index",
            ..Get::default()
        })?;
        match answer {
            Answer::Here { body, validators, .. } => Ok(FetchedIndex::New(body, validators)),
            Answer::Unchanged => Ok(FetchedIndex::Unchanged),
            Answer::Missing => Err(self.web.missing(&url).into()),
            Answer::Challenge(_) => Err(self.web.refused(&url).into()),
        }
    }

    /// Gets an archive, wherever the index says that it is.
    pub(crate) fn archive(&self, url: &str) -> Result<Vec<u8>, ChartError> {
        let answer = self.get(url, ARCHIVE_BYTES, "the archive")?;
        answer.ok_or_else(|| self.web.missing(url).into())
    }

    /// Gets the provenance file beside an archive, if there is one.
    pub(crate) fn provenance(&self, archive: &str) -> Result<Option<Vec<u8>>, ChartError> {
        let beside = Url::parse(archive).ok().map(|mut url| {
            url.set_path(&format!("{}.prov", url.path()));
            url.to_string()
        });
        match beside {
            Some(url) => self.get(&url, PROVENANCE_BYTES, "the provenance file"),
            None => Ok(None),
        }
    }

    fn get(&self, url: &str, limit: u64, what: &str) -> Result<Option<Vec<u8>>, ChartError> {
        let answer = self.web.get(&Get {
            url,
            limit,
            what,
            ..Get::default()
        })?;
        match answer {
            Answer::Here { body, .. } => Ok(Some(body)),
            Answer::Missing | Answer::Unchanged => Ok(None),
            Answer::Challenge(_) => Err(self.web.refused(url).into()),
        }
    }
}

/// What a registry answers, and its header `Link`.
type Page = (Vec<u8>, Option<String>);

/// A repository of a registry, to be asked during one fetch.
pub(crate) struct Registry {
    web: Web,
    base: String,
    name: String,
    what: String,
    /// How it wants to be asked, once it has said so.
    token: Option<Secret>,
}

impl Registry {
    pub(crate) fn open(base: &str, name: &str, what: String, access: &Access) -> Result<Self, ChartError> {
        Ok(Self {
            web: Web::open(base, access)?,
            base: base.to_owned(),
            name: name.to_owned(),
            what,
            token: None,
        })
    }

    /// All tags.
    pub(crate) fn tags(&mut self) -> Result<Vec<String>, ChartError> {
        let mut url = format!("{}/v2/{}/tags/list?n=1000", self.base, self.name);
        let mut tags = Vec::new();
        for _ in 0..PAGES {
            let Some((page, link)) = self.get(&url, None, PAGE_BYTES, "the list of tags")? else {
                return Err(self.web.missing(&url).into());
            };
            tags.extend(registry::tags(&page).map_err(|reason| self.nonsense(reason))?);
            let Some(next) = link.as_deref().and_then(registry::next_page) else {
                return Ok(tags);
            };
            let next = Url::parse(&url).and_then(|url| url.join(next));
            url = next
                .map(|next| next.to_string())
                .ok()
                .filter(|next| self.web.is_own(next))
                .ok_or_else(|| self.nonsense("its list goes on elsewhere".to_owned()))?;
        }
        Err(ChartError::TooLarge {
            what: format!("the list of tags of {}", self.what),
            limit: format!("{PAGES} pages"),
        })
    }

    /// What a tag, or a digest of a manifest, leads to. None if there is no such one.
    pub(crate) fn content(&mut self, reference: &str) -> Result<Option<Content>, ChartError> {
        let url = format!("{}/v2/{}/manifests/{reference}", self.base, self.name);
        let Some((manifest, _)) = self.get(&url, Some(MANIFESTS), MANIFEST_BYTES, "the manifest")? else {
            return Ok(None);
        };
        if let Some(wanted) = reference.strip_prefix("sha256:") {
            self.check("the manifest", &manifest, wanted)?;
        }
        let content = registry::content(&manifest).map_err(|reason| ChartError::Artifact {
            what: format!("{} at {reference}", self.what),
            reason,
        })?;
        Ok(Some(content))
    }

    /// The bytes of a digest. None if there are none.
    pub(crate) fn blob(&mut self, digest: &str, limit: u64) -> Result<Option<Vec<u8>>, ChartError> {
        let url = format!("{}/v2/{}/blobs/sha256:{digest}", self.base, self.name);
        let Some((bytes, _)) = self.get(&url, None, limit, "a layer")? else {
            return Ok(None);
        };
        self.check("a layer", &bytes, digest)?;
        Ok(Some(bytes))
    }

    fn check(&self, what: &str, bytes: &[u8], wanted: &str) -> Result<(), ChartError> {
        check_digest(&format!("{what} of {}", self.what), &digest_of(bytes), wanted)
    }

    fn get(
        &mut self,
        url: &str,
        accept: Option<&str>,
        limit: u64,
        what: &str,
    ) -> Result<Option<Page>, ChartError> {
        // Once more, with the token that it asks for.
        for attempt in 0..2 {
            let get = Get {
                url,
                accept,
                limit,
                what,
                who: self.token.as_ref().map_or(Who::Own, Who::Token),
                ..Get::default()
            };
            match self.web.get(&get)? {
                Answer::Here { body, link, .. } => return Ok(Some((body, link))),
                Answer::Missing | Answer::Unchanged => return Ok(None),
                Answer::Challenge(Some(header)) if attempt == 0 => {
                    let Some(Challenge::Token { realm, service }) = registry::challenge(&header) else {
                        break;
                    };
                    self.token = Some(self.token(&realm, service.as_deref())?);
                }
                Answer::Challenge(_) => break,
            }
        }
        Err(self.web.refused(url).into())
    }

    /// The token dance of the distribution specification: the registry names who gives tokens, who is shown the credentials that were
    /// given for the registry.
    fn token(&self, realm: &str, service: Option<&str>) -> Result<Secret, ChartError> {
        let mut url =
            Url::parse(realm).map_err(|_| self.nonsense("who gives tokens is no URL".to_owned()))?;
        {
            let mut query = url.query_pairs_mut();
            if let Some(service) = service {
                query.append_pair("service", service);
            }
            query.append_pair("scope", &format!("repository:{}:pull", self.name));
        }
        let answer = self.web.get(&Get {
            url: url.as_str(),
            limit: PAGE_BYTES,
            what: "the token",
            who: Who::Named,
            ..Get::default()
        })?;
        match answer {
            Answer::Here { body, .. } => registry::token(&body)
                .map(Secret::new)
                .ok_or_else(|| self.nonsense("there is no token in what gives tokens".to_owned())),
            Answer::Missing | Answer::Unchanged | Answer::Challenge(_) => {
                Err(self.web.refused(url.as_str()).into())
            }
        }
    }

    fn nonsense(&self, reason: String) -> ChartError {
        ChartError::Registry {
            url: self.what.clone(),
            reason,
        }
    }
}

/// # Errors
/// [`ChartError::Digest`] if two digests differ.
pub(crate) fn check_digest(what: &str, seen: &str, wanted: &str) -> Result<(), ChartError> {
    if seen == wanted {
        return Ok(());
    }
    Err(ChartError::Digest {
        what: what.to_owned(),
        seen: format!("sha256:{seen}"),
        wanted: format!("sha256:{}", wanted.chars().take(64).collect::<String>()),
    })
}
