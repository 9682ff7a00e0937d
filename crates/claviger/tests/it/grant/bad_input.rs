//! What no client should send, what must not happen to one that does nothing wrong, how often anybody may try, and what is left in
//! the end.

mod forms;
mod limits;
mod outage;
mod sweep;
