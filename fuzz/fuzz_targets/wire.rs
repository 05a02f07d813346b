#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| marginlake_fuzz::targets::wire(bytes));
