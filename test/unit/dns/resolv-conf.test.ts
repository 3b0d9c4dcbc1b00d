import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseResolvConf } from '../../../src/dns/resolv-conf.ts';

it('parseResolvConf takes the addresses of nameserver lines, in order, each once, three at most', () => {
  const text = [
    '# nameserver 1.1.1.1',
    ';nameserver 1.1.1.2',
    'search example.org svc.cluster.local',
    '  nameserver\t10.0.0.10  ',
    'nameserver fd00:0::0010 # trailing',
    'nameserver 10.0.0.10',
    'nameserver fe80::1%eth0',
    'nameserver dns.example.org',
    'nameserver',
    'nameservers 9.9.9.9',
    'options ndots:5',
    'nameserver 10.0.0.11\r',
    'nameserver 10.0.0.12',
  ].join('\n');
  assert.deepEqual(parseResolvConf(text), ['10.0.0.10', 'fd00::10', '10.0.0.11']);
  assert.deepEqual(parseResolvConf(''), []);
});
