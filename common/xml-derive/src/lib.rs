//! virtbus-xml-derive
