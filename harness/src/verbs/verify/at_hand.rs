//! Which join is at hand, for who sees the process die of it, or ends it because it hangs.

use std::sync::atomic::{AtomicPtr, Ordering};
use std::{mem, ptr};

/// What a crash of unsafe code raises, and what ends a process that hangs.
const SIGNALS: [libc::c_int; 7] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGABRT,
    libc::SIGINT,
    libc::SIGTERM,
];

static AT_HAND: AtomicPtr<String> = AtomicPtr::new(ptr::null_mut());

/// Writes `text` to standard error if a signal ends the process during `work`. Within that, the innermost text is told.
pub(super) fn told<R>(text: String, work: impl FnOnce() -> R) -> R {
    told_by(&AT_HAND, text, work)
}

fn told_by<R>(at_hand: &AtomicPtr<String>, text: String, work: impl FnOnce() -> R) -> R {
    /// What was at hand before is so again once this is dropped, by a panic too.
    struct Until<'a>(&'a AtomicPtr<String>, *mut String);
    impl Drop for Until<'_> {
        fn drop(&mut self) {
            self.0.store(self.1, Ordering::Release);
        }
    }
    let mut line = text + "\n";
    let _until = Until(at_hand, at_hand.swap(&raw mut line, Ordering::AcqRel));
    work()
}

/// Makes signals tell what is at hand before they end the process.
pub(super) fn tell_on_signals() {
    for signal in SIGNALS {
        // SAFETY: `tell` calls only what a handler may call. It runs once, on the stack that the standard library keeps for
        // handlers: the thread's own may have overflowed.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = tell as extern "C" fn(libc::c_int) as libc::sighandler_t;
            action.sa_flags = libc::SA_ONSTACK | libc::SA_RESETHAND;
            libc::sigaction(signal, &action, ptr::null_mut());
        }
    }
}

extern "C" fn tell(signal: libc::c_int) {
    let line = AT_HAND.load(Ordering::Acquire);
    // SAFETY: a text is at hand as long as its work takes, and raising and writing are allowed in a handler. The signal waits
    // until this one has been handled, and then ends the process.
    unsafe {
        if let Some(line) = line.as_ref() {
            libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len());
        }
        libc::raise(signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_text_is_at_hand() {
        let slot = AtomicPtr::<String>::new(ptr::null_mut());
        // SAFETY: only this thread sets it, and its texts outlive the call.
        let at_hand = || unsafe { slot.load(Ordering::Acquire).as_ref() }.map(String::as_str);
        let told = |text: &str, work: &dyn Fn()| told_by(&slot, text.to_owned(), work);
        assert_eq!(at_hand(), None);
        told("outer", &|| {
            assert_eq!(at_hand(), Some("outer\n"));
            told("inner", &|| assert_eq!(at_hand(), Some("inner\n")));
            let panics = || told("panics", &|| std::panic::resume_unwind(Box::new(())));
            let panics = std::panic::AssertUnwindSafe(panics);
            assert!(std::panic::catch_unwind(panics).is_err());
            assert_eq!(at_hand(), Some("outer\n"));
        });
        assert_eq!(at_hand(), None);
    }
}
