//! What of the processor FFmpeg uses.
#![allow(unsafe_code)]

use ffmpeg_next::ffi;

/// The instructions that every processor of the architecture has; `None` where that is not known.
#[cfg(target_arch = "x86_64")]
const EVERYWHERE: Option<i32> = Some(
    ffi::AV_CPU_FLAG_CMOV
        | ffi::AV_CPU_FLAG_MMX
        | ffi::AV_CPU_FLAG_MMXEXT
        | ffi::AV_CPU_FLAG_SSE
        | ffi::AV_CPU_FLAG_SSE2,
);
#[cfg(target_arch = "aarch64")]
const EVERYWHERE: Option<i32> = Some(ffi::AV_CPU_FLAG_ARMV8 | ffi::AV_CPU_FLAG_NEON | ffi::AV_CPU_FLAG_VFP);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const EVERYWHERE: Option<i32> = None;

/// Has FFmpeg's libraries do with the instructions that every processor has, in all that is opened from now on: sums of
/// floating-point numbers depend on how many are added at once, and on whether a product is rounded before it is added.
pub(crate) fn use_what_all_have() {
    if let Some(flags) = EVERYWHERE {
        // SAFETY: the functions have no preconditions; the flags are ones that this processor has, and are stored atomically.
        unsafe { ffi::av_force_cpu_flags(ffi::av_get_cpu_flags() & flags) };
    }
}
