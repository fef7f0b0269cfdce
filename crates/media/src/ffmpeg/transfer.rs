//! Whether FFmpeg moves through its files, told while one of its functions runs for long: the moving of an MP4 file's
//! media behind its index, or the way through a source to the next packet that is wanted.
//!
//! FFmpeg asks before every transfer whether it should stop. We learn that it is alive, and stop one that reads far
//! more often than its file has places. What counts as a step is bounded by the sizes of the files: a demuxer that
//! reads the same bytes again and again makes none.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicPtr, AtomicU64, Ordering};

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

/// How often FFmpeg may read of a source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MostReads {
    /// In all.
    pub in_all: u64,
    /// Without a packet.
    pub a_packet: u64,
}

/// How far into a source FFmpeg has read, and how often. It must outlive the context that it watches.
pub(crate) struct Reach {
    context: AtomicPtr<ffi::AVFormatContext>,
    furthest: AtomicI64,
    reads: AtomicU64,
    /// Reads until the last packet came out.
    reads_to_packet: AtomicU64,
    most: MostReads,
    /// FFmpeg was told to stop, and does not read any more.
    stopped: AtomicBool,
}

impl Reach {
    /// Watches a context that is not yet opened. FFmpeg is told to stop where it reads more often than `most`.
    ///
    /// # Safety
    /// The context is valid, and is closed before the last reference to what this gives is dropped.
    pub(crate) unsafe fn watch(context: *mut ffi::AVFormatContext, most: MostReads) -> Arc<Self> {
        let reach = Arc::new(Self {
            context: AtomicPtr::new(context),
            furthest: AtomicI64::new(0),
            reads: AtomicU64::new(0),
            reads_to_packet: AtomicU64::new(0),
            most,
            stopped: AtomicBool::new(false),
        });
        // SAFETY: the caller's promise.
        unsafe {
            (*context).interrupt_callback = ffi::AVIOInterruptCB {
                callback: Some(before_read),
                opaque: Arc::as_ptr(&reach).cast_mut().cast(),
            };
        }
        reach
    }

    /// Whether FFmpeg was told to stop: there were more reads than there may be.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Takes in a read; whether it is one too many.
    fn read(&self) -> bool {
        let reads = self.reads.fetch_add(1, Ordering::Relaxed) + 1;
        let a_packet = reads.saturating_sub(self.reads_to_packet.load(Ordering::Relaxed));
        if reads > self.most.in_all || a_packet > self.most.a_packet {
            self.stopped.store(true, Ordering::Relaxed);
        }
        self.is_stopped()
    }

    /// Takes in that a packet came out.
    pub(crate) fn packet(&self) {
        self.reads_to_packet.store(self.reads.load(Ordering::Relaxed), Ordering::Relaxed);
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
    let (advanced, is_too_often) = unsafe {
        let reach = &*reach.cast::<Reach>();
        (reach.advanced(), reach.read())
    };
    STEPS.fetch_add(u64::from(advanced), Ordering::Relaxed);
    c_int::from(is_too_often)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_the_same_bytes_again_is_no_advance_and_is_stopped() {
        // SAFETY: a new context and a new handle, freed below, used by this thread alone.
        unsafe {
            let mut context = ffi::avformat_alloc_context();
            let reach = Reach::watch(context, MostReads { in_all: 6, a_packet: 2 });
            assert!(!reach.advanced(), "nothing is open yet");
            let mut handle =
                ffi::avio_alloc_context(ptr::null_mut(), 0, 0, ptr::null_mut(), None, None, None);
            (*context).pb = handle;
            for (position, expected) in [(10, true), (10, false), (5, false), (9, false), (11, true)] {
                (*handle).pos = position;
                assert_eq!(reach.advanced(), expected, "{position}");
            }
            let opaque = Arc::as_ptr(&reach).cast_mut().cast();
            let reads = |count: usize| (0..count).map(|_| before_read(opaque)).collect::<Vec<_>>();
            for _ in 0..3 {
                assert_eq!(reads(2), [0, 0]);
                reach.packet();
            }
            assert_eq!(reads(1), [1], "seven in all");
            let reach = Reach::watch(context, MostReads { in_all: 6, a_packet: 2 });
            let opaque = Arc::as_ptr(&reach).cast_mut().cast();
            assert_eq!([before_read(opaque), before_read(opaque), before_read(opaque)], [0, 0, 1]);
            // A packet that still came out does not let it go on: what it reads no longer holds together.
            reach.packet();
            assert!(reach.is_stopped() && before_read(opaque) == 1);
            (*context).pb = ptr::null_mut();
            ffi::avio_context_free(&raw mut handle);
            ffi::avformat_close_input(&raw mut context);
        }
    }
}
