//! The payload of a frame with status [`crate::Status::Error`]. Which number means what is not known here.

use crate::record::records;
use crate::types::{Domain, Network};

records! {
    /// Why a call failed, in the reference's numbers.
    ///
    /// The reference fills `str1` with the message's format, `str2` with its argument, `int1` and `int2` with -1
    /// (`int1` with the errno of a system error); clients show `message`.
    ErrorMessage {
        code: i32,
        domain: i32,
        message: Option<String>,
        level: i32,
        dom: Option<Domain>,
        str1: Option<String>,
        str2: Option<String>,
        str3: Option<String>,
        int1: i32,
        int2: i32,
        net: Option<Network>,
    }
}
