//! Rule N3 and the input side of N5: does the input include cached tokens, and what is left when they are taken off.

use marginlake_lake::schema::Role;

use crate::recognise::profile::{CacheSplit, InputMode, Profile};
use crate::recognise::provider::{counts_cache_beside, has_no_cache};
use crate::recognise::reported::{Proof, Reported};
use crate::recognise::{Flag, Flags};

/// The input, divided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) uncached: Option<i64>,
    pub(super) cache_read: Option<i64>,
    pub(super) cache_write: Option<i64>,
    pub(super) cache_write_5m: Option<i64>,
    pub(super) cache_write_1h: Option<i64>,
    pub(super) audio: Option<i64>,
    pub(super) image: Option<i64>,
    pub(super) cached_audio: Option<i64>,
    /// All of it, cached and of every modality.
    pub(super) full: Option<i64>,
    /// The division was assumed, or could not be made.
    pub(super) assumed: bool,
    pub(super) inconsistent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Inclusive,
    Exclusive,
}

impl Mode {
    fn other(self) -> Mode {
        match self {
            Mode::Inclusive => Mode::Exclusive,
            Mode::Exclusive => Mode::Inclusive,
        }
    }
}

/// What is known of the record besides its counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'x> {
    pub(super) profile: &'x Profile,
    pub(super) role: Role,
    pub(super) provider: Option<&'x str>,
    pub(super) model: Option<&'x str>,
}

pub(super) fn divide(reported: &Reported, about: About<'_>, flags: &mut Flags) -> Input {
    let writes = writes(reported, flags);
    let cached = i128::from(reported.cache_read.unwrap_or(0)) + i128::from(writes.total.unwrap_or(0));
    let mut input = Input {
        cache_read: reported.cache_read,
        cache_write: writes.total,
        cache_write_5m: writes.five_minutes,
        cache_write_1h: writes.one_hour,
        ..Input::default()
    };
    let parts = Parts::of(reported, flags);
    if let Some(uncached) = explicit(reported) {
        return stated(input, uncached, cached, parts, reported, flags);
    }
    let Some(total) = reported.input else {
        input.audio = parts.audio;
        input.image = parts.image;
        return input;
    };
    let mode = if cached == 0 {
        let unseen = is_zero_unknown(reported, about);
        if unseen {
            (input.cache_read, input.cache_write, input.cache_write_5m) = (None, None, None);
        }
        input.assumed = unseen
            || !split_is_known(reported, about)
            || writes_are_lost(&writes, about)
            || total_tells_of_more(reported, total, about);
        if input.assumed {
            flags.set(Flag::CacheUnknown);
        }
        Mode::Inclusive
    } else {
        let (mode, assumed) = mode(reported, total, cached, about, flags);
        input.assumed = assumed || writes_are_lost(&writes, about) || !split_is_known(reported, about);
        if input.assumed && !assumed {
            flags.set(Flag::CacheUnknown);
        }
        mode
    };
    let solved = solve(total, cached, mode, parts, reported, flags).or_else(|| {
        flags.set(Flag::ProfileConflict);
        solve(total, cached, mode.other(), parts, reported, flags)
    });
    match solved {
        Some(solved) => Input {
            uncached: Some(solved.uncached),
            audio: solved.audio,
            image: parts.image,
            cached_audio: solved.cached_audio,
            full: Some(solved.full),
            ..input
        },
        // No reading fits: the total stands undivided.
        None => {
            flags.set(Flag::Inconsistent);
            Input {
                uncached: Some(total),
                full: Some(total),
                inconsistent: true,
                ..Input::default()
            }
        }
    }
}

/// An explicit count of uncached input needs no mode (rule N3a).
fn explicit(reported: &Reported) -> Option<i64> {
    reported
        .uncached
        .or_else(|| reported.input.filter(|_| reported.proof == Some(Proof::Disjoint)))
}

