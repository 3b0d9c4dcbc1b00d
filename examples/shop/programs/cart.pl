# The carts: lines over TCP. "ADD <product>" is answered with "<number of products in the cart>".
use strict;
use warnings;
use IO::Socket::INET;

$SIG{CHLD} = 'IGNORE';
my $server = IO::Socket::INET->new(LocalPort => $ENV{PORT}, Listen => 128, ReuseAddr => 1) or die "cart: $@\n";
while (1) {
    my $client = $server->accept() or next;
    my $child = fork();
    if (defined $child && $child == 0) {
        my $count = 0;
        while (defined(my $line = <$client>)) {
            $line =~ s/\s+$//;
            if ($line =~ /^ADD \w+$/) { $count++; print $client "$count\n"; }
            else { print $client "WHAT?\n"; }
        }
        exit 0;
    }
    close $client;
}
