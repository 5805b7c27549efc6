#!/usr/bin/python3
"""Records the golden cases here from an installed libvirt: NAME.xml -> NAME.out.xml, NAME.argv.

  record.py URI [NAME...]

URI is that of a libvirtd with default configuration, best one of its own: unshare -m, a tmpfs each over /etc/libvirt,
/var/lib/libvirt, /var/cache/libvirt and /run/libvirt, then libvirtd. The environment of QEMU is kept as far as it is the same
everywhere; numbers of descriptors become @FD@.
"""
import glob, os, re, shlex, sys

import libvirt

KEPT = re.compile(r'^(LC_ALL|HOME|XDG_[A-Z_]+|QEMU_[A-Z_]+)=')
VARIABLE = re.compile(r'^[A-Za-z_][A-Za-z0-9_]*=')


def lines(native):
    words, at_environment = [], True
    for word in shlex.split(native):
        if at_environment and VARIABLE.match(word):
            if KEPT.match(word):
                words.append(word)
            continue
        at_environment = False
        words.append(re.sub(r'"(fd|vhostfd)":"\d+"', r'"\1":"@FD@"', word))
    return ''.join(word + '\n' for word in words)


def main():
    libvirt.registerErrorHandler(lambda *_: None, None)
    connection = libvirt.open(sys.argv[1])
    here = os.path.dirname(os.path.abspath(__file__))
    names = sys.argv[2:] or sorted(os.path.basename(it)[:-4] for it in glob.glob(here + '/*.xml') if not it.endswith('.out.xml'))
    for name in names:
        with open('%s/%s.xml' % (here, name), encoding='utf-8') as file:
            text = file.read()
        domain = connection.defineXMLFlags(text, 0)
        try:
            out = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
        finally:
            domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
        argv = lines(connection.domainXMLToNative('qemu-argv', text, 0))
        for suffix, content in (('out.xml', out), ('argv', argv)):
            with open('%s/%s.%s' % (here, name, suffix), 'w', encoding='utf-8') as file:
                file.write(content)


main()
