import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type EventSink, LiveTap } from '../../../src/dashboard/live-tap.ts';
import type { MeshPrograms } from '../../../src/dashboard/mesh-programs.ts';
import type { Answer, Viewer } from '../../../src/dashboard/viewer.ts';
import type { MeshProxy } from '../../../src/model/mesh-proxy.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

const proxy = (name: string, role: MeshProxy['role']): MeshProxy => ({
  role,
  namespace: 'shop',
  name,
  node: '',
  ip: '',
  ready: true,
});
const everything: Viewer = { mayRead: () => true };
const record = (from: string, to: string) =>
  JSON.stringify({ timeMs: 1, kind: 'request', 'src.namespace': from, 'dst.namespace': to });

/** Proxies whose streams say what the test says, and that are open until the browser leaves. */
class TappedMesh implements MeshPrograms {
  readonly controlPort = 0;
  readonly paths: string[] = [];
  say: (line: string) => void = () => undefined;
  open = 0;
  restart: () => void = () => undefined;

  async proxies(): Promise<readonly MeshProxy[]> {
    return [proxy('control', 'control'), proxy('ztunnel', 'ztunnel')];
  }

  async ask(): Promise<string> {
    return '';
  }

  follow: MeshPrograms['follow'] = (_, { path }, signal, { onOpen, onLine }) => {
    this.paths.push(path);
    this.say = onLine;
    this.open += 1;
    onOpen();
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.open -= 1;
        resolve();
      };
      this.restart = () => {
        signal.removeEventListener('abort', leave);
        this.open -= 1;
        reject(new Error('it ended'));
      };
      signal.addEventListener('abort', leave);
    });
  };
}

class Browser implements EventSink {
  readonly events: (readonly [string, object])[] = [];
  readonly #gone = new AbortController();
  readonly signal = this.#gone.signal;
  isSlow = false;

  send(event: string, data: object): boolean {
    if (this.isSlow) return false;
    this.events.push([event, data]);
    return true;
  }

  leave(): void {
    this.#gone.abort();
  }

  last(event: string): object | undefined {
    return this.events.findLast(([name]) => name === event)?.[1];
  }

  count(event: string): number {
    return this.events.filter(([name]) => name === event).length;
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('the tap of the dashboard', () => {
  it('asks every proxy for what the viewer wants to see, and ends it when the browser is gone', async () => {
    const mesh = new TappedMesh();
    const browser = new Browser();
    const query = new URLSearchParams({ namespace: 'shop', status: '5xx', evil: 'x' });
    const done = new LiveTap(() => mesh, new ManualClock()).handler(everything, query, browser);
    await turn();
    assert.deepEqual(mesh.paths, ['/tap?max-rps=50&namespace=shop&status=5xx'], 'the control plane has none');
    mesh.say(record('shop', 'shop'));
    assert.equal(browser.count('record'), 1);
    browser.leave();
    await done;
    assert.equal(mesh.open, 0);
  });

  it('listens again to a proxy that started again, and says meanwhile that it does not answer', async () => {
    const mesh = new TappedMesh();
    const browser = new Browser();
    const clock = new ManualClock();
    const done = new LiveTap(() => mesh, clock).handler(everything, new URLSearchParams(), browser);
    await turn();
    assert.deepEqual(browser.last('listening'), { listening: 1, of: 1, missing: [] });
    mesh.restart();
    await turn();
    assert.deepEqual(browser.last('listening'), { listening: 0, of: 1, missing: ['it ended'] });
    clock.advance(2000);
    await turn();
    assert.deepEqual(browser.last('listening'), { listening: 1, of: 1, missing: [] });
    browser.leave();
    await done;
    assert.equal(mesh.open, 0);
  });

  it('keeps from a viewer what happens in namespaces that are not theirs', async () => {
    const mesh = new TappedMesh();
    const browser = new Browser();
    const viewer: Viewer = { mayRead: (namespace) => namespace === 'mine' };
    const done = new LiveTap(() => mesh, new ManualClock()).handler(viewer, new URLSearchParams(), browser);
    await turn();
    mesh.say(record('theirs', 'theirs'));
    mesh.say(JSON.stringify({ timeMs: 1, kind: 'connection' }));
    assert.equal(browser.count('record'), 0);
    mesh.say(record('mine', 'theirs'));
    assert.equal(browser.count('record'), 1);
    browser.leave();
    await done;
  });

  it('says how many a slow browser, and slow proxies, left out', async () => {
    const mesh = new TappedMesh();
    const browser = new Browser();
    const done = new LiveTap(() => mesh, new ManualClock()).handler(everything, new URLSearchParams(), browser);
    await turn();
    browser.isSlow = true;
    mesh.say(record('shop', 'shop'));
    mesh.say(record('shop', 'shop'));
    browser.isSlow = false;
    mesh.say(JSON.stringify({ skipped: 5 }));
    assert.deepEqual(browser.events.at(-1), ['skipped', { skipped: 7 }]);
    browser.leave();
    await done;
  });

  it('lets four browsers look at once where nobody logs in, and another one when one of them has left', async () => {
    const mesh = new TappedMesh();
    const tap = new LiveTap(() => mesh, new ManualClock());
    const browsers = Array.from({ length: 4 }, () => new Browser());
    const open = browsers.map((browser) => tap.handler(everything, new URLSearchParams(), browser));
    await turn();
    await assert.rejects(tap.handler(everything, new URLSearchParams(), new Browser()), /4 of your browsers/);
    browsers[0]?.leave();
    await open[0];
    const next = new Browser();
    const last = tap.handler(everything, new URLSearchParams(), next);
    await turn();
    assert.equal(next.count('listening') > 0, true);
    for (const browser of [...browsers, next]) browser.leave();
    await Promise.all([...open, last]);
  });

  it('lets two browsers of one person look at once, so that there is room for others', async () => {
    const tap = new LiveTap(() => new TappedMesh(), new ManualClock());
    const browsers: Browser[] = [];
    const look = (name: string) => {
      const browser = new Browser();
      browsers.push(browser);
      return tap.handler({ ...everything, name }, new URLSearchParams(), browser);
    };
    const open = [look('anna'), look('anna')];
    await assert.rejects(look('anna'), /2 of your browsers/);
    for (let n = 0; n < 10; n++) open.push(look(`viewer ${n}`));
    await assert.rejects(look('ben'), /12 browsers/);
    for (const browser of browsers) browser.leave();
    await Promise.all(open);
  });

  it('shows no more what a right was taken away for, and ends for who is not let in any more', async () => {
    const mesh = new TappedMesh();
    const browser = new Browser();
    const clock = new ManualClock();
    let admitted: Viewer | Answer = { mayRead: () => false };
    const viewer: Viewer = { ...everything, name: 'anna', again: async () => admitted };
    const done = new LiveTap(() => mesh, clock).handler(viewer, new URLSearchParams(), browser);
    await turn();
    mesh.say(record('shop', 'shop'));
    clock.advance(30_000);
    await turn();
    mesh.say(record('shop', 'shop'));
    assert.equal(browser.count('record'), 1);
    admitted = { status: 401, body: '' };
    clock.advance(30_000);
    await done;
    assert.equal(mesh.open, 0);
    assert.deepEqual(clock.waitingMs, []);
  });
});
