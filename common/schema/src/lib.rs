//! Every libvirt XML document as types: parse, format, static defaults and checks that need no host.

pub mod capabilities;
pub mod domain;
pub mod domain_capabilities;
