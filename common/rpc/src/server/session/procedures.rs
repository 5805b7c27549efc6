//! The procedures of a session that every daemon answers the same way: authentication, the question for keepalive,
//! identity.

use std::task::Context;

use virtbus_proto::table::session::{
    AuthList, AuthListReply, AuthPolkit, AuthPolkitReply, AuthSaslInit, AuthSaslStep, ConnectOpen, ConnectSetIdentity,
    ConnectSupportsFeature, ConnectSupportsFeatureReply,
};
use virtbus_proto::{Entry, Procedure, Program, Xdr, types};

use super::{InFlight, Session};
use crate::auth::Admission;
use crate::call::Reply;
use crate::error::{self, Failure};
use crate::frame::Frame;
use crate::keepalive::Watch;
use crate::peer::Identity;

/// `VIR_DRV_FEATURE_PROGRAM_KEEPALIVE`
const FEATURE_KEEPALIVE: [u8; 4] = 10_i32.to_be_bytes();

impl Session<'_> {
    /// Answers a call of the session; gives back any other.
    pub(super) fn take_session_call(
        &mut self,
        entry: &'static Entry,
        frame: Frame,
        cx: &mut Context<'_>,
    ) -> Option<Frame> {
        if entry.program != Program::Remote {
            return Some(frame);
        }
        let result = match entry.number {
            ConnectSupportsFeature::NUMBER if frame.payload().starts_with(&FEATURE_KEEPALIVE) => {
                self.expects_pongs = true;
                if self.watch.is_none() {
                    self.watch = Watch::start(self.shared.limits.keepalive);
                }
                Reply::of(&ConnectSupportsFeatureReply { supported: 1 })
            }
            AuthList::NUMBER => self.auth_list(),
            AuthSaslInit::NUMBER..=AuthSaslStep::NUMBER => Err(error::authentication_failed("")),
            AuthPolkit::NUMBER if self.admission == Admission::Polkit => {
                self.start_polkit(entry, &frame, cx);
                return None;
            }
            AuthPolkit::NUMBER => Err(error::authentication_failed("")),
            ConnectSetIdentity::NUMBER => self.set_identity(&frame),
            _ => return Some(frame),
        };
        self.answer(&frame.header, result);
        None
    }

    /// Notes what the outcome of a served call means for the session.
    pub(super) fn note_outcome(&mut self, program: u32, procedure: i32, good: bool) {
        if program != Program::Remote.number() {
            return;
        }
        match procedure {
            // A failed second open takes the first one away, as on the reference.
            ConnectOpen::NUMBER => self.client.set_open(good),
            AuthPolkit::NUMBER if good => self.admission = Admission::Admitted,
            _ => {}
        }
    }

    fn start_polkit(&mut self, entry: &'static Entry, frame: &Frame, cx: &mut Context<'_>) {
        let (policy, client) = (&*self.shared.policy, self.client);
        let ask = async move {
            policy.ask_polkit(client).await?;
            Reply::of(&AuthPolkitReply { complete: 1 })
        };
        self.fly(InFlight::new(entry, frame.header, || Box::pin(ask)), cx);
    }

    fn auth_list(&self) -> Result<Reply, Failure> {
        let answer = match &self.admission {
            Admission::Admitted => types::AUTH_NONE,
            Admission::Polkit => types::AUTH_POLKIT,
            Admission::Refused(reason) => return Err(error::authentication_failed(reason)),
        };
        Reply::of(&AuthListReply { types: vec![answer] })
    }

    fn set_identity(&mut self, frame: &Frame) -> Result<Reply, Failure> {
        let args = ConnectSetIdentity::from_bytes(frame.payload()).map_err(|_| error::undecodable())?;
        if !self.client.is_open() {
            return Err(error::not_open());
        }
        if !self.client.is_trusted() {
            return Err(error::plain(error::OPERATION_DENIED, "only the daemon's own user may set an identity"));
        }
        let identity = Identity::from_params(&args.params)?;
        self.relay.identify(&identity);
        self.client.set_identity(identity);
        Ok(Reply::empty())
    }
}
