//! Moving an endpoint: the I/O-free protocol core, and Linux sockets frozen and restored.
