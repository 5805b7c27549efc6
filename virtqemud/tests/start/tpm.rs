//! The state of a software TPM: where it is, encrypted, and when it goes.

use virtbus_api::{
    ErrorCode,
    flags::{StartFlags, UndefineFlags},
    hypervisor::Domains,
};

use super::beside::installed;
use super::stand::Stand;
use super::{started, text};

fn tpm(attributes: &str, inner: &str) -> String {
    format!("<tpm model='tpm-crb'><backend type='emulator' version='2.0'{attributes}>{inner}</backend></tpm>")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_state_goes_with_the_definition_unless_it_is_to_be_kept() {
    if !installed("swtpm") || !installed("swtpm_setup") {
        return;
    }
    let stand = Stand::new().await;
    let qemu = &stand.qemu;
    let banks = "<active_pcr_banks><sha256/><sha384/></active_pcr_banks>";
    for (attributes, flags, stays) in [
        ("", UndefineFlags::empty(), false),
        ("", UndefineFlags::KEEP_TPM, true),
        (" persistent_state='yes'", UndefineFlags::empty(), true),
        (" persistent_state='yes'", UndefineFlags::TPM, false),
    ] {
        let vm = started(&stand, "vm", "", &tpm(attributes, banks)).await;
        let state = stand.root.path().join("swtpm").join(vm.uuid.hyphenated().to_string()).join("tpm2");
        assert!(state.join("tpm2-00.permall").exists());
        stand.destroy(&vm).await;
        assert!(state.exists(), "it outlives the guest");
        let both = qemu.undefine(&vm, UndefineFlags::TPM | UndefineFlags::KEEP_TPM).await.expect_err("a contradiction");
        assert_eq!(both.code, ErrorCode::InvalidArg);
        qemu.undefine(&vm, flags).await.expect("undefined");
        assert_eq!(state.exists(), stays, "{attributes} {flags:?}");
    }
    // A guest without a definition takes its state along.
    let text = text("passing", "", &tpm("", ""));
    let document = Box::new(virtbus_schema::domain::Domain::parse(&text).expect("a document"));
    let vm = qemu.create(document, StartFlags::PAUSED, stand.guard.lease()).await.expect("runs");
    let state = stand.root.path().join("swtpm").join(vm.uuid.hyphenated().to_string());
    assert!(state.exists());
    stand.destroy(&vm).await;
    assert!(!state.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_for_it_is_said() {
    if !installed("swtpm") || !installed("swtpm_setup") {
        return;
    }
    let stand = Stand::new().await;
    let path = stand.root.path().join("state/tpm.bin");
    let file = format!("<source type='file' path='{}'/>", path.display());
    let vm = started(&stand, "vm", "", &tpm("", &file)).await;
    assert!(path.metadata().expect("a file").len() > 0);
    stand.destroy(&vm).await;

    let secret = "<encryption secret='11111111-2222-3333-4444-555555555555'/>";
    let vm = stand.define_text(&text("sealed", "", &tpm("", secret))).await;
    stand.qemu.start(&vm, StartFlags::PAUSED, stand.guard.lease()).await.expect_err("nobody keeps secrets here");
    assert!(
        !stand.root.path().join("swtpm").join(vm.uuid.hyphenated().to_string()).join("tpm2/tpm2-00.permall").exists()
    );
}
