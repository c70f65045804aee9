//! What a refusal rests on, as far as the server says so: the quota, the policy, the webhook, the right that is missing.
//!
//! The server has one text for people and no form for programs, so this reads texts. What cannot be read rests on nothing, and
//! is final.

use sluice_cluster::ClusterError;

/// Something that a refusal rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ground {
    /// The kind, or what its schema takes.
    Kind,
    /// The API server of the object's group.
    Api,
    /// A namespace that is not there.
    Namespace(String),
    /// What accounts may use: the quota by name, where one is named, and what it limits to how much.
    Quota {
        name: Option<String>,
        limited: Vec<(String, String)>,
    },
    /// What a LimitRange takes or sets.
    Limits,
    /// What the labels of the namespace demand of Pods.
    Standards,
    /// An admission policy and its binding.
    Policy { policy: String, binding: String },
    /// An admission webhook, and the Service that is to answer for it where that is named: namespace and name.
    Webhook {
        name: String,
        service: Option<(String, String)>,
        /// It answered, and said no.
        denied: bool,
    },
    /// The webhook that converts the kind, and the Service that is to answer.
    Conversion(Option<(String, String)>),
    /// A right.
    Right(Right),
    /// Something that is named and not there.
    Missing,
}

/// A right that an account lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Right {
    pub(crate) user: String,
    pub(crate) groups: Vec<String>,
    /// Verb, resource and API group; none where the right to grant rights is missing.
    pub(crate) access: Option<(String, String, String)>,
}

/// Words for "not there".
const MISSING: &[&str] = &[
    "not found",
    " was found",
    "not exist",
    "n't exist",
    "could not find",
    "couldn't find",
    "cannot find",
    "missing",
];

/// What a refusal rests on.
pub(crate) fn of(error: &ClusterError) -> Vec<Ground> {
    let mut grounds = Vec::new();
    match error {
        ClusterError::UnknownKind { .. } => grounds.extend([Ground::Kind, Ground::Api]),
        ClusterError::GroupDown { .. } | ClusterError::Throttled { .. } => grounds.push(Ground::Api),
        ClusterError::NotFound {
            namespace: Some(namespace),
            ..
        } => return vec![Ground::Namespace(namespace.clone())],
        ClusterError::NotFound { message, .. } => {
            // A version of a kind that is not served yet.
            grounds.extend(
                message
                    .contains("could not find the requested resource")
                    .then_some(Ground::Kind),
            );
            grounds.push(Ground::Missing);
        }
        ClusterError::Quota { message } => grounds.push(quota(message)),
        ClusterError::Forbidden { message } => grounds.push(Ground::Right(right(message))),
        ClusterError::Invalid { .. } => grounds.push(Ground::Kind),
        ClusterError::Admission { message } => grounds.extend(admission(message)),
        ClusterError::Webhook { message } | ClusterError::Refused { message, .. } => {
            grounds.extend(admission(message))
        }
        ClusterError::Configuration { .. }
        | ClusterError::Unreachable { .. }
        | ClusterError::Unauthorised { .. }
        | ClusterError::Conflict { .. }
        | ClusterError::Modified { .. } => return grounds,
    }
    let text = error.to_string().to_lowercase();
    if MISSING.iter().any(|word| text.contains(word)) && !grounds.contains(&Ground::Missing) {
        grounds.push(Ground::Missing);
    }
    grounds
}

