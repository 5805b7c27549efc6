//! What dnsmasq runs at each change of a lease; see `virtnetworkd::dhcp::helper`.

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    // A name that is no text cannot be kept in JSON; what is lost of it is shown as such.
    let arguments: Vec<String> = std::env::args_os().skip(1).map(|it| it.to_string_lossy().into_owned()).collect();
    let variable = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    match virtnetworkd::dhcp::helper::run(&arguments, &variable) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // dnsmasq gives it to the log; where that is gone, the exit status still tells.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}
