//! virtbus-dbus-front
