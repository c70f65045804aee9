//! Applications of Sluice within another one: as healthy as they are themselves, and for the same reason.

use sluice_plugin::{Object, Verdict};

use crate::{DELETION, deleting};

pub(crate) fn application(object: &Object<'_>) -> Result<Verdict, String> {
    let [deletion, generation, observed, status, message] = object.fields([
        DELETION,
        "/metadata/generation",
        "/status/observedGeneration",
        "/status/health/status",
        "/status/health/message",
    ]);
    if let Some(verdict) = deleting(&deletion, object) {
        return Ok(verdict);
    }
    if generation.count()? > observed.count()? {
        let why = "no controller has looked at its newest spec yet";
        return Ok(Verdict::Progressing(why.to_owned()));
    }
    let message = message.text()?.unwrap_or_default();
    Ok(match status.text()?.as_deref() {
        Some("Healthy") => Verdict::Healthy(message),
        Some("Suspended") => Verdict::Suspended(message),
        Some("Progressing") => Verdict::Progressing(message),
        Some("Missing") => Verdict::Missing(message),
        Some("Degraded") => Verdict::Degraded(message),
        _ if message.is_empty() => {
            Verdict::Unknown("its health is not known; its conditions say why".to_owned())
        }
        _ => Verdict::Unknown(message),
    })
}
