import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../../src/base/logger.ts';
import { startClusterDns } from '../../../src/local/cluster-dns.ts';
import { askTcp, askUdp, queryBytes, TYPE_A, TYPE_AAAA, TYPE_TXT } from '../../helpers/dns-query.ts';

const NAMES: Readonly<Record<string, readonly string[]>> = {
  'web.shop.svc.cluster.local': ['10.96.0.1', 'fd00::1', '10.96.0.2'],
};

async function start() {
  const asked: string[] = [];
  const lookup = (name: string) => {
    asked.push(name);
    const addresses = NAMES[name];
    return addresses && { addresses };
  };
  const server = await startClusterDns({ address: '127.0.0.1', port: 0, lookup }, { logger: silentLogger });
  const target = { address: '127.0.0.1', port: server.port };
  return { server, target, asked };
}

describe('startClusterDns', () => {
  it('answers with the addresses of the family asked, for 5 s, over UDP and TCP', async () => {
    const { server, target, asked } = await start();
    const query = (type: number) => queryBytes('Web.shop.svc.cluster.LOCAL', type);
    const v4 = await askUdp(target, query(TYPE_A));
    assert.deepEqual([v4.rcode, v4.addresses], [0, ['10.96.0.1', '10.96.0.2']]);
    assert.deepEqual(
      v4.message.answers.map(({ ttlSec }) => ttlSec),
      [5, 5],
    );
    assert.deepEqual([v4.message.authoritative, v4.message.recursionAvailable], [true, false]);
    const [v6, text] = await askTcp(target, query(TYPE_AAAA), query(TYPE_TXT));
    assert.deepEqual(v6?.addresses, ['fd00::1']);
    assert.deepEqual([text?.rcode, text?.message.answers], [0, []]);
    assert.deepEqual([...new Set(asked)], ['web.shop.svc.cluster.local']);
    await server.close();
  });

  it('says NXDOMAIN of unknown names and REFUSED of other classes', async () => {
    const { server, target } = await start();
    const unknown = await askUdp(target, queryBytes('nobody.shop'));
    assert.deepEqual([unknown.rcode, unknown.message.authoritative], [3, true]);
    assert.equal((await askUdp(target, queryBytes('nobody.shop', TYPE_A, { class: 3 }))).rcode, 5);
    await server.close();
  });

  it('lets its port go when it closes, open connections included', async () => {
    const { server, target } = await start();
    const silent = askTcp(target, queryBytes('nobody.shop'));
    await silent;
    await server.close();
    await assert.rejects(askTcp(target, queryBytes('nobody.shop')));
    const again = await startClusterDns(
      { address: '127.0.0.1', port: server.port, lookup: () => undefined },
      { logger: silentLogger },
    );
    await assert.rejects(
      startClusterDns({ address: '127.0.0.1', port: server.port, lookup: () => undefined }, { logger: silentLogger }),
    );
    await again.close();
  });
});
