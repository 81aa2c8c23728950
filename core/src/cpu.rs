//! What the processor has beyond what every one of its architecture has. Each question is asked once and then remembered
//! by the standard library, so a kernel may ask per block.

/// Whether there is SSE 4.2, and so an instruction for CRC32-C.
#[inline]
pub fn has_sse42() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("sse4.2");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Whether there are AVX2, BMI1, BMI2, LZCNT and POPCNT: x86-64-v3.
#[inline]
pub fn has_avx2() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Whether there is AVX-512, too, in vectors of all lengths and with its instructions for 64-bit integers.
#[inline]
pub fn has_avx512() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && has_avx2();
    #[cfg(not(target_arch = "x86_64"))]
    false
}
