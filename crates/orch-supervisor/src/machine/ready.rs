//! What could start, best first.
//!
//! Ready subtasks are kept per class: those of one class need the same of a worker, so that one look at a full worker
//! rules out all of them at once.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use orch_core::{Constraints, LockName, Subtask, SubtaskIndex};

/// Names a class of subtasks.
pub(crate) type ClassId = u32;

/// Subtasks that need the same: type, constraints, locks, group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Class {
    /// The type.
    pub task_type: String,
    /// The subtasks' and the task's constraints, with the worker of a planned retry as required worker.
    pub constraints: Option<Constraints>,
    /// Locks.
    pub locks: Vec<LockName>,
    /// The group whose members go to distinct workers.
    pub group: Option<String>,
    ready: BTreeSet<Key>,
}

/// The order among ready subtasks: priority, then longest remaining path, then plan order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    priority: Reverse<u8>,
    rank: Reverse<u64>,
    index: SubtaskIndex,
}

impl Key {
    pub(super) fn new(priority: u8, rank: u64, index: SubtaskIndex) -> Self {
        Self { priority: Reverse(priority), rank: Reverse(rank), index }
    }
}

/// All ready subtasks of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ReadyQueue {
    classes: Vec<Class>,
    /// The best of every class that is not empty.
    heads: BTreeSet<(Key, ClassId)>,
    known: HashMap<String, ClassId>,
    len: usize,
}

impl ReadyQueue {
    /// Returns the class of a subtask, a new one if there was none like it.
    pub(super) fn class_of(&mut self, spec: &Subtask, constraints: Option<Constraints>) -> ClassId {
        let key = if constraints.is_none() && spec.locks.is_empty() && spec.group.is_none() {
            spec.task_type.clone()
        } else {
            // Debug text of all parts names the class; it never leaves this map.
            format!("{}\u{0}{constraints:?}{:?}{:?}", spec.task_type, spec.locks, spec.group)
        };
        let next = u32::try_from(self.classes.len()).unwrap_or(ClassId::MAX);
        let id = *self.known.entry(key).or_insert(next);
        if id == next {
            self.classes.push(Class {
                task_type: spec.task_type.clone(),
                constraints,
                locks: spec.locks.clone(),
                group: spec.group.clone(),
                ready: BTreeSet::new(),
            });
        }
        id
    }

    pub(super) fn class(&self, id: ClassId) -> &Class {
        &self.classes[id as usize]
    }

    pub(super) fn insert(&mut self, class: ClassId, key: Key) {
        self.change(class, |ready| ready.insert(key));
    }

    pub(super) fn remove(&mut self, class: ClassId, key: Key) {
        self.change(class, |ready| ready.remove(&key));
    }

    /// Changes a class, and keeps its head among the heads.
    fn change(&mut self, class: ClassId, change: impl FnOnce(&mut BTreeSet<Key>) -> bool) {
        let ready = &mut self.classes[class as usize].ready;
        let (before, len) = (ready.first().copied(), ready.len());
        if !change(ready) {
            return;
        }
        self.len = self.len - len + ready.len();
        let head = ready.first().copied();
        if head != before {
            self.heads.extend(head.map(|key| (key, class)));
            if let Some(key) = before {
                self.heads.remove(&(key, class));
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the best ready subtask whose class is not in `blocked`.
    pub(super) fn best(&self, blocked: &BTreeSet<ClassId>) -> Option<(ClassId, SubtaskIndex)> {
        self.heads
            .iter()
            .find(|(_, class)| !blocked.contains(class))
            .map(|(key, class)| (*class, key.index))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = SubtaskIndex> {
        self.classes.iter().flat_map(|class| class.ready.iter().map(|key| key.index))
    }
}

impl Class {
    #[cfg(any(test, feature = "sim"))]
    pub(super) fn contains(&self, key: Key) -> bool {
        self.ready.contains(&key)
    }
}
