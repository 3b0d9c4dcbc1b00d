# The ledger: lines over TCP. "CHARGE <card> <amount>" is answered with "BOOKED <number>".
use strict;
use warnings;
use IO::Socket::INET;

$SIG{CHLD} = 'IGNORE';
my $server = IO::Socket::INET->new(LocalPort => $ENV{PORT}, Listen => 128, ReuseAddr => 1) or die "ledger: $@\n";
my $booked = 0;
while (1) {
    my $client = $server->accept() or next;
    $booked++;
    my $child = fork();
    if (defined $child && $child == 0) {
        while (defined(my $line = <$client>)) {
            if ($line =~ /^CHARGE card=[\d-]+ \d+\s*$/) { print $client "BOOKED $booked\n"; }
            else { print $client "REFUSED\n"; }
        }
        exit 0;
    }
    close $client;
}
