//! The node: what runs on a server beside its card.
