//! Any bytes as a file of manifests. What was decoded is, written as JSON, decoded to the same.

use sluice_render::decode;

/// See the module.
pub fn run(bytes: &[u8]) {
    let Ok(manifests) = decode("fuzz.yaml", bytes) else {
        return;
    };
    for manifest in manifests {
        let text = manifest.object.value().to_string();
        // A list is taken apart once; what is in it may be one again.
        if let Ok(again) = decode("fuzz.yaml", text.as_bytes())
            && let [again] = again.as_slice()
        {
            assert_eq!(again.object, manifest.object, "{text}");
        }
    }
}
