//! Whose turn it is: how many jobs run at a time, and in which order projects get to run theirs.
//!
//! Projects take turns one after another, each its oldest job first, so that a project with a
//! hundred waiting jobs delays another's first job by one job and not by a hundred. No project
//! takes more than its share even when nobody else waits: the next one to come finds a free place.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;
use tokio::sync::{oneshot, watch};

use crate::ids::ProjectId;

/// Places for jobs of one sort.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Places>);

struct Places {
    line: Mutex<Line<oneshot::Sender<Turn>>>,
    running: watch::Sender<usize>,
}

/// A place; giving it up lets the next one go.
pub(crate) struct Turn {
    turns: Turns,
    project: ProjectId,
}

impl Turns {
    /// So many at a time, and so many of one project.
    pub(crate) fn new(all: usize, each: usize) -> Self {
        let line = Mutex::new(Line::new(all, each));
        Self(Arc::new(Places { line, running: watch::Sender::new(0) }))
    }

    fn line(&self) -> MutexGuard<'_, Line<oneshot::Sender<Turn>>> {
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, project: &ProjectId) -> Turn {
        Turn { turns: self.clone(), project: project.clone() }
    }

    /// A place, if one is free now.
    pub(crate) fn take_now(&self, project: &ProjectId) -> Option<Turn> {
        let mut line = self.line();
        let taken = line.take_now(project);
        self.0.running.send_replace(line.running);
        drop(line);
        taken.then(|| self.turn(project))
    }

    /// A place, when there is one. `None` if the server ends before.
    pub(crate) async fn take(&self, project: &ProjectId) -> Option<Turn> {
        self.wait(project).await.ok()
    }

    fn wait(&self, project: &ProjectId) -> oneshot::Receiver<Turn> {
        let (called, call) = oneshot::channel();
        let mut line = self.line();
        line.wait(project, called);
        // A place may have become free between asking for it and waiting for it.
        self.call_next(line);
        call
    }

    /// Lets those go whose turn it is. The number of the running is told under the lock, so that
    /// it is told in order.
    fn call_next(&self, mut line: MutexGuard<'_, Line<oneshot::Sender<Turn>>>) {
        let called = line.next();
        self.0.running.send_replace(line.running);
        drop(line);
        for (project, waiting) in called {
            // Whoever is gone gives the place back by dropping it here.
            drop(waiting.send(self.turn(&project)));
        }
    }

    /// Ends when nothing runs.
    pub(crate) async fn idle(&self) {
        let _ = self.0.running.subscribe().wait_for(|running| *running == 0).await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut line = self.turns.line();
        line.give_back(&self.project);
        self.turns.call_next(line);
    }
}

/// Who runs and who waits; `T` is how somebody who waits is called.
struct Line<T> {
    all: usize,
    each: usize,
    running: usize,
    projects: FxHashMap<ProjectId, Share<T>>,
    /// Projects with somebody waiting, the next one first.
    order: VecDeque<ProjectId>,
}

struct Share<T> {
    running: usize,
    waiting: VecDeque<T>,
}

impl<T> Line<T> {
    fn new(all: usize, each: usize) -> Self {
        Self { all, each, running: 0, projects: FxHashMap::default(), order: VecDeque::new() }
    }

    fn share(&mut self, project: &ProjectId) -> &mut Share<T> {
        let fresh = || Share { running: 0, waiting: VecDeque::new() };
        self.projects.entry(project.clone()).or_insert_with(fresh)
    }

    fn take_now(&mut self, project: &ProjectId) -> bool {
        let (all, each) = (self.all, self.each);
        let full = self.running >= all;
        let share = self.share(project);
        if full || share.running >= each || !share.waiting.is_empty() {
            return false;
        }
        share.running += 1;
        self.running += 1;
        true
    }

    fn wait(&mut self, project: &ProjectId, waiting: T) {
        let share = self.share(project);
        share.waiting.push_back(waiting);
        if share.waiting.len() == 1 {
            self.order.push_back(project.clone());
        }
    }

    /// Everybody who may go now; their places are taken.
    fn next(&mut self) -> Vec<(ProjectId, T)> {
        let mut called = Vec::new();
        while self.running < self.all {
            let each = self.each;
            let has_room =
                |project: &&ProjectId| self.projects.get(*project).is_some_and(|share| share.running < each);
            let Some(project) = self.order.iter().find(has_room).cloned() else { break };
            self.order.retain(|other| *other != project);
            let share = self.share(&project);
            let Some(waiting) = share.waiting.pop_front() else { continue };
            share.running += 1;
            if !share.waiting.is_empty() {
                self.order.push_back(project.clone());
            }
            self.running += 1;
            called.push((project, waiting));
        }
        called
    }

    fn give_back(&mut self, project: &ProjectId) {
        self.running = self.running.saturating_sub(1);
        let share = self.share(project);
        share.running = share.running.saturating_sub(1);
        if share.running == 0 && share.waiting.is_empty() {
            self.projects.remove(project);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(name: &str) -> ProjectId {
        ProjectId(name.into())
    }

    /// Runs everything that waits, one place at a time, and tells the order.
    fn order(line: &mut Line<&'static str>, mut ended: Vec<ProjectId>) -> Vec<&'static str> {
        let mut order = Vec::new();
        while let Some(project) = ended.pop() {
            line.give_back(&project);
            for (project, name) in line.next() {
                order.push(name);
                ended.push(project);
            }
        }
        order
    }

    #[test]
    fn projects_go_in_turn_and_each_in_its_own_order() {
        let (a, b, c) = (project("a"), project("b"), project("c"));
        let mut line = Line::new(1, 1);
        assert!(line.take_now(&a));
        for name in ["a1", "a2", "a3"] {
            assert!(!line.take_now(&a));
            line.wait(&a, name);
        }
        line.wait(&b, "b1");
        line.wait(&b, "b2");
        line.wait(&c, "c1");
        assert_eq!(order(&mut line, vec![a]), ["a1", "b1", "c1", "a2", "b2", "a3"]);
        assert_eq!(
            (line.running, line.projects.len(), line.order.len()),
            (0, 0, 0),
            "nothing is left behind"
        );
    }

    #[test]
    fn no_project_takes_more_than_its_share() {
        let (a, b) = (project("a"), project("b"));
        let mut line = Line::new(4, 2);
        assert!(line.take_now(&a) && line.take_now(&a));
        assert!(!line.take_now(&a), "two of four");
        line.wait(&a, "a3");
        assert!(line.next().is_empty());
        assert!(line.take_now(&b) && line.take_now(&b), "places are left for others");
        assert!(!line.take_now(&project("c")), "four of four");
        line.give_back(&b);
        assert!(line.next().is_empty(), "a has its share");
        line.give_back(&a);
        assert_eq!(line.next().into_iter().map(|(_, name)| name).collect::<Vec<_>>(), ["a3"]);
    }

    #[tokio::test]
    async fn a_place_that_nobody_takes_goes_to_the_next() {
        let turns = Turns::new(1, 1);
        let (a, b) = (project("a"), project("b"));
        let first = turns.take_now(&a).unwrap();
        assert!(turns.take_now(&b).is_none());
        let (gone, call) = oneshot::channel();
        turns.line().wait(&a, gone);
        assert_eq!(*turns.0.running.borrow(), 1);
        drop(call);
        let second = turns.take(&b);
        tokio::pin!(second);
        assert!(futures_util::FutureExt::now_or_never(&mut second).is_none());
        drop(first);
        let second = second.await.unwrap();
        drop(second);
        turns.idle().await;
    }
}
