//! Inclusive counts in the keys of the price catalogue: what a price needs, and what the buckets cannot say.
//!
//! `input_tokens` holds cache reads, cache writes and every modality; `output_tokens` holds reasoning and every modality.

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// A unit of usage.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum UsageKey { $($(#[$doc])* $name),+ }

        impl UsageKey {
            /// All units, in the order in which they are written.
            pub const ALL: &'static [UsageKey] = &[$(UsageKey::$name),+];

            /// The key of the price catalogue.
            pub fn as_str(self) -> &'static str {
                match self { $(UsageKey::$name => $text),+ }
            }
        }
    };
}

keys! {
    /// All input.
    Input = "input_tokens",
    /// Of it, read from the cache.
    CacheRead = "cache_read_tokens",
    /// Of it, written to the cache.
    CacheWrite = "cache_write_tokens",
    /// Of the writes, for an hour.
    CacheWrite1h = "cache_write_1h_tokens",
    /// Of the input, audio.
    InputAudio = "input_audio_tokens",
    /// Of the audio, read from the cache.
    CacheAudioRead = "cache_audio_read_tokens",
    /// Of the input, images.
    InputImage = "input_image_tokens",
    /// Of the images, read from the cache.
    CacheImageRead = "cache_image_read_tokens",
    /// All output.
    Output = "output_tokens",
    /// Of it, reasoning.
    OutputReasoning = "output_reasoning_tokens",
    /// Of it, audio.
    OutputAudio = "output_audio_tokens",
    /// Of it, images.
    OutputImage = "output_image_tokens",
    /// Searches of the web made by the provider.
    WebSearches = "web_searches",
    /// Searches billed by a reranker.
    RerankSearches = "rerank_searches",
    /// Seconds of audio.
    AudioSeconds = "audio_seconds",
    /// Pages of documents.
    InputDocumentPages = "input_document_pages",
    /// Characters of input.
    InputCharacters = "input_characters",
}

const KEYS: usize = UsageKey::ALL.len();

/// Counts by unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageCounts([Option<i64>; KEYS]);

impl UsageCounts {
    /// The count of one unit, if it was reported.
    pub fn get(&self, key: UsageKey) -> Option<i64> {
        self.0[key as usize]
    }

    /// Whether nothing was reported.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// The reported units in the order of [`UsageKey::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, i64)> + '_ {
        UsageKey::ALL.iter().filter_map(|key| Some((key.as_str(), self.get(*key)?)))
    }

    pub(super) fn set(&mut self, key: UsageKey, count: Option<i64>) {
        self.0[key as usize] = count;
    }
}
