//! The document is written as the reference writes it.

use super::*;

#[test]
fn a_document_is_written_as_it_was_read() {
    let text = "<domainCapabilities>
  <path>/usr/bin/qemu-system-x86_64</path>
  <domain>kvm</domain>
  <machine>pc-q35-10.0</machine>
  <arch>x86_64</arch>
  <vcpu max='1024'/>
  <iothreads supported='yes'/>
  <os supported='yes'>
    <enum name='firmware'/>
    <loader supported='yes'>
      <value>/usr/share/OVMF/OVMF_CODE.fd</value>
      <enum name='type'>
        <value>rom</value>
        <value>pflash</value>
      </enum>
    </loader>
  </os>
  <cpu>
    <mode name='host-passthrough' supported='no'/>
    <mode name='maximum' supported='yes'>
      <enum name='maximumMigratable'>
        <value>on</value>
      </enum>
    </mode>
    <mode name='host-model' supported='yes'>
      <model fallback='forbid'>EPYC</model>
      <vendor>AMD</vendor>
      <maxphysaddr mode='passthrough' limit='48'/>
      <feature policy='require' name='x2apic'/>
      <feature policy='disable' name='vme'/>
    </mode>
    <mode name='custom' supported='yes'>
      <model usable='yes' vendor='unknown' canonical='486-v1'>486</model>
      <model usable='no' deprecated='yes' vendor='Intel'>Broadwell-v1</model>
      <blockers model='Broadwell-v1'>
        <feature name='hle'/>
      </blockers>
      <model usable='unknown' vendor='unknown'>qemu64</model>
    </mode>
  </cpu>
  <memoryBacking supported='yes'>
    <enum name='sourceType'>
      <value>file</value>
    </enum>
  </memoryBacking>
  <devices>
    <disk supported='yes'>
      <enum name='diskDevice'>
        <value>disk</value>
      </enum>
    </disk>
    <tpm supported='no'/>
  </devices>
  <features>
    <gic supported='no'/>
    <async-teardown supported='yes'/>
    <sev supported='yes'>
      <cbitpos>51</cbitpos>
      <reducedPhysBits>1</reducedPhysBits>
    </sev>
    <sgx supported='no'/>
    <hyperv supported='yes'>
      <enum name='features'>
        <value>spinlocks</value>
      </enum>
    </hyperv>
    <launchSecurity supported='no'/>
  </features>
</domainCapabilities>
";
    let document = DomainCapabilities::from_xml(text).expect("it reads");
    assert_eq!(document.to_xml(), text);
}
