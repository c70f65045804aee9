//! Cleans up after a process that was killed before it could do so itself.
//!
//! A shell in a process group of its own reads names of folders and ids of processes from a pipe. The kernel closes that
//! pipe when this process ends, however it ends; the shell then kills and removes what is still on its list. In the usual
//! case `Drop` has done all that before, and the list is empty.

use std::{
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
};

/// Kept as one script, so that it needs nothing but a POSIX shell. A folder of a killed process may still be written to
/// for a moment, so it is removed twice.
const SCRIPT: &str = r#"
processes=
folders=
while read -r verb what; do
  case $verb in
    process) processes="$processes $what" ;;
    forget) rest=; for id in $processes; do [ "$id" = "$what" ] || rest="$rest $id"; done; processes=$rest ;;
    folder) folders="$folders$what
" ;;
  esac
done
for id in $processes; do kill -s KILL -- "$id" 2>/dev/null; done
remove() { printf '%s' "$folders" | while read -r folder; do [ -e "$folder" ] && rm -rf "$folder"; done; }
remove
[ -n "$processes" ] && sleep 0.2
remove
"#;

static JANITOR: Mutex<Option<Child>> = Mutex::new(None);

/// Has a process killed if this one is killed.
pub fn watch_process(id: u32) {
    tell(&format!("process {id}"));
}

/// Takes a process off the list: it has ended.
pub fn forget_process(id: u32) {
    tell(&format!("forget {id}"));
}

/// Has a process and its descendants killed if this one is killed; it leads a process group of its own.
pub fn watch_group(id: u32) {
    tell(&format!("process -{id}"));
}

/// Takes a process group off the list: its leader has ended.
pub fn forget_group(id: u32) {
    tell(&format!("forget -{id}"));
}

/// Has a folder removed at the end of this process, if it is still there.
pub fn watch_folder(path: &Path) {
    tell(&format!("folder {}", path.display()));
}

/// Ends the janitor and waits for it. For programs that promise to leave nothing behind; others need not call it.
pub fn finish() {
    let janitor = JANITOR.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(mut janitor) = janitor {
        drop(janitor.stdin.take());
        // It removes folders and ends; there is nothing to do if it was killed.
        janitor.wait().ok();
    }
}

/// Tells the janitor, starting it the first time. Not being able to is no reason to fail: `Drop` does the same work.
fn tell(line: &str) {
    let mut janitor = JANITOR.lock().unwrap_or_else(PoisonError::into_inner);
    if janitor.is_none() {
        *janitor = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Out of reach of Ctrl-C, which would end it before its work.
            .process_group(0)
            .spawn()
            .ok();
    }
    if let Some(pipe) = janitor.as_mut().and_then(|janitor| janitor.stdin.as_mut()) {
        writeln!(pipe, "{line}").ok();
    }
}
