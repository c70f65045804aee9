//! How an application's health went: what is shown of it, and since when.
//!
//! What gets worse is shown at once. What gets better is shown at once too, unless the health goes back and forth: if it fell from
//! healthy [`FALLS`] times within [`WINDOW`], it has to last for [`STEADY`] first. So an application whose Pods crash every minute is not
//! reported healthy between two crashes. Waits for health do not look at this: they judge the objects themselves.

use std::time::Duration;

use sluice_model::health::{HealthState, HealthStatus, HealthTransition};

/// So many falls from healthy within [`WINDOW`] make a health that goes back and forth. A rollout has none, however often it changes.
pub const FALLS: usize = 3;
/// How far back falls count.
pub const WINDOW: Duration = Duration::from_secs(10 * 60);
/// How long a better health has to last then.
pub const STEADY: Duration = Duration::from_secs(60);
/// So many changes are remembered.
const REMEMBERED: usize = 10;

/// What has to be remembered from one look to the next, beside what is shown: the better health that has not lasted yet. If it is lost,
/// it has to last once more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Course {
    better: Option<(HealthStatus, jiff::Timestamp)>,
}

impl Course {
    /// Returns what is shown after `before` if `seen` is what the objects come to now, and after how much time that may change though
    /// nothing else does.
    #[must_use]
    pub fn go_on(
        self,
        before: &HealthState,
        seen: HealthState,
        now: jiff::Timestamp,
    ) -> (Self, HealthState, Option<Duration>) {
        let is_better = seen.status < before.status && before.since.is_some();
        if !is_better || !goes_back_and_forth(&before.transitions, now) {
            return (Self::default(), shown(before, seen, now), None);
        }
        let since = match self.better {
            Some((status, since)) if status == seen.status => since,
            _ => now,
        };
        let rest = STEADY.saturating_sub(between(since, now));
        if rest.is_zero() {
            return (Self::default(), shown(before, seen, now), None);
        }
        let message = format!(
            "it goes back and forth: {:?} again once that has lasted for {} s; last: {}",
            seen.status,
            STEADY.as_secs(),
            last_words(&before.message),
        );
        let kept = HealthState {
            message,
            ..before.clone()
        };
        let better = Some((seen.status, since));
        (Self { better }, kept, Some(rest))
    }
}

/// The message of before, without what was put in front of it.
fn last_words(message: &str) -> &str {
    message.split_once("; last: ").map_or(message, |(_, last)| last)
}

fn goes_back_and_forth(transitions: &[HealthTransition], now: jiff::Timestamp) -> bool {
    let is_recent = |transition: &HealthTransition| {
        let since = transition.since.parse::<jiff::Timestamp>();
        since.is_ok_and(|since| between(since, now) < WINDOW)
    };
    // The newest comes first.
    let fell = |pair: &&[HealthTransition]| match pair {
        [after, before] => before.status == HealthStatus::Healthy && is_recent(after),
        _ => false,
    };
    transitions.windows(2).filter(fell).count() >= FALLS
}

fn between(earlier: jiff::Timestamp, later: jiff::Timestamp) -> Duration {
    later.duration_since(earlier).try_into().unwrap_or_default()
}

