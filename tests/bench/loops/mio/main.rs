// SPDX-License-Identifier: MIT
//! mio, with the arguments, the scenarios and the handlers of ../scenario.c. It has no level-triggered mode and no
//! timers: those scenarios end with status 77. As everywhere there, an event is handled by one call that does not block.

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use std::os::unix::io::RawFd;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

const WARM_UP: i64 = 16;
const BATCH_MIN: usize = 1024;

/// What handlers write, as in ../loop.h; they are reached through a pointer, as there.
#[derive(Default)]
struct State {
    left: i64,
    sum: u64,
    react: Option<fn(&mut State, u64)>,
    other: Option<Arc<Waker>>,
}

struct Loop {
    poll: Poll,
    events: Events,
    state: State,
}

impl Loop {
    fn new(n: usize, react: Option<fn(&mut State, u64)>) -> Loop {
        Loop {
            poll: Poll::new().unwrap(),
            events: Events::with_capacity(n.max(BATCH_MIN)),
            state: State { react, ..Default::default() },
        }
    }

    fn add(&self, fd: RawFd, token: usize) {
        self.poll
            .registry()
            .register(&mut SourceFd(&fd), Token(token), Interest::READABLE)
            .unwrap();
    }

    fn handle(&mut self, timeout: Option<Duration>) {
        self.poll.poll(&mut self.events, timeout).unwrap();
        for e in self.events.iter() {
            let token = e.token().0 as u64;

            self.state.sum = self.state.sum.wrapping_add(token);
            self.state.left -= 1;
            if let Some(react) = self.state.react {
                react(&mut self.state, token);
            }
        }
    }

    fn run(&mut self, n_events: i64) {
        self.state.left = n_events;
        while self.state.left > 0 {
            self.handle(None);
        }
    }

    fn turn(&mut self) {
        self.handle(Some(Duration::ZERO));
    }
}

fn check(what: &str, ok: bool) {
    if !ok {
        eprintln!("{}: {}", what, std::io::Error::last_os_error());
        std::process::exit(1);
    }
}

#[inline(never)]
fn serve(_: &mut State, token: u64) {
    let fd = token as RawFd;
    let mut value = 0u64;
    let p = &mut value as *mut u64 as *mut libc::c_void;

    check("serve", unsafe { libc::read(fd, p, 8) == 8 && libc::write(fd, p, 8) == 8 });
}

#[inline(never)]
fn echo(_: &mut State, token: u64) {
    let fd = token as RawFd;
    let mut buf = [0u8; 64];
    let p = buf.as_mut_ptr() as *mut libc::c_void;

    check("echo", unsafe { libc::read(fd, p, 64) == 1 && libc::write(fd, p, 1) == 1 });
}

#[inline(never)]
fn wake_other(state: &mut State, _: u64) {
    state.other.as_ref().unwrap().wake().unwrap();
}

fn put_byte(fd: RawFd) {
    check("write", unsafe { libc::write(fd, b"\0".as_ptr() as *const libc::c_void, 1) == 1 });
}

fn new_eventfd(ready: bool) -> RawFd {
    let fd = unsafe { libc::eventfd(ready as u32, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };

    check("eventfd", fd >= 0);
    fd
}

fn new_pair() -> [RawFd; 2] {
    let mut sv = [0; 2];
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;

    check("socketpair", unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, sv.as_mut_ptr()) == 0 });
    sv
}

fn timed(f: impl FnOnce()) -> Duration {
    let from = Instant::now();

    f();
    from.elapsed()
}

fn ready_and_served(n: usize, k: usize, operations: i64) -> Duration {
    let mut l = Loop::new(n, Some(serve));
    let mut done = 0;

    for i in 0..n {
        let ready = (i + 1) * k / n > done;
        let fd = new_eventfd(ready);

        done += ready as usize;
        l.add(fd, fd as usize);
    }
    l.run(WARM_UP * k as i64);
    timed(|| l.run(operations))
}

fn pingpong(operations: i64) -> Duration {
    let mut l = Loop::new(2, Some(echo));
    let sv = new_pair();

    l.add(sv[0], sv[0] as usize);
    l.add(sv[1], sv[1] as usize);
    put_byte(sv[0]);
    l.run(WARM_UP);
    timed(|| l.run(operations))
}

