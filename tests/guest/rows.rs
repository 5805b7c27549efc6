//! The tables: one row for every kind of device, and for what a machine has besides.

mod channels;
mod controllers;
mod disks;
mod inputs;
mod interfaces;
mod machines;
mod media;
mod small;
mod sources;
