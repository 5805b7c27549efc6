//! virtbus-xml