fn stated(input: Input, uncached: i64, cached: i128, parts: Parts, reported: &Reported, flags: &mut Flags) -> Input {
    let disjoint = reported.proof == Some(Proof::Disjoint);
    // Audio and images are parts of the uncached count, but where every key is a bucket of its own.
    let modal = i128::from(parts.audio.unwrap_or(0)) + i128::from(parts.image.unwrap_or(0));
    let text = if disjoint {
        i128::from(uncached)
    } else {
        i128::from(uncached) - modal
    };
    let tool = i128::from(reported.tool_prompt.unwrap_or(0));
    let full = i128::from(uncached) + cached + tool + if disjoint { modal } else { 0 };
    if !disjoint
        && reported
            .input
            .is_some_and(|total| i128::from(total) != full && total != uncached)
    {
        flags.set(Flag::ProfileConflict);
    }
    match (count(text + tool), count(full)) {
        (Some(text), Some(full)) => Input {
            uncached: Some(text),
            audio: parts.audio,
            image: parts.image,
            cached_audio: parts.cached_audio,
            full: Some(full),
            ..input
        },
        _ => {
            flags.set(Flag::Inconsistent);
            Input {
                uncached: Some(uncached),
                full: Some(uncached),
                inconsistent: true,
                ..Input::default()
            }
        }
    }
}

/// Whether what the input was read from the cache is known: told, or none where nothing is told.
fn split_is_known(reported: &Reported, about: About<'_>) -> bool {
    // A count of writes alone (`cacheWriteTokens: 0`) says nothing of what was read.
    let says_something = reported.cache_read.is_some();
    let beside = match about.profile.input {
        InputMode::Exclusive => true,
        InputMode::ExclusiveForAnthropic => counts_cache_beside(about.provider, about.model),
        _ => false,
    } || reported.proof == Some(Proof::Exclusive);
    // Only text generation has a prompt cache.
    says_something
        || beside && about.profile.split != CacheSplit::Never
        || match about.profile.split {
            CacheSplit::Reported | CacheSplit::ReadsOnly => true,
            CacheSplit::Unknown | CacheSplit::Never => false,
        }
        || !matches!(about.role, Role::Llm) && about.role.is_leaf()
        || has_no_cache(about.provider, about.model)
}

/// Whether the emitter writes zero cached tokens where there were some: not reported is not zero.
fn is_zero_unknown(reported: &Reported, about: About<'_>) -> bool {
    reported.zero_cache_is_unknown && counts_cache_beside(about.provider, about.model)
}

/// Whether cache writes stand unseen in the input: only some providers bill them apart.
fn writes_are_lost(writes: &Writes, about: About<'_>) -> bool {
    about.profile.split == CacheSplit::ReadsOnly
        && writes.total.unwrap_or(0) == 0
        && counts_cache_beside(about.provider, about.model)
}

/// Whether a provider that counts cached tokens beside the input has a total that input and output do not explain.
fn total_tells_of_more(reported: &Reported, input: i64, about: About<'_>) -> bool {
    let plain = sum(&[Some(input), reported.output]);
    let more = reported.total.map(i128::from) > plain && plain.is_some();
    more && reported.cache_read.is_none() && counts_cache_beside(about.provider, about.model)
}

/// Whether the input includes the cached tokens, and whether that is only assumed.
fn mode(reported: &Reported, total: i64, cached: i128, about: About<'_>, flags: &mut Flags) -> (Mode, bool) {
    let by_profile = match about.profile.input {
        InputMode::Unknown => None,
        InputMode::Inclusive => Some(Mode::Inclusive),
        InputMode::Exclusive => Some(Mode::Exclusive),
        InputMode::ExclusiveForAnthropic if counts_cache_beside(about.provider, about.model) => Some(Mode::Exclusive),
        InputMode::ExclusiveForAnthropic => Some(Mode::Inclusive),
        InputMode::TotalTells => {
            let plain = sum(&[Some(total), reported.output]);
            let beside = reported.total.is_some() && plain.is_some() && reported.total.map(i128::from) != plain;
            Some(if beside && counts_cache_beside(about.provider, about.model) {
                Mode::Exclusive
            } else {
                Mode::Inclusive
            })
        }
    };
    let more_than_input = cached > i128::from(total);
    let with_cached = sum(&[Some(total), reported.output]).map(|plain| plain + cached);
    // A total that reasoning and tool prompt explain as well proves nothing.
    let beside_output = i128::from(reported.reasoning.unwrap_or(0)) + i128::from(reported.tool_prompt.unwrap_or(0));
    let total_counts_beside =
        reported.total.is_some() && reported.total.map(i128::from) == with_cached && beside_output != cached;
    if more_than_input || total_counts_beside {
        if by_profile == Some(Mode::Inclusive) {
            flags.set(Flag::ProfileConflict);
        }
        return (Mode::Exclusive, false);
    }
    match (reported.proof, by_profile) {
        (Some(Proof::Inclusive), _) => (Mode::Inclusive, false),
        (Some(Proof::Exclusive), _) => (Mode::Exclusive, false),
        (_, Some(mode)) => (mode, false),
        (_, None) => {
            flags.set(Flag::AssumedInclusive);
            (Mode::Inclusive, true)
        }
    }
}

