import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Clock, systemClock } from '../../../src/base/clock.ts';
import type { MeshProxy } from '../../../src/model/mesh-proxy.ts';
import { type FollowedMesh, followProxies } from '../../../src/traffic/follow-proxies.ts';

/** What takes seconds is over at once. */
const impatient: Clock = { ...systemClock, after: (_, run) => systemClock.after(1, run) };
const ASKED = { port: 15000, path: '/tap' };

function program(name: string): MeshProxy {
  return { role: 'ztunnel', namespace: 'istio-system', name, node: '', ip: '', ready: true };
}

type Answer = (name: string, listener: { onOpen(): void; onLine(line: string): void }) => Promise<void>;

/**
 * Follows until `enough` lines were read, or nobody answers.
 * @param listed who is there, at each listing
 */
async function follow(answer: Answer, listed: () => readonly string[], enough: number, isPatient = false) {
  const said: string[] = [];
  const ended = new AbortController();
  let lines = 0;
  const mesh: FollowedMesh = {
    proxies: async () => listed().map(program),
    follow: ({ name }, _, __, listener) => answer(name, listener),
  };
  await followProxies(mesh, { asked: ASKED, isPatient }, impatient, ended.signal, {
    onListening: (open, of) => said.push(`${open} of ${of}`),
    onLine: ({ name }, line) => {
      said.push(`${name}: ${line}`);
      lines += 1;
      if (lines === enough) ended.abort();
    },
    onLost: ({ name }) => said.push(`lost ${name}`),
    onOpen: ({ name }, isFirst) => said.push(`${isFirst ? 'opened' : 'found'} ${name}`),
  });
  return said;
}

/** An answer that is open for good. */
const forever = () => new Promise<void>(() => undefined);
const refuse: Answer = async () => {
  throw new Error('refused');
};

describe('what all proxies say', () => {
  it('is heard again of one that started again, and says so', async () => {
    let asked = 0;
    const restarting: Answer = async (_, { onOpen, onLine }) => {
      asked += 1;
      const isFirst = asked === 1;
      onOpen();
      onLine(`line ${asked}`);
      if (!isFirst) return forever();
      await new Promise((resolve) => setImmediate(resolve));
      throw new Error('it ended');
    };
    const said = await follow(restarting, () => ['a'], 2);
    assert.deepEqual(said.sort(), ['1 of 1', 'a: line 1', 'a: line 2', 'opened a', 'found a', 'lost a'].sort());
  });

  it('is heard of one that comes later', async () => {
    let listings = 0;
    const talking: Answer = (_, { onOpen, onLine }) => {
      onOpen();
      onLine('line');
      return forever();
    };
    const said = await follow(talking, () => (listings++ === 0 ? ['a'] : ['a', 'b']), 2);
    assert.deepEqual(said.sort(), ['1 of 1', 'a: line', 'b: line', 'opened a', 'found b'].sort());
  });

  it('ends when nobody says anything any more', async () => {
    assert.deepEqual(await follow(refuse, () => ['a', 'b'], 1), ['lost a', 'lost b', '0 of 2']);
  });

  it('is waited for, by who is patient, while nobody says anything', async () => {
    let asked = 0;
    const late: Answer = async (name, listener) => {
      asked += 1;
      if (asked < 3) return refuse(name, listener);
      listener.onOpen();
      listener.onLine('line');
      return forever();
    };
    assert.deepEqual(await follow(late, () => ['a'], 1, true), ['lost a', '0 of 1', 'found a', 'a: line']);
  });
});
