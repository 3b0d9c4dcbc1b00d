import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../../../src/base/clock.ts';
import { refusal } from '../../../src/kube/kube-error.ts';
import { KubeTransport } from '../../../src/kube/kube-transport.ts';

/** Answers with the given pieces, one write each. */
describe('KubeTransport', () => {
  let server: Server;
  let transport: KubeTransport;
  let pieces: Buffer[] = [];
  let isCut = false;

  before(async () => {
    server = createServer((_, response) => {
      response.writeHead(200);
      for (const piece of pieces) response.write(piece);
      if (isCut) setImmediate(() => response.destroy());
      else response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const config = {
      server: `http://127.0.0.1:${port}`,
      caPem: undefined,
      namespace: '',
      credentials: () => Promise.resolve({}),
    };
    transport = new KubeTransport(config, systemClock);
  });
  after(() => {
    transport.close();
    server.closeAllConnections();
    server.close();
  });

  const stream = (onLine: (value: unknown) => void) =>
    transport.stream({ method: 'GET', path: '/', timeoutMs: 5000 }, onLine, new AbortController().signal);

  it('gives text as it is where text is asked for, and refuses it elsewhere', async () => {
    pieces = [Buffer.from('not '), Buffer.from('JSON\n')];
    const call = { method: 'GET', path: '/log', timeoutMs: 5000 } as const;
    const text = await transport.call({ ...call, answersText: true });
    assert.deepEqual(text, { ok: true, value: 'not JSON\n' });
    assert.equal((await transport.call(call)).ok, false);
  });

  it('gives every line of a stream whole, wherever the stream is cut into pieces', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 5 }),
        fc.array(fc.nat(200), { maxLength: 5 }),
        async (events, cuts) => {
          const bytes = Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
          const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
          pieces = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
          const seen: unknown[] = [];
          const ended = await stream((value) => seen.push(value));
          assert.ok(ended.ok);
          assert.deepEqual(seen, events);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('ends a stream at a line that is not JSON, and says so', async () => {
    pieces = [Buffer.from('{"a":1}\n<html>\n{"b":2}\n')];
    const seen: unknown[] = [];
    const ended = await stream((value) => seen.push(value));
    assert.ok(!ended.ok);
    assert.equal(ended.error.code, 'KUBE_ANSWER_INVALID');
    assert.deepEqual(seen, [{ a: 1 }]);
  });

  it('tells an answer that was cut off from one that ended', async () => {
    pieces = [Buffer.from('{"a":1}\n')];
    isCut = true;
    const ended = await stream(() => undefined);
    isCut = false;
    assert.ok(!ended.ok);
    assert.equal(ended.error.code, 'KUBE_UNREACHABLE');
  });

  it('fails a call whose answer is not JSON', async () => {
    pieces = [Buffer.from('<html>')];
    const answer = await transport.call({ method: 'GET', path: '/', timeoutMs: 5000 });
    assert.ok(!answer.ok);
    assert.equal(answer.error.code, 'KUBE_ANSWER_INVALID');
    assert.match(answer.error.message, /it is not JSON: .* of another server or of a proxy in between/);
  });

  it('asks whether the address is right when a refusal is a page', () => {
    const { message } = refusal('GET /api', 403, undefined, 0, 'ask for this right');
    assert.match(message, /refused GET \/api with 403: Forbidden: the answer is no JSON/);
    assert.doesNotMatch(message, /ask for this right/);
  });
});