/// The new state, with the time of the change if it is one.
fn shown(before: &HealthState, seen: HealthState, now: jiff::Timestamp) -> HealthState {
    if before.since.is_some() && before.status == seen.status {
        return HealthState {
            since: before.since.clone(),
            transitions: before.transitions.clone(),
            ..seen
        };
    }
    let since = sluice_model::application::rfc3339(now);
    let change = HealthTransition {
        status: seen.status,
        since: since.clone(),
    };
    let earlier = before.transitions.iter().cloned();
    HealthState {
        since: Some(since),
        transitions: std::iter::once(change).chain(earlier).take(REMEMBERED).collect(),
        ..seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use HealthStatus::{Degraded, Healthy, Progressing};

    fn at(seconds: i64) -> jiff::Timestamp {
        jiff::Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn seen(status: HealthStatus) -> HealthState {
        HealthState {
            status,
            message: format!("{status:?} now"),
            ..HealthState::default()
        }
    }

    /// What is shown after each look: seconds, what is seen, what is shown, since which second, and when to look again.
    fn course(looks: &[(i64, HealthStatus, HealthStatus, i64, Option<u64>)]) -> HealthState {
        let (mut course, mut state) = (Course::default(), HealthState::default());
        for &(second, status, wanted, since, next) in looks {
            let rest;
            (course, state, rest) = course.go_on(&state, seen(status), at(second));
            assert_eq!(state.status, wanted, "after {second} s");
            let since = sluice_model::application::rfc3339(at(since));
            assert_eq!(state.since.as_deref(), Some(since.as_str()), "after {second} s");
            assert_eq!(rest.map(|rest| rest.as_secs()), next, "after {second} s");
        }
        state
    }

    #[test]
    fn a_change_is_shown_at_once_and_its_time_is_kept() {
        let state = course(&[
            (0, Progressing, Progressing, 0, None),
            (5, Progressing, Progressing, 0, None),
            (20, Healthy, Healthy, 20, None),
            (700, Degraded, Degraded, 700, None),
        ]);
        let statuses: Vec<HealthStatus> = state.transitions.iter().map(|change| change.status).collect();
        assert_eq!(statuses, [Degraded, Healthy, Progressing]);
        assert_eq!(state.message, "Degraded now");
    }

    #[test]
    fn what_goes_back_and_forth_gets_better_only_once_that_lasts() {
        let state = course(&[
            (0, Healthy, Healthy, 0, None),
            (5, Degraded, Degraded, 5, None),
            (10, Healthy, Healthy, 10, None),
            (15, Progressing, Progressing, 15, None),
            (20, Healthy, Healthy, 20, None),
            (30, Degraded, Degraded, 30, None),
            // The third fall: from now on better has to last.
            (40, Healthy, Degraded, 30, Some(60)),
            (55, Healthy, Degraded, 30, Some(45)),
            // It did not; the time begins again.
            (60, Degraded, Degraded, 30, None),
            (70, Healthy, Degraded, 30, Some(60)),
            // Another better one begins again too.
            (90, Progressing, Degraded, 30, Some(60)),
            (100, Healthy, Degraded, 30, Some(60)),
            (130, Healthy, Degraded, 30, Some(30)),
            (160, Healthy, Healthy, 160, None),
            // Long after that it is as ever.
            (900, Degraded, Degraded, 900, None),
            (910, Healthy, Healthy, 910, None),
        ]);
        assert_eq!(state.message, "Healthy now");
    }

    /// A Deployment that comes, is replaced by a hook's wave, comes again and fails has not gone back and forth.
    #[test]
    fn a_rollout_is_shown_as_it_goes() {
        use HealthStatus::Missing;
        course(&[
            (0, Missing, Missing, 0, None),
            (1, Progressing, Progressing, 1, None),
            (2, Missing, Missing, 2, None),
            (3, Progressing, Progressing, 3, None),
            (4, Degraded, Degraded, 4, None),
            (5, Healthy, Healthy, 5, None),
        ]);
    }

    #[test]
    fn the_last_words_stay_while_it_has_to_last() {
        let mut state = HealthState::default();
        let mut course = Course::default();
        for (second, status) in [
            (0, Healthy),
            (1, Degraded),
            (2, Healthy),
            (3, Degraded),
            (4, Healthy),
            (5, Degraded),
            (6, Healthy),
            (7, Healthy),
        ] {
            (course, state, _) = course.go_on(&state, seen(status), at(second));
        }
        let wanted =
            "it goes back and forth: Healthy again once that has lasted for 60 s; last: Degraded now";
        assert_eq!(state.message, wanted);
    }

    #[test]
    fn no_more_changes_are_remembered_than_a_status_should_hold() {
        let (mut course, mut state) = (Course::default(), HealthState::default());
        for step in 0..50 {
            let status = if step % 2 == 0 { Healthy } else { Degraded };
            (course, state, _) = course.go_on(&state, seen(status), at(step * 3600));
        }
        assert_eq!(state.transitions.len(), REMEMBERED);
    }
}
