#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tagboat::fuzz::yaml(data));
