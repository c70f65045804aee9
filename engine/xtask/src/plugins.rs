//! Builds the guests: the standard plugins and the example of one.

use anyhow::Result;

/// Builds all plugins to WebAssembly.
pub(crate) fn build() -> Result<()> {
    Ok(())
}
