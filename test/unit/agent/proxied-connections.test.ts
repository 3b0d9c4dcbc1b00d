import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasOpenProxySocket, hasProxiedConnections } from '../../../src/agent/proxied-connections.ts';

const HEADER = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const line = (local: string, state: string) => `   0: ${local} 0B00007F:D431 ${state} 00000000:00000000 00:00000000`;

describe('hasOpenProxySocket', () => {
  for (const [port, name] of [
    ['3A99', '15001'],
    ['3A9E', '15006'],
    ['3AA0', '15008'],
  ] as const) {
    it(`finds an open connection on ${name}, IPv4 and IPv6`, () => {
      assert.equal(hasOpenProxySocket(`${HEADER}\n${line(`0100007F:${port}`, '01')}`), true);
      assert.equal(hasOpenProxySocket(line(`00000000000000000000000001000000:${port}`, '08')), true);
    });
  }

  it('does not count listeners, ended connections and those of the application', () => {
    const table = [HEADER, line('00000000:3AA0', '0A'), line('0100007F:3A99', '06'), line('0100007F:1F90', '01')];
    assert.equal(hasOpenProxySocket(table.join('\n')), false);
  });
});

describe('hasProxiedConnections', () => {
  it('takes a namespace that cannot be looked at for one with connections', async () => {
    assert.equal(await hasProxiedConnections('/nowhere', () => Promise.reject(new Error('gone'))), true);
  });
});