fn take_cpu(which: usize) {
    unsafe {
        let size = std::mem::size_of::<libc::cpu_set_t>();
        let mut all: libc::cpu_set_t = std::mem::zeroed();
        let mut one: libc::cpu_set_t = std::mem::zeroed();

        if libc::sched_getaffinity(0, size, &mut all) != 0 || libc::CPU_COUNT(&all) < 2 {
            return;
        }
        let mut cpus = (0..libc::CPU_SETSIZE as usize).filter(|cpu| libc::CPU_ISSET(*cpu, &all));
        libc::CPU_SET(cpus.nth(which).unwrap(), &mut one);
        check("sched_setaffinity", libc::sched_setaffinity(0, size, &one) == 0);
    }
}

fn in_two_threads(mut l: [Loop; 2], operations: i64, begin: impl FnOnce()) -> Duration {
    let both = Arc::new(Barrier::new(2));
    let theirs = both.clone();
    let [mut first, mut second] = {
        l[0].state.left = (operations + 1) / 2;
        l[1].state.left = operations / 2;
        l
    };
    let thread = std::thread::spawn(move || {
        take_cpu(1);
        theirs.wait();
        second.run(second.state.left);
    });

    take_cpu(0);
    both.wait();
    timed(|| {
        begin();
        first.run(first.state.left);
        thread.join().unwrap();
    })
}

fn pingpong2(operations: i64) -> Duration {
    let sv = new_pair();
    let l = sv.map(|fd| {
        let l = Loop::new(1, Some(echo));

        l.add(fd, fd as usize);
        l
    });

    in_two_threads(l, operations, || put_byte(sv[1]))
}

fn wake(operations: i64) -> Duration {
    let mut l = [Loop::new(1, Some(wake_other)), Loop::new(1, Some(wake_other))];
    let wakers = [0, 1].map(|i: usize| Arc::new(Waker::new(l[i].poll.registry(), Token(1)).unwrap()));

    for i in 0..2 {
        l[i].state.other = Some(wakers[1 - i].clone());
    }
    in_two_threads(l, operations, || wakers[0].wake().unwrap())
}

fn full_socket() -> RawFd {
    let block = [0u8; 4096];
    let sv = new_pair();
    let p = block.as_ptr() as *const libc::c_void;

    while unsafe { libc::write(sv[0], p, 4096) } > 0 {}
    while unsafe { libc::write(sv[0], p, 1) } > 0 {}
    sv[0]
}

fn churn(n: usize, operations: i64, turns: bool) -> Duration {
    let mut l = Loop::new(n + 1, None);
    let fd = full_socket();
    let once = |l: &mut Loop| {
        l.add(fd, 1);
        if turns {
            l.turn();
        }
        l.poll
            .registry()
            .reregister(&mut SourceFd(&fd), Token(1), Interest::READABLE | Interest::WRITABLE)
            .unwrap();
        if turns {
            l.turn();
        }
        l.poll.registry().deregister(&mut SourceFd(&fd)).unwrap();
        if turns {
            l.turn();
        }
    };

    for _ in 0..n {
        l.add(new_eventfd(false), 1);
    }
    l.turn();
    for _ in 0..WARM_UP {
        once(&mut l);
    }
    timed(|| {
        for _ in 0..operations {
            once(&mut l);
        }
    })
}

fn raise_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };

    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}

fn not_applicable(why: &str) -> ! {
    eprintln!("{}", why);
    std::process::exit(77);
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |i: usize| args.get(i).and_then(|a| a.parse::<i64>().ok()).filter(|v| *v > 0);
    let (n, k, operations) = match (args.len(), number(2), number(3), number(4)) {
        (5, Some(n), Some(k), Some(operations)) if k <= n => (n as usize, k as usize, operations),
        _ => {
            eprintln!("usage: loop-mio SCENARIO N K OPERATIONS (1 <= K <= N, 1 <= OPERATIONS)");
            std::process::exit(2);
        }
    };

    raise_limit();
    let took = match args[1].as_str() {
        "ready" => not_applicable("mio is edge-triggered only: see serve"),
        "timers" => not_applicable("mio has no timers"),
        "serve" => ready_and_served(n, k, operations),
        "pingpong" => pingpong(operations),
        "pingpong2" => pingpong2(operations),
        "wake" => wake(operations),
        "churn" => churn(n, operations, false),
        "churn-turn" => churn(n, operations, true),
        other => {
            eprintln!("loop-mio: no scenario of that name: {}", other);
            std::process::exit(2);
        }
    };
    println!("{:.2} {}", took.as_nanos() as f64 / operations as f64, operations);
}
