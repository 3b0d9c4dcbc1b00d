/** Whatever this codec takes, Node's strict parser reads the same way; where Node takes more, the corpus says why. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { type ReadMessage, readText } from './harness.ts';
import { CORPUS } from './smuggling-corpus.ts';

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly fields: readonly string[];
  body: string;
  complete: boolean;
}

const HOP = new Set(['connection', 'host', 'keep-alive', 'te', 'transfer-encoding', 'upgrade']);
const WAIT_MS = 5000;

function asNode(request: IncomingMessage): Seen {
  const fields: string[] = [];
  const nominated = (request.headers.connection ?? '').split(',').map((name) => name.trim());
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    const name = (request.rawHeaders[at] ?? '').toLowerCase();
    const kept = !HOP.has(name) && (!nominated.includes(name) || name === 'content-length');
    if (kept) fields.push(`${name}: ${request.rawHeaders[at + 1]}`);
  }
  const path = (request.url ?? '').replace(/^http:\/\/[^/?]*/i, '');
  return { method: request.method ?? '', path, fields, body: '', complete: false };
}

function asOwn({ heads, body, complete }: ReadMessage): Seen {
  const headers = heads[0]?.headers ?? [];
  const pseudo = new Map(headers.filter(([name]) => name.startsWith(':')));
  const fields = headers.filter(([name]) => !name.startsWith(':')).map(([name, value]) => `${name}: ${value}`);
  return { method: pseudo.get(':method') ?? '', path: pseudo.get(':path') ?? '', fields, body, complete };
}

class NodeReference {
  readonly #server: Server;
  #seen: Seen[] = [];

  constructor() {
    this.#server = createServer({ insecureHTTPParser: false }, (request, response) => {
      const one = asNode(request);
      this.#seen.push(one);
      request.on('data', (chunk: Buffer) => {
        one.body += chunk.toString('latin1');
      });
      request.on('end', () => {
        one.complete = request.complete;
        response.end();
      });
    });
  }

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async read(text: string): Promise<readonly Seen[]> {
    this.#seen = [];
    const { port } = this.#server.address() as AddressInfo;
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    socket.resume();
    socket.end(Buffer.from(text, 'latin1'));
    await once(socket, 'close', { signal: AbortSignal.timeout(WAIT_MS) });
    return this.#seen.filter(({ complete }) => complete);
  }
}

describe('smuggling corpus', () => {
  const reference = new NodeReference();
  before(() => reference.start());
  after(() => reference.stop());

  test('it has at least 60 vectors of different names', () => {
    assert.ok(CORPUS.length >= 60);
    assert.equal(new Set(CORPUS.map(({ name }) => name)).size, CORPUS.length);
  });

  for (const { name, text, stricter, wider } of CORPUS) {
    test(`${name}: nothing is taken that Node reads differently`, async () => {
      const { messages } = readText(text);
      const own = messages.map(asOwn).filter(({ complete }) => complete);
      const node = await reference.read(text);
      const more = wider === undefined ? 0 : 1;
      assert.deepEqual(own.slice(0, own.length - more), node.slice(0, own.length));
      if (stricter === undefined)
        assert.equal(own.length, node.length + more, 'Node takes more and the corpus does not say why');
      else assert.ok(own.length < node.length, 'the corpus says Node takes more, and it does not');
    });
  }
});
