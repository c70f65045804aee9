//! The act about plugins: a health check of one's own, taken up and replaced while the engine runs.

use anyhow::Result;

use super::{narrator::act, stage::Stage};

pub(super) fn own_health_check(_stage: &mut Stage) -> Result<()> {
    act("e. A health check of one's own, without a restart");
    Ok(())
}