fn admission(message: &str) -> Vec<Ground> {
    let mut grounds = Vec::new();
    if let Some(policy) = between(message, "AdmissionPolicy '", "'") {
        grounds.push(Ground::Policy {
            policy: policy.to_owned(),
            binding: between(message, "with binding '", "'")
                .unwrap_or_default()
                .to_owned(),
        });
    }
    let webhook = between(message, "failed calling webhook \"", "\"")
        .or_else(|| between(message, "admission webhook \"", "\""));
    if let Some(name) = webhook {
        grounds.push(Ground::Webhook {
            name: name.to_owned(),
            service: service(message),
            denied: !message.contains("failed calling webhook"),
        });
    } else if message.contains("conversion webhook") {
        grounds.push(Ground::Conversion(service(message)));
    }
    if ["usage per ", "limit to request ratio per "]
        .iter()
        .any(|words| message.contains(words))
    {
        grounds.push(Ground::Limits);
    }
    if message.contains("failed quota: ") {
        // A LimitRange may set what the quota wants to be said.
        grounds.extend([quota(message), Ground::Limits]);
    }
    if message.contains("insufficient quota") {
        grounds.push(quota(message));
    }
    if message.contains("violates PodSecurity") {
        grounds.push(Ground::Standards);
    }
    grounds
}

/// `exceeded quota: q, requested: count/secrets=1, used: count/secrets=2, limited: count/secrets=2`.
fn quota(message: &str) -> Ground {
    let name = ["exceeded quota: ", "failed quota: "]
        .iter()
        .find_map(|words| message.split_once(words))
        .map(|(_, rest)| rest.split([',', ':']).next().unwrap_or(rest).trim().to_owned());
    let limited = message.split_once("limited: ").map_or("", |(_, rest)| rest);
    let limited = limited
        .split(',')
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(what, limit)| (what.to_owned(), limit.to_owned()))
        .collect();
    Ground::Quota { name, limited }
}

/// True where a quota is exceeded by one object of what it counts, so that deleting the object that it replaces makes room for it.
pub(crate) fn is_by_one(message: &str) -> bool {
    const COUNTED: &[&str] = &[
        "pods",
        "services",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "replicationcontrollers",
        "resourcequotas",
    ];
    let requested = between(message, "requested: ", ", used: ").unwrap_or_default();
    let used = between(message, "used: ", ", limited: ");
    let limited = message.split_once("limited: ").map(|(_, rest)| rest.trim());
    let one_each = |pair: &str| {
        let counted = |what: &str| what.starts_with("count/") || COUNTED.contains(&what);
        let pair = pair.trim().split_once('=');
        pair.is_some_and(|(what, number)| number == "1" && counted(what))
    };
    // Where more than the limit is in use, one less would still be too much.
    used.is_some() && used == limited && requested.split(',').all(one_each)
}

/// `User "u" cannot patch resource "pods" in API group "apps"`, or who `is attempting to grant RBAC permissions`.
fn right(message: &str) -> Right {
    let user = between(message, "User \"", "\"").or_else(|| between(message, "user \"", "\""));
    let groups = between(message, "groups=[", "]").unwrap_or_default();
    let verb = between(message, " cannot ", " ");
    let resource = between(message, " resource \"", "\"");
    let group = between(message, "in API group \"", "\"");
    Right {
        user: user.unwrap_or_default().to_owned(),
        groups: groups.split('"').skip(1).step_by(2).map(str::to_owned).collect(),
        access: verb.zip(resource).map(|(verb, resource)| {
            (
                verb.to_owned(),
                resource.to_owned(),
                group.unwrap_or_default().to_owned(),
            )
        }),
    }
}

