//! Engine errors as D-Bus errors: `org.libvirt.Error.<CODE_NAME>` with the whole message.

use virtbus_api::{Error as ApiError, ErrorCode};
use zbus::{DBusError, Message, message::Header, names::ErrorName};

/// The result of every method of this front.
pub type Result<T> = std::result::Result<T, Error>;

/// An engine's error on its way to a D-Bus caller.
#[derive(Debug)]
pub struct Error {
    name: String,
    message: String,
}

impl From<ApiError> for Error {
    fn from(it: ApiError) -> Self {
        Self { name: name_of(it.code), message: it.message() }
    }
}

impl From<zbus::Error> for Error {
    fn from(it: zbus::Error) -> Self {
        ApiError::new(ErrorCode::DbusService, it.to_string()).into()
    }
}

/// The D-Bus name of a code, for example `org.libvirt.Error.NO_DOMAIN`.
pub fn name_of(code: ErrorCode) -> String {
    format!("org.libvirt.Error.{}", code.name())
}

impl DBusError for Error {
    fn create_reply(&self, call: &Header<'_>) -> zbus::Result<Message> {
        Message::error(call, self.name()).build(&self.message.as_str())
    }

    fn name(&self) -> ErrorName<'_> {
        // Code names are upper-case words, so the name is always valid; the fall-back satisfies the signature.
        ErrorName::try_from(self.name.as_str())
            .unwrap_or_else(|_| ErrorName::from_static_str_unchecked("org.libvirt.Error.INTERNAL_ERROR"))
    }

    fn description(&self) -> Option<&str> {
        Some(&self.message)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_makes_a_valid_name() {
        for code in ErrorCode::ALL {
            let error = Error::from(ApiError::new(*code, "x"));
            assert_eq!(error.name().as_str(), name_of(*code));
        }
    }
}
