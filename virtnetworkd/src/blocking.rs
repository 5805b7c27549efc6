//! Calls of the kernel and of file systems beside the runtime, given up when they do not come back.

use std::fmt;
use std::time::Duration;

use virtbus_api::Result;
use virtbus_host::abandon;

use crate::fault;

/// How long a call of the kernel or of a local file system may take.
const MOMENT: Duration = Duration::from_secs(10);

/// A small blocking call; `what` names it in the error.
///
/// # Errors
/// `OPERATION_TIMEOUT` when it does not come back; its own.
pub(crate) async fn call<T: Send + 'static>(
    what: impl fmt::Display,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match abandon::within("network call", MOMENT, work).await {
        Ok(result) => result,
        Err(why) => Err(fault::hung(what, why)),
    }
}