/// The Service in `Post "https://checker.shop.svc:443/check?timeout=1s"`: namespace and name.
fn service(message: &str) -> Option<(String, String)> {
    let host = between(message, "\"https://", "\"")?;
    let host = host.split([':', '/', '?']).next()?;
    let mut labels = host.split('.');
    let (name, namespace, svc) = (labels.next()?, labels.next()?, labels.next()?);
    (svc == "svc").then(|| (namespace.to_owned(), name.to_owned()))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(inner, _)| inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(message: &str) -> ClusterError {
        ClusterError::Admission {
            message: message.into(),
        }
    }

    #[test]
    fn one_more_is_told_from_more() {
        let exceeded = |requested: &str| {
            is_by_one(&format!(
                "exceeded quota: q, requested: {requested}, used: secrets=2, limited: secrets=2"
            ))
        };
        assert!(exceeded("secrets=1") && exceeded("count/secrets=1,secrets=1"));
        assert!(!exceeded("secrets=2") && !exceeded("cpu=1") && !exceeded("pods=1,memory=1"));
        assert!(!is_by_one("exceeded quota"));
        let lowered = "exceeded quota: q, requested: secrets=1, used: secrets=2, limited: secrets=1";
        assert!(!is_by_one(lowered));
    }

    #[test]
    fn each_refusal_names_what_it_rests_on() {
        let webhook = |name: &str, service: Option<(&str, &str)>| Ground::Webhook {
            name: name.to_owned(),
            service: service.map(|(namespace, name)| (namespace.to_owned(), name.to_owned())),
            denied: service.is_none(),
        };
        let quota = |name: &str, limited: &[(&str, &str)]| Ground::Quota {
            name: Some(name.to_owned()),
            limited: limited
                .iter()
                .map(|(what, limit)| ((*what).to_owned(), (*limit).to_owned()))
                .collect(),
        };
        let cases = [
            (
                ClusterError::Quota {
                    message: "secrets \"c\" is forbidden: exceeded quota: limits, requested: count/secrets=1,secrets=1, \
                              used: count/secrets=2,secrets=2, limited: count/secrets=2,secrets=2".to_owned(),
                },
                vec![quota("limits", &[("count/secrets", "2"), ("secrets", "2")])],
            ),
            (
                admission("pods \"p\" is forbidden: failed quota: compute: must specify limits.cpu for: c"),
                vec![quota("compute", &[]), Ground::Limits],
            ),
            (
                admission("pods \"p\" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi"),
                vec![Ground::Limits],
            ),
            (
                admission("configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'p.example.com' with binding 'b' denied request: no"),
                vec![Ground::Policy { policy: "p.example.com".to_owned(), binding: "b".to_owned() }],
            ),
            (
                admission("admission webhook \"v.example.com\" denied the request: no"),
                vec![webhook("v.example.com", None)],
            ),
            (
                ClusterError::Webhook {
                    message: "Internal error occurred: failed calling webhook \"checker.example.org\": failed to call webhook: \
                              Post \"https://checker.shop.svc:443/check?timeout=1s\": dial tcp: connection refused".to_owned(),
                },
                vec![webhook("checker.example.org", Some(("shop", "checker")))],
            ),
            (
                ClusterError::Refused {
                    status: 500,
                    message: "conversion webhook for example.com/v1, Kind=W failed: Post \"https://c.n.svc:443/?timeout=30s\": EOF".to_owned(),
                },
                vec![Ground::Conversion(Some(("n".to_owned(), "c".to_owned())))],
            ),
            (
                admission("pods \"p\" is forbidden: no PriorityClass with name urgent was found"),
                vec![Ground::Missing],
            ),
            (
                admission("pods \"p\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true"),
                vec![Ground::Standards],
            ),
            (
                ClusterError::Forbidden {
                    message: "pods \"p\" is forbidden: User \"system:serviceaccount:n:a\" cannot patch resource \"pods\" in API group \"\" in the namespace \"n\"".to_owned(),
                },
                vec![Ground::Right(Right {
                    user: "system:serviceaccount:n:a".to_owned(),
                    groups: Vec::new(),
                    access: Some(("patch".to_owned(), "pods".to_owned(), String::new())),
                })],
            ),
            (
                ClusterError::Forbidden {
                    message: "roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"u\" (groups=[\"g\" \"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:".to_owned(),
                },
                vec![Ground::Right(Right {
                    user: "u".to_owned(),
                    groups: vec!["g".to_owned(), "system:authenticated".to_owned()],
                    access: None,
                })],
            ),
            (
                ClusterError::Invalid { message: "unknown field \"spec.size\"".into(), fields: Vec::new() },
                vec![Ground::Kind],
            ),
            (admission("pods \"p\" is forbidden: no"), vec![]),
        ];
        for (error, expected) in cases {
            assert_eq!(of(&error), expected, "{error}");
        }
    }
}
