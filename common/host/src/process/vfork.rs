//! From a plan to a running program: the few system calls between clone and exec.
//!
//! The child shares this process's memory until it executes the program (`CLONE_VM | CLONE_VFORK`, as posix_spawn does),
//! so starting a process costs the same however large the daemon has grown. The price is that the child may do nothing
//! but raw system calls on data laid out beforehand: no allocation, no lock, no libc function with state.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use super::{Child, OWN_CHILDREN, Process, Stat};

/// How many children exist, or may, that are not in the list of own children yet; the collector of orphans waits.
static STARTING: AtomicUsize = AtomicUsize::new(0);

/// Whether a child may exist that the list of own children does not have yet.
pub(super) fn starts_under_way() -> bool {
    STARTING.load(Ordering::SeqCst) > 0
}

struct Starting;

impl Starting {
    fn begin() -> Self {
        STARTING.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        STARTING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Everything the child needs, checked and laid out.
pub(super) struct Plan {
    pub(super) program: CString,
    pub(super) argv: Vec<CString>,
    pub(super) env: Vec<CString>,
    /// (number here, number in the child); targets are unique and not negative.
    pub(super) fds: Vec<(RawFd, RawFd)>,
    pub(super) cwd: Option<CString>,
    pub(super) identity: Option<(u32, u32, Vec<u32>)>,
    /// Capabilities that outlive the change of identity, as bits.
    pub(super) capabilities: u64,
    pub(super) setsid: bool,
    pub(super) umask: Option<u32>,
    /// (resource, soft, hard)
    pub(super) rlimits: Vec<(c_int, u64, u64)>,
}

/// The steps that can fail, in words; the child reports one by its index.
const STEPS: [&str; 12] = [
    "cannot reset signals",
    "cannot start a session",
    "cannot duplicate descriptors",
    "cannot close descriptors",
    "cannot place descriptors",
    "cannot set limits",
    "cannot set its groups",
    "cannot change to its group",
    "cannot change to its user",
    "cannot change to its working directory",
    "cannot execute it",
    "cannot keep its capabilities",
];

/// What the child reads, and the two words it writes.
struct Shared<'a> {
    plan: &'a Plan,
    argv: &'a [*const c_char],
    env: &'a [*const c_char],
    /// Room for the temporary numbers of `plan.fds`.
    held: &'a [AtomicI32],
    step: AtomicUsize,
    errno: AtomicI32,
}

/// Bytes of stack for the child; it calls nothing deep.
const STACK: usize = 64 * 1024;

/// What the stack is made of: 16 bytes, aligned so.
type Chunk = std::mem::MaybeUninit<[u128; 1]>;
const _: () = assert!(align_of::<Chunk>() >= 16);

/// Starts the planned process.
///
/// # Errors
/// The step that failed and why.
pub(super) fn start(plan: &Plan) -> Result<Child, (&'static str, io::Error)> {
    let argv = pointers(&plan.argv);
    let env = pointers(&plan.env);
    let held: Vec<AtomicI32> = plan.fds.iter().map(|_| AtomicI32::new(-1)).collect();
    let shared =
        Shared { plan, argv: &argv, env: &env, held: &held, step: AtomicUsize::new(0), errno: AtomicI32::new(0) };
    let mut stack: Vec<Chunk> = Vec::with_capacity(STACK / size_of::<Chunk>());
    let mut pidfd: c_int = -1;
    let starting = Starting::begin();
    let mask = block_signals();
    // SAFETY: `top` is one past the end of a live, 16-aligned allocation; CLONE_VFORK suspends this thread until the
    // child has executed or exited, so the stack, `shared` and what it borrows outlive the child's use of them. The
    // child never returns from `child` and keeps to raw system calls. `pidfd` is where CLONE_PIDFD stores its result.
    let pid = unsafe {
        let top = stack.as_mut_ptr().add(stack.capacity()).cast::<c_void>();
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
        libc::clone(child, top, flags, ptr::from_ref(&shared).cast_mut().cast(), &raw mut pidfd)
    };
    let error = io::Error::last_os_error();
    restore_signals(&mask);
    if pid < 0 {
        return Err(("cannot start another process", error));
    }
    OWN_CHILDREN.lock().unwrap_or_else(PoisonError::into_inner).insert(pid);
    drop(starting);
    // SAFETY: the kernel stored a fresh descriptor (close-on-exec) that nobody else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    // A child not yet reaped keeps its pid, so this is its own line even if it has ended already.
    let looked_at = Stat::read(pid);
    let start_time = looked_at.as_ref().map(|stat| stat.start_time).unwrap_or_default();
    let mut started = Child::new(Process { pid, start_time, pidfd });
    match (shared.errno.load(Ordering::Acquire), looked_at) {
        (0, Ok(_)) => Ok(started),
        // No descriptor left to read it with, say. Without its start time it could not be found again after a restart.
        (0, Err(error)) => {
            let _ = started.signal(nix::sys::signal::Signal::SIGKILL);
            started.wait_blocking();
            Err(("cannot tell when it started", error))
        }
        (errno, _) => {
            started.wait_blocking();
            let step = STEPS.get(shared.step.load(Ordering::Acquire)).copied().unwrap_or("cannot start");
            Err((step, io::Error::from_raw_os_error(errno)))
        }
    }
}

/// The child. Runs on its own stack in shared memory; ends in exec or exit.
extern "C" fn child(argument: *mut c_void) -> c_int {
    // SAFETY: `start` passes a live `Shared` and is suspended while this runs.
    let shared = unsafe { &*argument.cast::<Shared<'_>>() };
    // SAFETY: only raw system calls on prepared data, see `prepare_and_exec`.
    unsafe {
        prepare_and_exec(shared);
        shared.errno.store(*libc::__errno_location(), Ordering::Release);
        libc::_exit(127)
    }
}

/// Takes the steps; returns only if one fails, with errno set and `shared.step` naming it.
///
/// SAFETY: must run in the child alone; all pointers handed to the kernel lie in `shared`.
unsafe fn prepare_and_exec(shared: &Shared<'_>) {
    let plan = shared.plan;
    let at = |step: usize| shared.step.store(step, Ordering::Release);
    // SAFETY: see above; identity goes through raw system calls, because libc's wrappers signal every thread of the
    // process, and those are the parent's.
    unsafe {
        at(0);
        reset_signal_handlers();
        at(1);
        if plan.setsid && libc::setsid() < 0 {
            return;
        }
        if let Some(mask) = plan.umask {
            libc::umask(mask);
        }
        if !place_descriptors(shared) {
            return;
        }
        // After the descriptors: a limit on their number would count those of this process, which are still open. And as
        // long as there are privileges to raise limits with.
        at(5);
        for (resource, soft, hard) in &plan.rlimits {
            let limit = libc::rlimit64 { rlim_cur: *soft, rlim_max: *hard };
            let nowhere = ptr::null_mut::<libc::rlimit64>();
            if libc::syscall(libc::SYS_prlimit64, 0, *resource, &raw const limit, nowhere) < 0 {
                return;
            }
        }
        if let Some((uid, gid, groups)) = &plan.identity {
            if plan.capabilities != 0 {
                at(11);
                if libc::syscall(libc::SYS_prctl, libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 {
                    return;
                }
            }
            at(6);
            if libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) < 0 {
                return;
            }
            at(7);
            if libc::syscall(libc::SYS_setresgid, *gid, *gid, *gid) < 0 {
                return;
            }
            at(8);
            if libc::syscall(libc::SYS_setresuid, *uid, *uid, *uid) < 0 {
                return;
            }
            at(11);
            if plan.capabilities != 0 && !keep_capabilities(plan.capabilities) {
                return;
            }
        }
        at(9);
        if let Some(directory) = &plan.cwd
            && libc::chdir(directory.as_ptr()) < 0
        {
            return;
        }
        at(10);
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        libc::execve(plan.program.as_ptr(), shared.argv.as_ptr(), shared.env.as_ptr());
    }
}

/// Keeps these capabilities alone, through the execution that follows. Returns whether that worked.
///
/// # Safety
/// For the child of [`start`].
unsafe fn keep_capabilities(bits: u64) -> bool {
    // _LINUX_CAPABILITY_VERSION_3: two words for each of effective, permitted, inheritable.
    let header: [u32; 2] = [0x2008_0522, 0];
    #[allow(clippy::cast_possible_truncation, reason = "the lower and the upper half")]
    let (low, high) = (bits as u32, (bits >> 32) as u32);
    let data: [u32; 6] = [low, low, low, high, high, high];
    // SAFETY: raw calls on local data, about the child's own credentials.
    unsafe {
        if libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) < 0 {
            return false;
        }
        for number in 0..64_u64 {
            let raise = libc::PR_CAP_AMBIENT_RAISE;
            if bits >> number & 1 == 1 && libc::syscall(libc::SYS_prctl, libc::PR_CAP_AMBIENT, raise, number, 0, 0) < 0
            {
                return false;
            }
        }
    }
    true
}

/// Moves the descriptors to their numbers and marks all others to be closed. Two passes, so that a source may lie
/// where another one goes.
///
/// SAFETY: as `prepare_and_exec`.
unsafe fn place_descriptors(shared: &Shared<'_>) -> bool {
    let fds = &shared.plan.fds;
    let above = fds.iter().fold(2, |highest, (_, target)| highest.max(*target)).saturating_add(1);
    // SAFETY: descriptor calls on the child's own table.
    unsafe {
        shared.step.store(2, Ordering::Release);
        for ((source, _), held) in fds.iter().zip(shared.held) {
            let number = libc::fcntl(*source, libc::F_DUPFD_CLOEXEC, above);
            if number < 0 {
                return false;
            }
            held.store(number, Ordering::Relaxed);
        }
        shared.step.store(3, Ordering::Release);
        let flags = libc::CLOSE_RANGE_CLOEXEC as c_int;
        if libc::syscall(libc::SYS_close_range, 0, u32::MAX, flags) < 0 {
            return false;
        }
        shared.step.store(4, Ordering::Release);
        for ((_, target), held) in fds.iter().zip(shared.held) {
            // The copy made by dup2 is not close-on-exec.
            if libc::dup2(held.load(Ordering::Relaxed), *target) < 0 {
                return false;
            }
        }
    }
    true
}

/// All signals to their default action: handlers of the parent must not run in shared memory, and what the parent
/// ignores (SIGPIPE) the program must not.
///
/// SAFETY: as `prepare_and_exec`.
unsafe fn reset_signal_handlers() {
    // The kernel's struct (handler, flags, restorer, mask of 64 signals) with SIG_DFL, which is zero throughout. The raw
    // call, because libc refuses its own signals (32, 33), which may have come to us ignored.
    let action = [0_u64; 4];
    let mask_size = size_of::<u64>();
    // SAFETY: the handler table is the child's own (no CLONE_SIGHAND); refusals (KILL, STOP) do not matter.
    unsafe {
        for signal in 1..=64 {
            libc::syscall(libc::SYS_rt_sigaction, signal, action.as_ptr(), ptr::null_mut::<u64>(), mask_size);
        }
    }
}

fn block_signals() -> libc::sigset_t {
    // SAFETY: plain calls on two local sets.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        before
    }
}

fn restore_signals(mask: &libc::sigset_t) {
    // SAFETY: a set that pthread_sigmask filled.
    unsafe {
        libc::pthread_sigmask(libc::SIG_SETMASK, ptr::from_ref(mask), ptr::null_mut());
    }
}

/// A null-terminated vector of pointers into `texts`.
fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| CStr::as_ptr(text)).chain([ptr::null()]).collect()
}
