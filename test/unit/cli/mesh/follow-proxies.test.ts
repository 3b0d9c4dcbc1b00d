import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, it } from 'node:test';
import { type Clock, systemClock } from '../../../../src/base/clock.ts';
import { followProxies } from '../../../../src/cli/mesh/follow-proxies.ts';
import type { MeshProxy } from '../../../../src/model/mesh-proxy.ts';

/** What takes seconds is over at once. */
const impatient: Clock = { ...systemClock, after: (_, run) => systemClock.after(1, run) };
const ASKED = { port: 15000, path: '/tap' };

function program(name: string): MeshProxy {
  return { role: 'ztunnel', namespace: 'istio-system', name, node: '', ip: '', ready: true };
}

/** Follows until `enough` lines were read, or nobody answers. @param listed who is there, at each listing */
async function follow(answer: RequestListener, listed: () => readonly string[], enough: number): Promise<string[]> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const said: string[] = [];
  const ended = new AbortController();
  let lines = 0;
  const access = {
    where: 'here',
    controlPort: 15014,
    proxies: async () => listed().map(program),
    open: async () => connect((server.address() as AddressInfo).port, '127.0.0.1'),
    logOf: async () => '',
    close: () => undefined,
  };
  await followProxies(access, ASKED, impatient, ended.signal, {
    onListening: (open, of) => said.push(`${open} of ${of}`),
    onLine: ({ name }, line) => {
      said.push(`${name}: ${line}`);
      lines += 1;
      if (lines === enough) ended.abort();
    },
    onLost: () => said.push('lost'),
    onFound: ({ name }) => said.push(`found ${name}`),
  });
  server.closeAllConnections();
  server.close();
  return said;
}

describe('what all proxies say', () => {
  it('is heard again of one that started again, and says so', async () => {
    let asked = 0;
    const said = await follow(
      (_, response) => {
        asked += 1;
        response.write(`line ${asked}\n`);
        if (asked === 1) setTimeout(() => response.destroy(), 20);
      },
      () => ['a'],
      2,
    );
    assert.deepEqual(said.sort(), ['1 of 1', 'a: line 1', 'a: line 2', 'found a', 'lost'].sort());
  });

  it('is heard of one that comes later', async () => {
    let listings = 0;
    const said = await follow(
      (_, response) => response.write('line\n'),
      () => (listings++ === 0 ? ['a'] : ['a', 'b']),
      2,
    );
    assert.deepEqual(said.sort(), ['1 of 1', 'a: line', 'b: line', 'found b'].sort());
  });

  it('ends when nobody says anything any more', async () => {
    const refuse: RequestListener = (_, response) => {
      response.statusCode = 503;
      response.end();
    };
    assert.deepEqual(await follow(refuse, () => ['a', 'b'], 1), ['lost', 'lost', '0 of 2']);
  });
});
