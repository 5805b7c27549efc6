//! The documents are written as the reference writes them.

use super::*;

#[test]
fn a_document_is_written_as_it_was_read() {
    let text = "<capabilities>

  <host>
    <uuid>3b5d379e-436b-4c6c-96fd-4b93cfaf2a7e</uuid>
    <cpu>
      <arch>x86_64</arch>
      <model>kvm64-v1</model>
      <vendor>AMD</vendor>
      <microcode version='16777317'/>
      <signature family='25' model='17' stepping='1'/>
      <counter name='tsc' frequency='2596144000' scaling='no'/>
      <topology sockets='1' dies='1' clusters='1' cores='2' threads='1'/>
      <maxphysaddr mode='emulate' bits='48'/>
      <feature name='aes'/>
      <pages unit='KiB' size='4'/>
    </cpu>
    <power_management/>
    <iommu support='no'/>
    <migration_features>
      <live/>
      <uri_transports>
        <uri_transport>tcp</uri_transport>
      </uri_transports>
    </migration_features>
    <topology>
      <cells num='1'>
        <cell id='0'>
          <memory unit='KiB'>7825612</memory>
          <pages unit='KiB' size='4'>1956403</pages>
          <distances>
            <sibling id='0' value='10'/>
          </distances>
          <cpus num='2'>
            <cpu id='0' socket_id='0' die_id='0' cluster_id='65535' core_id='0' siblings='0'/>
            <cpu id='1'/>
          </cpus>
        </cell>
      </cells>
    </topology>
    <cache>
      <bank id='0' level='3' type='both' size='32' unit='MiB' cpus='0-1'/>
    </cache>
    <secmodel>
      <model>dac</model>
      <doi>0</doi>
      <baselabel type='kvm'>+64055:+64055</baselabel>
    </secmodel>
  </host>

  <guest>
    <os_type>hvm</os_type>
    <arch name='x86_64'>
      <wordsize>64</wordsize>
      <emulator>/usr/bin/qemu-system-x86_64</emulator>
      <machine maxCpus='288' deprecated='yes'>pc-q35-2.9</machine>
      <machine canonical='pc-q35-10.0' maxCpus='4096'>q35</machine>
      <domain type='qemu'/>
    </arch>
    <features>
      <pae/>
      <acpi default='on' toggle='yes'/>
      <cpuselection/>
      <externalSnapshot/>
    </features>
  </guest>

</capabilities>
";
    let document = Capabilities::from_xml(text).expect("it reads");
    assert_eq!(document.to_xml(), text);
}

#[test]
fn map_files_read() {
    let file = cpu_map::CpuMapFile::from_xml(
        "<cpus><model name='EPYC'><decode host='on' guest='off'/><model name='base'/>
         <signature family='6' model='85' stepping='5-7'/><vendor name='AMD'/>
         <feature name='aes'/><feature name='vmx' added='yes'/></model>
         <feature name='pni'><alias name='sse3' source='qemu'/><cpuid eax_in='0x1' ecx='0x00000001'/></feature></cpus>",
    )
    .expect("it reads");
    let model = &file.models[0];
    assert_eq!((model.base.as_deref(), model.vendor.as_deref()), (Some("base"), Some("AMD")));
    assert!(model.signatures[0].stepping.as_ref().is_some_and(|it| it.contains(6) && !it.contains(8)));
    assert!(model.features[1].added.is_some_and(virtbus_xml::YesNo::is_on));
    assert_eq!(file.features[0].cpuid[0].ecx.map(|it| it.0), Some(1));
}
