//! Rows of the program that keeps a silent connection alive.

use crate::record::events;

events! { Keepalive:
    1 PING "0.9.8" Session High auth early
        => KeepalivePing {};
    2 PONG "0.9.8" Session High auth early
        => KeepalivePong {};
}
