//! The questions that are asked of a signature, in their order, and what they were answered: `sluice verify --explain`.
//!
//! A question is asked only when all before it were answered with yes, so that the one that failed tells the whole story.

use sluice_model::trust::SignatureReport;

/// A question that is asked of a commit or tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Do the bytes hash to the id?
    Id,
    /// Are the headers those that Git writes, and in no way ambiguous?
    Form,
    /// Is there a signature?
    Signed,
    /// Is it of a kind that is supported, and well formed?
    Readable,
    /// Does the keyring hold the key that it names?
    Known,
    /// SSH: was it made for Git?
    Purpose,
    /// Did that key sign these bytes?
    Matches,
    /// SSH: was the security key touched?
    Touched,
    /// OpenPGP: is everything understood that the signature demands to be?
    Understood,
    /// OpenPGP: was the key never revoked?
    NotRevoked,
    /// SSH: does the line of allowed_signers permit Git?
    Permitted,
    /// Are the algorithms strong enough, or allowed by name?
    Strong,
    /// OpenPGP: is the key validly bound to its certificate, a signing subkey with a back signature?
    Bound,
    /// OpenPGP: is the key meant for signing?
    Signing,
    /// Is the key valid at the time that counts?
    Valid,
    /// SSH: is the certificate by its authority, for this person, and without unknown conditions?
    Certified,
    /// OpenPGP: is the signature not from the future, and not expired itself?
    Timely,
    /// Do the rules let this signer sign this?
    Allowed,
}

impl Check {
    const OPENPGP: [Self; 12] = [
        Self::Id,
        Self::Form,
        Self::Signed,
        Self::Readable,
        Self::Known,
        Self::Matches,
        Self::Understood,
        Self::NotRevoked,
        Self::Strong,
        Self::Bound,
        Self::Signing,
        Self::Valid,
    ];
    const SSH: [Self; 12] = [
        Self::Id,
        Self::Form,
        Self::Signed,
        Self::Readable,
        Self::Known,
        Self::Purpose,
        Self::Matches,
        Self::Touched,
        Self::Permitted,
        Self::Strong,
        Self::Valid,
        Self::Certified,
    ];

    /// The questions in their order, for one kind of signature.
    pub(crate) fn order(kind: SignatureKind) -> impl Iterator<Item = Self> {
        let (first, last): (&[Self], &[Self]) = match kind {
            SignatureKind::OpenPgp => (&Self::OPENPGP, &[Self::Timely]),
            SignatureKind::Ssh => (&Self::SSH, &[]),
            SignatureKind::None => (Self::OPENPGP.get(..4).unwrap_or_default(), &[]),
        };
        first.iter().chain(last).copied()
    }

    /// The rule in a few words.
    pub fn rule(self) -> &'static str {
        match self {
            Check::Id => "the bytes hash to the id",
            Check::Form => "the headers are those that Git writes, none ambiguous",
            Check::Signed => "there is a signature",
            Check::Readable => "the signature is of a supported kind and well formed",
            Check::Known => "the key is in the keyring",
            Check::Purpose => "the signature was made for git",
            Check::Matches => "the key signed exactly these bytes",
            Check::Touched => "a security key was touched",
            Check::Understood => "everything critical in the signature is understood",
            Check::NotRevoked => "the key was not revoked",
            Check::Permitted => "allowed_signers permits git",
            Check::Strong => "the algorithms are strong enough or allowed by name",
            Check::Bound => "the key is bound to its certificate, and the certificate's key to it",
            Check::Signing => "the key is meant for signing",
            Check::Valid => "the key is valid at the time that counts",
            Check::Certified => "the certificate is good and names a permitted principal",
            Check::Timely => "the signature is not from the future and has not expired",
            Check::Allowed => "the rules let this signer sign this",
        }
    }
}

/// Which kind of signature an object carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureKind {
    /// A signature by OpenPGP.
    OpenPgp,
    /// A signature by SSH.
    Ssh,
    /// None, or one of a kind that is not read here.
    None,
}

/// A rule that was asked, and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleAnswer {
    /// The rule in a few words.
    pub rule: String,
    /// What came of it.
    pub answer: Answer,
}

/// What a rule answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is met; what there is to say about it.
    Met(String),
    /// It is not met; why, and what to do.
    NotMet(String),
    /// It is not about this, or one before it already said no.
    NotAsked(String),
}

/// One commit or tag, and every rule that was asked about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The answer.
    pub report: SignatureReport,
    /// The rules in the order they were asked.
    pub asked: Vec<RuleAnswer>,
}

/// The built-in questions and their answers, from the one that failed.
pub(crate) fn answers(kind: SignatureKind, failed: Option<Check>, message: &str) -> Vec<RuleAnswer> {
    let mut is_over = false;
    Check::order(kind)
        .map(|check| {
            let answer = match failed {
                _ if is_over => Answer::NotAsked(String::new()),
                Some(failed) if failed == check => {
                    is_over = true;
                    Answer::NotMet(message.to_owned())
                }
                Some(_) | None => Answer::Met(String::new()),
            };
            RuleAnswer {
                rule: check.rule().to_owned(),
                answer,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_one_that_failed_was_not_asked() {
        let asked = answers(SignatureKind::Ssh, Some(Check::Strong), "RSA of 1024 bits");
        let not_met = asked
            .iter()
            .position(|asked| asked.answer == Answer::NotMet("RSA of 1024 bits".to_owned()))
            .unwrap();
        assert!(
            asked[..not_met]
                .iter()
                .all(|asked| matches!(asked.answer, Answer::Met(_)))
        );
        assert!(
            asked[not_met + 1..]
                .iter()
                .all(|asked| matches!(asked.answer, Answer::NotAsked(_)))
        );
        let none = answers(SignatureKind::OpenPgp, None, "");
        assert!(none.len() > 10 && none.iter().all(|asked| matches!(asked.answer, Answer::Met(_))));
    }
}
