//! The ten buckets: disjoint, so that they add up. `None` is not reported, 0 is reported as zero.

/// Tokens by bucket, in the order of the columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Buckets {
    /// Input read at the full rate; the whole input where nothing more is known.
    pub input_uncached: Option<i64>,
    /// Input read from the provider's cache.
    pub cache_read: Option<i64>,
    /// Input written to the cache for five minutes, or for a time that is not stated.
    pub cache_write_5m: Option<i64>,
    /// Input written to the cache for an hour.
    pub cache_write_1h: Option<i64>,
    /// Audio input that did not come from the cache.
    pub input_audio: Option<i64>,
    /// Image input that did not come from the cache.
    pub input_image: Option<i64>,
    /// Output that is none of the others.
    pub output_text: Option<i64>,
    /// Reasoning.
    pub output_reasoning: Option<i64>,
    /// Audio output.
    pub output_audio: Option<i64>,
    /// Image output.
    pub output_image: Option<i64>,
}

impl Buckets {
    /// The columns with their values, in the order of the tables.
    pub fn named(&self) -> [(&'static str, Option<i64>); 10] {
        [
            ("input_uncached", self.input_uncached),
            ("cache_read", self.cache_read),
            ("cache_write_5m", self.cache_write_5m),
            ("cache_write_1h", self.cache_write_1h),
            ("input_audio", self.input_audio),
            ("input_image", self.input_image),
            ("output_text", self.output_text),
            ("output_reasoning", self.output_reasoning),
            ("output_audio", self.output_audio),
            ("output_image", self.output_image),
        ]
    }
}
