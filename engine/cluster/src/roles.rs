//! The two roles that a cluster plays for an Application. They are two types, so that no function can take one for the other:
//! where both are one cluster, that is said where the connection is made, and nowhere else.

use std::ops::Deref;

use sluice_model::object::Object;

use crate::connect::{Cluster, ServiceAccount};

/// The cluster in which Applications, their status, ledgers, keyrings, credentials and leases are.
#[derive(Debug, Clone)]
pub struct Home(Cluster);

/// The cluster in which the objects of an Application are, and the parent of its ApplySet.
#[derive(Debug, Clone)]
pub struct Target(Cluster);

impl Home {
    /// Returns the cluster as the home of Applications.
    pub fn new(cluster: Cluster) -> Self {
        Self(cluster)
    }
}

impl Target {
    /// Returns the cluster as the place of objects.
    pub fn new(cluster: Cluster) -> Self {
        Self(cluster)
    }

    /// Returns the same target, with every request made as a ServiceAccount ([`Cluster::acting_as`]).
    #[must_use]
    pub fn acting_as(&self, account: &ServiceAccount) -> Self {
        Self(self.0.acting_as(account))
    }

    /// Returns the same target, as the account that connected ([`Cluster::as_itself`]).
    #[must_use]
    pub fn as_itself(&self) -> Self {
        Self(self.0.as_itself())
    }

    /// Returns the same target, which keeps the values of the Secrets among these objects out of all that the server says
    /// ([`Cluster::hiding`]).
    #[must_use]
    pub fn hiding<'o>(&self, objects: impl IntoIterator<Item = &'o Object>) -> Self {
        Self(self.0.hiding(objects))
    }
}

impl Deref for Home {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.0
    }
}

impl Deref for Target {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.0
    }
}
