//! kill -9 of the real `orch run`.
