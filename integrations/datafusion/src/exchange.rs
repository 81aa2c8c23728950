//! The queue between the threads of a join and those who poll its output.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use datafusion::common::{DataFusionError, Result, exec_err};

/// What a partition is told that is executed after those who read the others have gone.
const GONE: &str = "other partitions of this join were dropped before their end, and the work with them; execute the plan \
                    again";

/// A bounded queue. Its producers are threads, which block while it is full, or tasks; its readers are tasks, which never
/// block.
///
/// Any reader gets any item, and all of them are woken for each: a reader that nobody polls any more cannot keep an item
/// from the others, as it could if only one were woken.
pub(crate) struct Exchange<T> {
    state: Mutex<State<T>>,
    room: Condvar,
    capacity: usize,
}

struct State<T> {
    items: VecDeque<T>,
    /// Readers that wait for an item.
    waiting: Vec<Waker>,
    /// Tasks that wait for room.
    sending: Vec<Waker>,
    end: Option<End>,
}

enum End {
    /// There is nothing more.
    Finished,
    /// The join failed; each reader is told.
    Failed(Arc<DataFusionError>),
    /// Nobody reads any more.
    Cancelled,
}

impl<T> Exchange<T> {
    /// A queue of at most `capacity` items.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            state: Mutex::new(State {
                items: VecDeque::new(),
                waiting: Vec::new(),
                sending: Vec::new(),
                end: None,
            }),
            room: Condvar::new(),
            capacity,
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        lock(&self.state)
    }

    /// Waits for room and adds an item; drops it where nobody reads any more.
    pub(crate) fn push(&self, item: T) {
        let full = |state: &mut State<T>| state.end.is_none() && state.items.len() >= self.capacity;
        let mut state = self
            .room
            .wait_while(self.state(), full)
            .unwrap_or_else(PoisonError::into_inner);
        if state.end.is_none() {
            state.items.push_back(item);
            wake(state);
        }
    }

    /// As [`Self::push`], for a task.
    pub(crate) async fn send(&self, item: T) {
        let mut item = Some(item);
        poll_fn(|context| {
            let mut state = self.state();
            if state.end.is_none() && state.items.len() >= self.capacity {
                state.sending.push(context.waker().clone());
                return Poll::Pending;
            }
            if state.end.is_none() {
                state.items.extend(item.take());
                wake(state);
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Says that no item follows, and why, unless the end is known already.
    pub(crate) fn finish(&self, result: Result<()>) {
        let end = match result {
            Ok(()) => End::Finished,
            Err(error) => End::Failed(Arc::new(error)),
        };
        self.end(end, false);
    }

    /// Says that nobody reads any more.
    pub(crate) fn cancel(&self) {
        self.end(End::Cancelled, true);
    }

    fn end(&self, end: End, forget: bool) {
        let mut state = self.state();
        state.end.get_or_insert(end);
        if forget {
            state.items.clear();
        }
        self.room.notify_all();
        wake(state);
    }

    /// Whether nobody reads any more, or the join has failed.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state().end, Some(End::Cancelled | End::Failed(_)))
    }

    /// Whether all has been read that there will ever be.
    pub(crate) fn is_read(&self) -> bool {
        let state = self.state();
        matches!(state.end, Some(End::Finished)) && state.items.is_empty()
    }

    /// The next item, for whichever reader asks.
    pub(crate) fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let mut state = self.state();
        match &state.end {
            Some(End::Failed(error)) => {
                return Poll::Ready(Some(Err(DataFusionError::Shared(error.clone()))));
            }
            Some(End::Cancelled) => return Poll::Ready(Some(exec_err!("{GONE}"))),
            Some(End::Finished) | None => {}
        }
        if let Some(item) = state.items.pop_front() {
            self.room.notify_one();
            let sending = mem::take(&mut state.sending);
            drop(state);
            sending.into_iter().for_each(Waker::wake);
            return Poll::Ready(Some(Ok(item)));
        }
        if state.end.is_some() {
            return Poll::Ready(None);
        }
        let waker = context.waker();
        if !state.waiting.iter().any(|waiting| waiting.will_wake(waker)) {
            state.waiting.push(waker.clone());
        }
        Poll::Pending
    }
}

/// Locks what is whole even where a thread has panicked that held it: nothing is changed here in two steps.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wakes all readers, and at the end whoever waits for room, once the state is free again.
fn wake<T>(mut state: MutexGuard<'_, State<T>>) {
    let waiting = mem::take(&mut state.waiting);
    let sending = match state.end {
        Some(_) => mem::take(&mut state.sending),
        None => Vec::new(),
    };
    drop(state);
    waiting.into_iter().chain(sending).for_each(Waker::wake);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(exchange: &Exchange<u32>) -> Poll<Option<Result<u32>>> {
        exchange.poll_next(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn each_item_is_read_once_and_then_it_ends() {
        let exchange = Exchange::new(2);
        assert!(poll(&exchange).is_pending());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..100).for_each(|item| exchange.push(item));
                exchange.finish(Ok(()));
            });
            let mut items = Vec::new();
            while !exchange.is_read() {
                if let Poll::Ready(Some(item)) = poll(&exchange) {
                    items.push(item.unwrap());
                }
            }
            assert_eq!(items, Vec::from_iter(0..100));
        });
        assert!(matches!(poll(&exchange), Poll::Ready(None)));
    }

    #[test]
    fn a_producer_does_not_wait_for_readers_that_are_gone() {
        let exchange = Exchange::new(1);
        exchange.push(1);
        std::thread::scope(|scope| {
            scope.spawn(|| exchange.push(2));
            exchange.cancel();
        });
        assert!(exchange.is_over());
        assert!(matches!(poll(&exchange), Poll::Ready(Some(Err(_)))));
    }

    #[test]
    fn a_failure_reaches_every_reader() {
        let exchange = Exchange::new(1);
        exchange.push(1);
        exchange.finish(Err(DataFusionError::Internal("broken".to_owned())));
        for _ in 0..2 {
            let Poll::Ready(Some(Err(error))) = poll(&exchange) else {
                panic!("an item after a failure");
            };
            assert!(error.to_string().contains("broken"), "{error}");
        }
    }
}
