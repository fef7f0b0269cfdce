//! Whether FFmpeg moves through its files, told while one of its functions runs for long: the moving of an MP4 file's
//! media behind its index, or the way through a source to the next packet that is wanted.
//!
//! FFmpeg asks before every transfer whether it should stop. We never want that, but learn that it is alive. What
//! counts is bounded by the sizes of the files: a demuxer that reads the same bytes again and again makes no step.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicPtr, AtomicU64, Ordering};

use ffmpeg_next::ffi;

static STEPS: AtomicU64 = AtomicU64::new(0);

/// Steps so far, of all files in the process: bytes written, or read for the first time.
pub(crate) fn steps() -> u64 {
    STEPS.load(Ordering::Relaxed)
}

/// The callback for a file that is written: each transfer is a step.
pub(crate) fn writing() -> ffi::AVIOInterruptCB {
    ffi::AVIOInterruptCB { callback: Some(before_write), opaque: ptr::null_mut() }
}

unsafe extern "C" fn before_write(_: *mut c_void) -> c_int {
    STEPS.fetch_add(1, Ordering::Relaxed);
    0
}

/// How far into a source FFmpeg has read. It must outlive the context that it watches.
pub(crate) struct Reach {
    context: AtomicPtr<ffi::AVFormatContext>,
    furthest: AtomicI64,
}

impl Reach {
    /// Watches a context that is not yet opened.
    ///
    /// # Safety
    /// The context is valid, and is closed before the last reference to what this gives is dropped.
    pub(crate) unsafe fn watch(context: *mut ffi::AVFormatContext) -> Arc<Self> {
        let reach = Arc::new(Self { context: AtomicPtr::new(context), furthest: AtomicI64::new(0) });
        // SAFETY: the caller's promise.
        unsafe {
            (*context).interrupt_callback = ffi::AVIOInterruptCB {
                callback: Some(before_read),
                opaque: Arc::as_ptr(&reach).cast_mut().cast(),
            };
        }
        reach
    }

    /// Whether FFmpeg has come further than when this was last asked.
    ///
    /// # Safety
    /// The context is valid, and in use by no other thread.
    unsafe fn advanced(&self) -> bool {
        // SAFETY: the caller's promise; the handle is null or valid.
        let position = unsafe {
            let handle = (*self.context.load(Ordering::Relaxed)).pb;
            if handle.is_null() { 0 } else { (*handle).pos }
        };
        position > self.furthest.fetch_max(position, Ordering::Relaxed)
    }
}

unsafe extern "C" fn before_read(reach: *mut c_void) -> c_int {
    // SAFETY: it points to the `Reach` of the context that calls, which outlives it; FFmpeg calls in the thread that
    // uses the context.
    let advanced = unsafe { (*reach.cast::<Reach>()).advanced() };
    STEPS.fetch_add(u64::from(advanced), Ordering::Relaxed);
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_the_same_bytes_again_is_no_advance() {
        // SAFETY: a new context and a new handle, freed below, used by this thread alone.
        unsafe {
            let mut context = ffi::avformat_alloc_context();
            let reach = Reach::watch(context);
            assert!(!reach.advanced(), "nothing is open yet");
            let mut handle =
                ffi::avio_alloc_context(ptr::null_mut(), 0, 0, ptr::null_mut(), None, None, None);
            (*context).pb = handle;
            for (position, expected) in [(10, true), (10, false), (5, false), (9, false), (11, true)] {
                (*handle).pos = position;
                assert_eq!(reach.advanced(), expected, "{position}");
            }
            (*context).pb = ptr::null_mut();
            ffi::avio_context_free(&raw mut handle);
            ffi::avformat_close_input(&raw mut context);
        }
    }
}
