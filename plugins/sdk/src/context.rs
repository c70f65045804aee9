//! What an answer may depend on besides the objects. Each fact is asked of the host when it is wanted first.

use std::cell::{OnceCell, RefCell};

use crate::bindings::health::sluice::policy::assessments::Assessment;
use crate::bindings::health::sluice::policy::context::Context as HostContext;
use crate::bindings::health::sluice::policy::relatives::Relatives;
use crate::bindings::prune::sluice::policy::candidates::Deletion;
use crate::{Occasion, Tally};

/// Where and when a question is asked.
pub(crate) enum Context {
    Host(HostContext),
    /// In native tests.
    #[cfg(not(target_arch = "wasm32"))]
    Native(Native),
}

/// A context of native tests: the cluster is `in-cluster`, and there is no project.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug, Clone, Default)]
pub struct Native {
    /// Seconds since 1970.
    pub now: i64,
    /// Namespace and name of the Application.
    pub application: Option<(String, String)>,
    /// The application's sync options.
    pub options: Vec<String>,
}

impl Context {
    fn now(&self) -> i64 {
        match self {
            Self::Host(context) => context.now(),
            #[cfg(not(target_arch = "wasm32"))]
            Self::Native(native) => native.now,
        }
    }

    fn cluster(&self) -> String {
        match self {
            Self::Host(context) => context.cluster(),
            #[cfg(not(target_arch = "wasm32"))]
            Self::Native(_) => "in-cluster".to_owned(),
        }
    }

    fn project(&self) -> Option<String> {
        match self {
            Self::Host(context) => context.project(),
            #[cfg(not(target_arch = "wasm32"))]
            Self::Native(_) => None,
        }
    }

    fn application(&self) -> Option<(String, String)> {
        match self {
            Self::Host(context) => {
                let application = context.application()?;
                Some((application.namespace, application.name))
            }
            #[cfg(not(target_arch = "wasm32"))]
            Self::Native(native) => native.application.clone(),
        }
    }

    fn options(&self) -> Vec<String> {
        match self {
            Self::Host(context) => context.sync_options(),
            #[cfg(not(target_arch = "wasm32"))]
            Self::Native(native) => native.options.clone(),
        }
    }
}

/// What all contexts know.
macro_rules! common {
    () => {
        /// Seconds since 1970. The descriptor must say [`with_time`](crate::Descriptor::with_time).
        pub fn now(&self) -> i64 {
            self.context().now()
        }

        /// The name of the cluster that the objects are in.
        pub fn cluster(&self) -> String {
            self.context().cluster()
        }

        /// The project that the Application belongs to, if any.
        pub fn project(&self) -> Option<String> {
            self.context().project()
        }
    };
}

/// What contexts of an Application's objects know.
macro_rules! of_application {
    () => {
        /// Namespace and name of the Application; none where there is none.
        pub fn application(&self) -> Option<&(String, String)> {
            let application = self.application.get_or_init(|| self.context.application());
            application.as_ref()
        }

        /// The application's sync options.
        pub fn options(&self) -> &[String] {
            self.options.get_or_init(|| self.context.options())
        }

        fn context(&self) -> &Context {
            &self.context
        }
    };
}

/// What a health verdict may depend on besides the object.
pub struct HealthContext {
    claim: OnceCell<u32>,
    context: OnceCell<Context>,
    rule: RefCell<Option<String>>,
    pub(crate) relatives: OnceCell<Relatives>,
    /// None in native tests.
    assessment: Option<Assessment>,
    /// What is around the object in native tests; none if nothing is known.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) around: Option<Vec<serde_json::Value>>,
}

impl HealthContext {
    common!();

    /// Which of the descriptor's claims brought the object here: an index into them, of the closest one.
    pub fn claim(&self) -> u32 {
        let asked = || self.assessment.as_ref().map_or(0, Assessment::claim);
        *self.claim.get_or_init(asked)
    }

    /// Says by which of its rules the plugin judges, for people who ask why.
    pub fn set_rule(&self, name: impl Into<String>) {
        self.rule.replace(Some(name.into()));
    }

