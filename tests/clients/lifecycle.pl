# The lifecycle with events, by Sys::Virt.
use strict;
use warnings;

use Sys::Virt;
use Sys::Virt::Domain;
use Sys::Virt::Event;

Sys::Virt::Event::register_default();
my $connection = Sys::Virt->new();
die "type" unless $connection->get_type() eq "QEMU";
die "version" unless $connection->get_library_version() > 0;

my @seen;
my $id = $connection->domain_event_register_any(
    undef,
    Sys::Virt::Domain::EVENT_ID_LIFECYCLE,
    sub { my ($conn, $domain, $event, $detail) = @_; push @seen, $domain->get_name() . " $event/$detail" });

sub wait_for {
    my $expected = join(", ", @_);
    my $end = time() + 20;
    my $timer = Sys::Virt::Event::add_timeout(50, sub { });
    while (join(", ", @seen) ne $expected) {
        die "expected the events $expected, saw " . join(", ", @seen) if time() > $end;
        Sys::Virt::Event::run_default();
    }
    Sys::Virt::Event::remove_timeout($timer);
    @seen = ();
}

sub refused {
    my ($code, $call) = @_;
    eval { $call->(); };
    die "not refused" unless $@;
    die "code " . $@->code . ": $@" unless $@->code == $code;
}

my $xml = do { local (@ARGV, $/) = ("vm.xml"); <> };
my $domain = $connection->define_domain($xml);
wait_for("vm 0/0");
die "persistent" unless $domain->is_persistent() && !$domain->is_active();
$domain->create(Sys::Virt::Domain::START_PAUSED);
wait_for("vm 2/0", "vm 3/0");
$domain->resume();
wait_for("vm 4/0");
$domain->suspend();
wait_for("vm 3/0");
my $info = $domain->get_info();
die "info" unless $info->{maxMem} == 196608 && $info->{nrVirtCpu} == 1;
my ($state, $reason) = $domain->get_state();
die "state $state/$reason" unless $state == Sys::Virt::Domain::STATE_PAUSED;
die "list" unless join(",", map { $_->get_name() } $connection->list_all_domains()) eq "vm";
refused(Sys::Virt::Error::ERR_OPERATION_INVALID, sub { $domain->create() });
$domain->destroy();
wait_for("vm 6/2", "vm 5/1");
$domain->undefine();
wait_for("vm 1/0");
refused(Sys::Virt::Error::ERR_NO_DOMAIN, sub { $connection->get_domain_by_name("vm") });
$connection->domain_event_deregister_any($id);
