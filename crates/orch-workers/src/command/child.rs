//! One program from its start to the end of all that it has started.
//!
//! ```text
//! spawn -> running --exits---------------------------> group killed -> who left it is ended -> pipes read out (bounded)
//!             |--time is up / stop --> SIGTERM --exits-----^
//!             |                           '--grace over--> SIGKILL --^
//!             '--too much output --> SIGKILL --------------^
//! ```
//!
//! **Invariant:** wherever the future is dropped, everybody in the process group is killed.

use std::io;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use orch_core::journal::{AttemptProcess, ProcessId};
use orch_core::{AttemptInfo, BoxError, Fence, Reaper, RunId, StopSignal};
use process_wrap::tokio::{CommandWrap, CommandWrapper, ProcessSession};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::{sleep, timeout};

use super::capture::{Ends, OverCap, Whole};
use crate::process::orphans::{self, Member};
use crate::process::{LeftoverReaper, attempt_name, identify};

/// How long we go on reading when the program has ended and its group is dead, but somebody who left the group still
/// holds a pipe open.
const READ_OUT: Duration = Duration::from_millis(500);

/// How long those who left the group may take to be gone: the engine waits for it within its own grace time.
const ESCAPED_PATIENCE: Duration = Duration::from_secs(1);

/// What bounds a program.
pub(super) struct Limits {
    pub(super) timeout: Duration,
    pub(super) grace: Duration,
    pub(super) max_stdout: usize,
    pub(super) max_stderr: usize,
}

/// Why a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// By itself.
    Own,
    /// Its time was up.
    TimedOut,
    /// The engine asked for it.
    Stopped,
    /// It wrote too much.
    OutputLimit,
}

/// A program that has ended.
pub(super) struct Finished {
    pub(super) ending: Ending,
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Ends,
    /// Somebody outside the group still had a pipe open, so the output may lack its end.
    pub(super) held_open: bool,
    /// Who could not be ended, in words.
    pub(super) left_behind: Option<String>,
}

/// A running program. The group comes first so that it is killed before the child's handle goes away.
pub(super) struct Running {
    group: Group,
    member: Option<Member>,
    child: Child,
    attempt: (RunId, Fence),
    process: Option<ProcessId>,
}

/// A process group that does not outlive its handle.
struct Group {
    id: Option<Pid>,
}

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(id) = self.id {
            // The only error that can happen is that nobody is left.
            let _ = kill_process_group(id, signal);
        }
    }

    /// Kills everybody, and forgets the group: once its leader is waited for, its number may be given away again.
    fn end(&mut self) {
        self.signal(Signal::KILL);
        self.id = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

impl Running {
    /// Starts `command` as the leader of a session of its own, and so of a process group. A session that begins has no
    /// controlling terminal: a program that wants to ask somebody fails at once, instead of being stopped by the terminal.
    pub(super) fn spawn(
        mut command: Command,
        with_input: bool,
        attempt: &AttemptInfo,
    ) -> io::Result<Self> {
        ProcessSession.pre_spawn(&mut command, &CommandWrap::with_new("", |_| {}))?;
        command
            .kill_on_drop(true)
            .stdin(if with_input { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let attempt = (attempt.run_id, attempt.fence);
        let (child, member) = orphans::spawn(&mut command, attempt_name(attempt.0, attempt.1))?;
        let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let process = child.id().and_then(identify);
        Ok(Self { group: Group { id }, member: Some(member), child, attempt, process })
    }

    /// Returns the process.
    pub(super) fn process(&self) -> Option<&ProcessId> {
        self.process.as_ref()
    }

    /// Feeds the program, reads it, and sees it to its end.
    pub(super) async fn finish(
        mut self,
        input: &[u8],
        limits: &Limits,
        stop: &StopSignal,
    ) -> io::Result<Finished> {
        let mut stdout = Whole::new(limits.max_stdout);
        let mut stderr = Ends::new(limits.max_stderr);
        let mut ending = Ending::Own;
        let mut held_open = false;
        let (status, left_behind);
        {
            let streams =
                (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take());
            let mut pump = pin!(pump(streams, input, &mut stdout, &mut stderr));
            let mut timer = pin!(sleep(limits.timeout));
            let (mut pumping, mut killed) = (true, false);
            status = loop {
                tokio::select! {
                    biased;
                    status = self.child.wait() => break status?,
                    flow = &mut pump, if pumping => {
                        pumping = false;
                        if flow.is_err() {
                            ending = Ending::OutputLimit;
                            killed = true;
                            self.group.signal(Signal::KILL);
                        }
                    }
                    () = stop.stopped(), if ending == Ending::Own => {
                        ending = Ending::Stopped;
                        self.group.signal(Signal::TERM);
                        timer.set(sleep(limits.grace));
                    }
                    () = &mut timer, if !killed => {
                        if ending == Ending::Own {
                            ending = Ending::TimedOut;
                            self.group.signal(Signal::TERM);
                            timer.set(sleep(limits.grace));
                        } else {
                            killed = true;
                            self.group.signal(Signal::KILL);
                        }
                    }
                }
            };
            self.group.end();
            // Before the output is read out: a process that is left may hold a pipe open.
            left_behind = self.end_escaped().await.err().map(|left| left.to_string());
            if pumping {
                match timeout(READ_OUT, pump).await {
                    Ok(Ok(())) => {}
                    Ok(Err(OverCap)) => ending = Ending::OutputLimit,
                    Err(_) => held_open = true,
                }
            }
        }
        Ok(Finished { ending, status, stdout: stdout.bytes, stderr, held_open, left_behind })
    }

    /// Ends those who have left the group.
    async fn end_escaped(&mut self) -> Result<(), BoxError> {
        if let Some(member) = self.member.take()
            && let Some(ended) = member.end().await
        {
            return Ok(ended?);
        }
        let (run, fence) = self.attempt;
        let noted = self.process.clone().map(|process| AttemptProcess::new(run, fence, process));
        LeftoverReaper::new()
            .with_patience(ESCAPED_PATIENCE)
            .reap(run, &[fence], noted.as_slice())
            .await
    }
}

type Streams = (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>);

/// Writes and reads all three streams at once, so that no full pipe can block another, until all are closed.
async fn pump(
    (stdin, out, err): Streams,
    input: &[u8],
    stdout: &mut Whole,
    stderr: &mut Ends,
) -> Result<(), OverCap> {
    let write = async {
        if let Some(mut stdin) = stdin {
            // How much of its input a program reads is its own affair: a closed pipe is no failure.
            let _ = stdin.write_all(input).await;
        }
        Ok(())
    };
    let read_out = each_chunk(out, |bytes| stdout.push(bytes));
    let read_err = each_chunk(err, |bytes| {
        stderr.push(bytes);
        Ok(())
    });
    tokio::try_join!(write, read_out, read_err).map(|_| ())
}

/// Calls `take` with each piece of `stream`; a stream that cannot be read has ended.
async fn each_chunk<R: AsyncRead + Unpin>(
    stream: Option<R>,
    mut take: impl FnMut(&[u8]) -> Result<(), OverCap>,
) -> Result<(), OverCap> {
    let Some(mut stream) = stream else { return Ok(()) };
    let mut buffer = vec![0; 64 << 10];
    while let Ok(size @ 1..) = stream.read(&mut buffer).await {
        take(&buffer[..size])?;
    }
    Ok(())
}