    /// What [`HealthContext::set_rule`] said.
    pub fn rule(&self) -> Option<String> {
        self.rule.borrow().clone()
    }

    /// A context of native tests, in which nothing is known of what is around the object.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn native(now: i64, claim: u32) -> Self {
        let native = Native {
            now,
            ..Native::default()
        };
        Self {
            claim: OnceCell::from(claim),
            context: OnceCell::from(Context::Native(native)),
            rule: RefCell::default(),
            relatives: OnceCell::new(),
            assessment: None,
            around: None,
        }
    }

    /// The same, with these objects around the one that is judged.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn among(self, around: Vec<serde_json::Value>) -> Self {
        Self {
            around: Some(around),
            ..self
        }
    }

    pub(crate) fn host(assessment: Assessment) -> Self {
        Self {
            claim: OnceCell::new(),
            context: OnceCell::new(),
            rule: RefCell::default(),
            relatives: OnceCell::new(),
            assessment: Some(assessment),
            #[cfg(not(target_arch = "wasm32"))]
            around: None,
        }
    }

    pub(crate) fn assessment(&self) -> Option<&Assessment> {
        self.assessment.as_ref()
    }

    fn context(&self) -> &Context {
        self.context.get_or_init(|| match &self.assessment {
            Some(assessment) => Context::Host(assessment.context()),
            None => unreachable!("a native context is there from the start"),
        })
    }
}

/// What a sync decision may depend on besides the objects.
pub struct SyncContext {
    context: Context,
    application: OnceCell<Option<(String, String)>>,
    options: OnceCell<Vec<String>>,
}

impl SyncContext {
    common!();
    of_application!();

    /// A context of native tests.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn native(native: Native) -> Self {
        Self::of(Context::Native(native))
    }

    pub(crate) fn host(context: HostContext) -> Self {
        Self::of(Context::Host(context))
    }

    fn of(context: Context) -> Self {
        Self {
            context,
            application: OnceCell::new(),
            options: OnceCell::new(),
        }
    }
}

/// What a prune verdict may depend on besides the candidates.
pub struct PruneContext {
    context: Context,
    /// None in native tests.
    deletion: Option<Deletion>,
    application: OnceCell<Option<(String, String)>>,
    options: OnceCell<Vec<String>>,
    occasion: OnceCell<Occasion>,
    owned: OnceCell<Vec<Tally>>,
    desired: OnceCell<Vec<Tally>>,
}

impl PruneContext {
    common!();
    of_application!();

    /// Why deletions are looked at.
    pub fn occasion(&self) -> Occasion {
        let is_deleted = |deletion: &Deletion| deletion.application_is_deleted();
        *self
            .occasion
            .get_or_init(|| match self.deletion.as_ref().is_some_and(is_deleted) {
                true => Occasion::ApplicationDeleted,
                false => Occasion::Sync,
            })
    }

    /// What the application owns, candidates included.
    pub fn owned(&self) -> &[Tally] {
        let asked = || self.deletion.as_ref().map(Deletion::owned).unwrap_or_default();
        self.owned.get_or_init(asked)
    }

    /// What Git wants it to own.
    pub fn desired(&self) -> &[Tally] {
        let asked = || self.deletion.as_ref().map(Deletion::desired).unwrap_or_default();
        self.desired.get_or_init(asked)
    }

    /// A context of native tests.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn native(native: Native, occasion: Occasion, owned: Vec<Tally>, desired: Vec<Tally>) -> Self {
        Self {
            occasion: OnceCell::from(occasion),
            owned: OnceCell::from(owned),
            desired: OnceCell::from(desired),
            ..Self::of(Context::Native(native), None)
        }
    }

    pub(crate) fn host(deletion: Deletion, context: HostContext) -> Self {
        Self::of(Context::Host(context), Some(deletion))
    }

    fn of(context: Context, deletion: Option<Deletion>) -> Self {
        Self {
            context,
            deletion,
            application: OnceCell::new(),
            options: OnceCell::new(),
            occasion: OnceCell::new(),
            owned: OnceCell::new(),
            desired: OnceCell::new(),
        }
    }
}