struct Writes {
    total: Option<i64>,
    five_minutes: Option<i64>,
    one_hour: Option<i64>,
}

/// Cache writes by lifetime; what has none stated is put with those of five minutes.
fn writes(reported: &Reported, flags: &mut Flags) -> Writes {
    let (mut five, mut hour) = (reported.cache_write_5m, reported.cache_write_1h);
    let mut parts = None;
    if five.is_some() || hour.is_some() {
        parts = five.unwrap_or(0i64).checked_add(hour.unwrap_or(0));
        if parts.is_none() {
            flags.set(Flag::InvalidCount);
            (five, hour) = (None, None);
        }
    }
    let (total, five_minutes) = match (reported.cache_write, parts) {
        (None, None) => (None, None),
        (None, Some(parts)) => (Some(parts), five),
        (Some(total), None) => {
            if total > 0 {
                flags.set(Flag::TtlDefault);
            }
            (Some(total), Some(total))
        }
        (Some(total), Some(parts)) if parts > total => {
            flags.set(Flag::AliasConflict);
            (Some(parts), five)
        }
        (Some(total), Some(parts)) => {
            let rest = total - parts;
            if rest > 0 && five.is_some() {
                flags.set(Flag::TtlDefault);
            }
            (Some(total), Some(five.unwrap_or(0) + rest))
        }
    };
    Writes {
        total,
        five_minutes,
        one_hour: hour,
    }
}

/// Audio and images in the input, net of what of them came from the cache.
#[derive(Debug, Clone, Copy)]
struct Parts {
    audio: Option<i64>,
    image: Option<i64>,
    cached_audio: Option<i64>,
}

impl Parts {
    fn of(reported: &Reported, flags: &mut Flags) -> Self {
        let mut net = |gross: Option<i64>, cached: Option<i64>| match (gross, cached) {
            (Some(gross), Some(cached)) if cached <= gross => Some(gross - cached),
            (Some(gross), Some(_)) => {
                flags.set(Flag::ModalityOverlap);
                Some(gross)
            }
            (gross, _) => gross,
        };
        Self {
            audio: net(reported.input_audio, reported.cache_read_audio),
            image: net(reported.input_image, reported.cache_read_image),
            cached_audio: reported.cache_read_audio,
        }
    }
}

struct Solved {
    uncached: i64,
    audio: Option<i64>,
    cached_audio: Option<i64>,
    full: i64,
}

/// Takes the parts off the total; `None` when something would be negative.
fn solve(total: i64, cached: i128, mode: Mode, parts: Parts, reported: &Reported, flags: &mut Flags) -> Option<Solved> {
    let tool = i128::from(reported.tool_prompt.unwrap_or(0));
    let (inside, full) = match mode {
        Mode::Inclusive => (i128::from(total) - cached, i128::from(total) + tool),
        Mode::Exclusive => (i128::from(total), i128::from(total) + cached + tool),
    };
    let text = inside - i128::from(parts.audio.unwrap_or(0)) - i128::from(parts.image.unwrap_or(0));
    let mut solved = Solved {
        uncached: 0,
        audio: parts.audio,
        cached_audio: parts.cached_audio,
        full: count(full)?,
    };
    if text < 0 {
        // Some of the audio came from the cache without being told: the least that fits.
        let overlap = count(-text)?;
        let fits = inside >= 0 && parts.cached_audio.is_none() && parts.audio.is_some_and(|audio| audio >= overlap);
        if !fits || i128::from(overlap) > cached {
            return None;
        }
        flags.set(Flag::ModalityOverlap);
        solved.audio = parts.audio.map(|audio| audio - overlap);
        solved.cached_audio = Some(overlap);
        solved.uncached = count(tool)?;
        return Some(solved);
    }
    solved.uncached = count(text + tool)?;
    Some(solved)
}

/// The sum of what is known; `None` where one is not.
fn sum(counts: &[Option<i64>]) -> Option<i128> {
    counts.iter().try_fold(0i128, |sum, count| Some(sum + i128::from((*count)?)))
}

/// A count that fits its column.
pub(super) fn count(value: i128) -> Option<i64> {
    i64::try_from(value).ok().filter(|value| *value >= 0)
}
