//! Who a call is made for, and how a relay says so: the parameters of `CONNECT_SET_IDENTITY`.

use virtbus_host::fd;
use virtbus_proto::table::session::ConnectSetIdentity;
use virtbus_proto::types::{TypedParam, TypedValue};

use crate::error::{self, Failure};

/// `VIR_ERR_INVALID_ARG` is for a value of the wrong type, this one for a name that is not known.
const ARGUMENT_UNSUPPORTED: i32 = 74;

/// What is known about the user and process behind a call. Nothing of it is looked up here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Name of the user.
    pub user_name: Option<String>,
    /// User.
    pub uid: Option<u64>,
    /// Name of the group.
    pub group_name: Option<String>,
    /// Group.
    pub gid: Option<u64>,
    /// Process.
    pub pid: Option<i64>,
    /// Start time of the process in clock ticks since boot.
    pub process_time: Option<u64>,
    /// Name under which SASL authenticated the client.
    pub sasl_user_name: Option<String>,
    /// Distinguished name of the client's certificate.
    pub x509_distinguished_name: Option<String>,
    /// SELinux context of the process.
    pub selinux_context: Option<String>,
    /// Secret of the host's daemons, which marks a call that one of them makes of its own accord.
    pub system_token: Option<String>,
}

/// Why parameters are no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// A name that the protocol does not have.
    #[error("parameter '{0}' not supported")]
    Unknown(String),
    /// A value of another type than the name asks for.
    #[error("invalid type '{seen}' requested for parameter '{field}', expected '{expected}'")]
    Type {
        /// The parameter.
        field: String,
        /// Its type.
        seen: i32,
        /// The type it must have.
        expected: i32,
    },
}

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        let code = match error {
            IdentityError::Unknown(_) => ARGUMENT_UNSUPPORTED,
            IdentityError::Type { .. } => error::INVALID_ARG,
        };
        error::plain(code, error.to_string())
    }
}

impl Identity {
    /// What the kernel says about the peer of a socket.
    pub fn of_peer(peer: &fd::Peer) -> Self {
        Self {
            uid: Some(peer.uid.into()),
            gid: Some(peer.gid.into()),
            pid: (peer.pid > 0).then_some(peer.pid.into()),
            process_time: peer.start_time,
            ..Self::default()
        }
    }

    /// The identity that `params` describe.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn from_params(params: &[TypedParam]) -> Result<Self, IdentityError> {
        let mut identity = Self::default();
        for param in params {
            identity.set(param)?;
        }
        Ok(identity)
    }

    fn set(&mut self, param: &TypedParam) -> Result<(), IdentityError> {
        let TypedParam { field, value } = param;
        match field.as_str() {
            "user-name" => self.user_name = Some(text(param)?),
            "unix-user-id" => self.uid = Some(unsigned(param)?),
            "group-name" => self.group_name = Some(text(param)?),
            "unix-group-id" => self.gid = Some(unsigned(param)?),
            "process-id" => match value {
                TypedValue::Llong(number) => self.pid = Some(*number),
                _ => return Err(wrong(param, &TypedValue::Llong(0))),
            },
            "process-time" => self.process_time = Some(unsigned(param)?),
            "sasl-user-name" => self.sasl_user_name = Some(text(param)?),
            "x509-distinguished-name" => self.x509_distinguished_name = Some(text(param)?),
            "selinux-context" => self.selinux_context = Some(text(param)?),
            "system.token" => self.system_token = Some(text(param)?),
            _ => return Err(IdentityError::Unknown(field.clone())),
        }
        Ok(())
    }

    /// The call that passes this identity on.
    pub fn to_call(&self) -> ConnectSetIdentity {
        let Self { user_name, uid, group_name, gid, pid, process_time, .. } = self;
        let Self { sasl_user_name, x509_distinguished_name, selinux_context, system_token, .. } = self;
        let strings = [
            ("user-name", user_name),
            ("group-name", group_name),
            ("sasl-user-name", sasl_user_name),
            ("x509-distinguished-name", x509_distinguished_name),
            ("selinux-context", selinux_context),
            ("system.token", system_token),
        ];
        let numbers = [("unix-user-id", uid), ("unix-group-id", gid), ("process-time", process_time)];
        let mut params = Vec::new();
        let mut push = |field: &str, value| params.push(TypedParam { field: field.to_owned(), value });
        for (field, value) in strings {
            if let Some(value) = value {
                push(field, TypedValue::String(value.clone()));
            }
        }
        for (field, value) in numbers {
            if let Some(value) = value {
                push(field, TypedValue::Ullong(*value));
            }
        }
        if let Some(value) = pid {
            push("process-id", TypedValue::Llong(*value));
        }
        ConnectSetIdentity { params, flags: 0 }
    }

    /// Adds the names of user and group, where they are not known yet. Asks the host's user database, which may block.
    pub fn look_up_names(&mut self) {
        let small = |number: Option<u64>| number.and_then(|it| u32::try_from(it).ok());
        if self.user_name.is_none() {
            self.user_name = small(self.uid).and_then(fd::user_name);
        }
        if self.group_name.is_none() {
            self.group_name = small(self.gid).and_then(fd::group_name);
        }
    }
}

fn text(param: &TypedParam) -> Result<String, IdentityError> {
    match &param.value {
        TypedValue::String(value) => Ok(value.clone()),
        _ => Err(wrong(param, &TypedValue::String(String::new()))),
    }
}

fn unsigned(param: &TypedParam) -> Result<u64, IdentityError> {
    match param.value {
        TypedValue::Ullong(value) => Ok(value),
        _ => Err(wrong(param, &TypedValue::Ullong(0))),
    }
}

fn wrong(param: &TypedParam, expected: &TypedValue) -> IdentityError {
    let (seen, expected) = (param.value.number(), expected.number());
    IdentityError::Type { field: param.field.clone(), seen, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_on_it_is_the_same() {
        let mut identity = Identity::of_peer(&fd::Peer { pid: 7, uid: 0, gid: 0, start_time: Some(99) });
        identity.look_up_names();
        identity.selinux_context = Some("unconfined".to_owned());
        assert_eq!(identity.user_name.as_deref(), Some("root"));
        assert_eq!(Identity::from_params(&identity.to_call().params), Ok(identity));
    }

    #[test]
    fn unknown_names_and_wrong_types_are_refused() {
        let param = |field: &str, value| [TypedParam { field: field.to_owned(), value }];
        let unknown = Identity::from_params(&param("shoe-size", TypedValue::Int(42))).unwrap_err();
        assert_eq!(Failure::from(unknown).code, 74);
        let wrong = Identity::from_params(&param("process-id", TypedValue::Ullong(42))).unwrap_err();
        assert_eq!(wrong, IdentityError::Type { field: "process-id".to_owned(), seen: 4, expected: 3 });
        assert_eq!(Failure::from(wrong).code, 8);
    }
}
