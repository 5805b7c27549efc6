//! virtbus-dbus-remote
